"""The method gated_crf: neighbouring pixels of similar colour should get the same class.

Source: Obukhov et al. 2019, arXiv:1906.04651.
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt
from pydantic.dataclasses import dataclass
from torch import Tensor

from partialseg.core.params import STRICT
from partialseg.training.methods.method import Part, Stateless, has_image


@dataclass(frozen=True, kw_only=True, config=STRICT)
class GatedCrf:
    """Weight of the term (0: off), the window of the pixels that are compared, and its kernel.

    Probabilities and images are averaged over cells of stride x stride pixels. The side of the
    window is 2 * radius + 1 cells; sigma_xy is in cells, sigma_rgb in levels of 0..255.
    """

    weight: NonNegativeFloat
    radius: PositiveInt
    sigma_xy: PositiveFloat
    sigma_rgb: PositiveFloat
    stride: PositiveInt


class GatedCrfMethod(Stateless):
    """Adds the gated CRF loss of the predictions."""

    def __init__(self, params: GatedCrf) -> None:
        self._params = params

    def term(self, part: Part) -> Tensor:
        """Return the weighted loss, the mean over the heads."""
        if not self._params.weight:
            return part.zero()
        energies = [gated_crf(head, part.images, self._params) for head in part.outputs]
        return self._params.weight * torch.stack(energies).mean()


def gated_crf(logits: Tensor, images: Tensor, params: GatedCrf) -> Tensor:
    """Return the Potts energy per cell of the softmax predictions, without the weight.

    Computed in float32. The gates of the paper, which exclude pixels from the energy, are the
    pixels that have an image.

    Args:
        logits: (N, C, H, W), float.
        images: (N, 3, H, W), uint8.
        params: the window, the kernel and the stride.
    """
    return potts_energy(logits.float().softmax(dim=1), images, params)


def potts_energy(probabilities: Tensor, images: Tensor, params: GatedCrf) -> Tensor:
    """Return the mean over cells i of the sum over the others j of its window of k * (1 - p.q).

    p and q are the class probabilities (N, C, H, W) at i and j; k is exp(-distance^2 / (2
    sigma_xy^2) - colour difference^2 / (2 sigma_rgb^2)), from images (N, 3, H, W), and 0 for a j
    outside the image. 1 - p.q is the chance that the two cells are of different classes, so it
    is 0 only where both are sure. A cell with a pixel that has no image counts as an i of energy 0
    and is no j.
    """
    # ceil_mode: a cell cut by the edge is the mean of the pixels that it has.
    probabilities = F.avg_pool2d(probabilities, params.stride, ceil_mode=True)
    colours = images.to(probabilities.dtype)
    colours = F.avg_pool2d(colours, params.stride, ceil_mode=True) / params.sigma_rgb
    holes = (~has_image(images)).to(probabilities.dtype)[:, None]
    gates = 1 - F.max_pool2d(holes, params.stride, ceil_mode=True)
    count, _, height, width = probabilities.shape
    energy = probabilities.new_zeros(())
    for dy, dx in _half_window(params.radius, height, width):
        first, second = _pairs(colours, dy, dx)
        distances = (first - second).square().sum(dim=1) + (dy**2 + dx**2) / params.sigma_xy**2
        first, second = _pairs(probabilities, dy, dx)
        differ = 1 - (first * second).sum(dim=1)
        here, there = _pairs(gates, dy, dx)
        energy = energy + ((-distances / 2).exp() * differ * (here * there)[:, 0]).sum()
    return 2 * energy / (count * height * width)  # each pair is in the windows of two cells


def _half_window(radius: int, height: int, width: int) -> Iterator[tuple[int, int]]:
    """Yield one of each pair of opposite offsets (dy, dx) of a window, within the grid."""
    reach = min(radius, width - 1)
    for dy in range(min(radius, height - 1) + 1):
        for dx in range(-reach if dy else 1, reach + 1):
            yield dy, dx


def _pairs(values: Tensor, dy: int, dx: int) -> tuple[Tensor, Tensor]:
    """Return two views of (N, C, H, W): the pixels with a neighbour at this offset, and those."""
    height, width = values.shape[-2:]
    left, right = max(0, -dx), min(width, width - dx)
    here = values[..., : height - dy, left:right]
    there = values[..., dy:, left + dx : right + dx]
    return here, there
