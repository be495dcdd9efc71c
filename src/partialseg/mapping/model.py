"""What predicts: a network, and what has to be known to use it."""

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from partialseg.truth import Colour


@dataclass(frozen=True, kw_only=True)
class ModelInfo:
    """What has to be known to use a network.

    mean and std normalise RGB in 0..255; patch_size is the side in pixels and
    ground_sampling_distances are the pixel sizes in metres of the patches it was trained on
    (empty: unknown). title says in a line what it is.
    """

    title: str
    commit: str
    class_names: tuple[str, ...]
    palette: tuple[Colour, ...]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    patch_size: int
    ground_sampling_distances: tuple[float, ...]


class Model(Protocol):
    """A network that can be asked, whatever computes it."""

    @property
    def info(self) -> ModelInfo:
        """What has to be known to use it."""
        ...

    def probabilities(self, images: Tensor) -> Tensor:
        """Return the class probabilities (N, C, H, W), float32, of images (N, 3, H, W), uint8."""
        ...
