"""Test-time augmentation: a network is asked about several views of a tile."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from partialseg.mapping.model import Model, ModelInfo

Views = Literal["none", "flips", "all"]
# Quarter turns, and whether the view is mirrored.
VIEWS: dict[Views, tuple[tuple[int, bool], ...]] = {
    "none": ((0, False),),
    "flips": ((0, False), (2, False), (0, True), (2, True)),
    "all": tuple((turns, mirrored) for turns in range(4) for mirrored in (False, True)),
}


@dataclass(frozen=True)
class Averaged:
    """A model whose probabilities are the mean over the views of a tile."""

    model: Model
    views: Views

    @property
    def info(self) -> ModelInfo:
        """What has to be known to use the model."""
        return self.model.info

    def probabilities(self, images: Tensor) -> Tensor:
        """Return the class probabilities (N, C, H, W), float32, of images (N, 3, H, W), uint8."""
        views = VIEWS[self.views]
        predicted = [_back(self.model.probabilities(_view(images, *view)), *view) for view in views]
        return torch.stack(predicted).mean(dim=0) if len(views) > 1 else predicted[0]


def _view(images: Tensor, turns: int, mirrored: bool) -> Tensor:
    return torch.rot90(images.flip(-1) if mirrored else images, turns, (-2, -1))


def _back(maps: Tensor, turns: int, mirrored: bool) -> Tensor:
    straight = torch.rot90(maps, -turns, (-2, -1))
    return straight.flip(-1) if mirrored else straight
