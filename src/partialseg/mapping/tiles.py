"""Overlapping tiles along one axis, with weights by which their predictions are blended."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Tiles:
    """Tiles of one length along an axis: where each begins, and its weights.

    The weights of all tiles at a pixel sum to 1, float32 (length,) for each tile.
    """

    length: int
    starts: tuple[int, ...]
    weights: tuple[Tensor, ...]

    def final(self, index: int, size: int) -> int:
        """Return up to which pixel no tile after `index` contributes."""
        return self.starts[index + 1] if index + 1 < len(self.starts) else size


def tiles_along(size: int, length: int, overlap: int) -> Tiles:
    """Cover `size` pixels by tiles of `length`, of which neighbours share at least `overlap`.

    The last one ends at the end. Towards its ends a tile's weight falls like a squared cosine.
    """
    length = min(length, size)
    step = max(1, length - overlap)
    last = size - length
    starts = (*range(0, last, step), last)
    ramp = [math.sin(math.pi / 2 * (i + 0.5) / overlap) ** 2 for i in range(overlap)]
    taper = torch.ones(length, dtype=torch.float64)
    for i, value in enumerate(ramp[:length]):
        taper[i] *= value
        taper[length - 1 - i] *= value
    total = torch.zeros(size, dtype=torch.float64)
    for start in starts:
        total[start : start + length] += taper
    weights = tuple((taper / total[start : start + length]).float() for start in starts)
    return Tiles(length=length, starts=starts, weights=weights)
