"""The pool of training patches and their labels so far, and the oracle that labels more."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from partialseg.core.classes import NO_TRUTH, compose_label
from partialseg.labelling.labels import LabelStore
from partialseg.tiling.patches import Patch, PatchStore
from partialseg.visibility import pixel_keys, seeded_bits


def window_keys(seed: int, name: str, windows: int) -> NDArray[np.uint64]:
    """Return the random key of each window (N,) of a patch."""
    return seeded_bits(f"{seed}/{name}/windows").random_raw(windows)


@dataclass(frozen=True, kw_only=True)
class Pool:
    """What pixels are chosen from: a store, its training patches and their labels so far.

    seed is that of all random draws.
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
        """Return which pixels (side, side) of a patch have no label."""
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


class Oracle:
    """Labels pixels by the truth of a patch store, which nothing else in the acquisition reads."""

    def __init__(self, store: PatchStore) -> None:
        self._store = store

    def ask(self, patch: Patch, wanted: NDArray[np.bool_]) -> NDArray[np.int16]:
        """Return the classes (H, W) of the wanted pixels (H, W), IGNORE_INDEX at all others.

        A wanted pixel without truth is IGNORE_INDEX, too, and uses up budget all the same.

        Raises:
            ValueError: the truth of a wanted pixel is no class.
        """
        truth = self._store.truth(patch)
        answers = truth[wanted]
        classes = len(self._store.summary.class_names)
        wrong = answers[(answers >= classes) & (answers != NO_TRUTH)]
        if wrong.size:
            raise ValueError(
                f"patch {patch.name}: damaged truth: class id {wrong[0]}, allowed are "
                f"0..{classes - 1} and {NO_TRUTH}"
            )
        return compose_label(truth, wanted)
