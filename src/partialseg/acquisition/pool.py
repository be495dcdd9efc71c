"""The training patches, and which of their pixels are labelled."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from partialseg.acquisition.keys import pixel_keys
from partialseg.labels import LabelStore
from partialseg.patches import Patch, PatchStore


@dataclass(frozen=True, kw_only=True)
class Pool:
    """Where pixels are chosen from: a store, its training patches and their labels so far.

    The seed is that of all draws.
    """

    store: PatchStore
    patches: list[Patch]
    labels: LabelStore
    seed: int

    @property
    def side(self) -> int:
        """The height and width of each patch in px."""
        return self.store.summary.size

    @property
    def pixels(self) -> int:
        """The number of pixels of all training patches."""
        return len(self.patches) * self.side**2

    def unlabelled(self, place: int) -> NDArray[np.bool_]:
        """Return the pixels (side, side) of a patch that nobody has labelled."""
        return ~self.labels.visible(place)

    def keys(self, place: int) -> NDArray[np.uint64]:
        """Return the seeded keys (side, side) of the pixels of a patch."""
        name = self.patches[place].name
        return pixel_keys(self.seed, name, self.side**2).reshape(self.side, self.side)

    def rarest_first(self) -> list[int]:
        """Return the classes, those with the fewest labelled pixels first."""
        counts = self.labels.summary.counts
        of_class = [counts[name] for name in self.store.summary.class_names]
        return sorted(range(len(of_class)), key=of_class.__getitem__)
