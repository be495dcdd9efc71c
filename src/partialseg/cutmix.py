"""CutMix: a rectangle of an image is replaced by that of another, and its targets with it."""

import math

import torch
from torch import Tensor

# The ranges of UniMatch (https://github.com/LiheYoung/UniMatch, dataset/transform.py).
AREA = (0.02, 0.4)  # of the image
ASPECT = (0.3, 1 / 0.3)  # height over width


def cutmix_boxes(count: int, height: int, width: int, generator: torch.Generator) -> Tensor:
    """Draw a rectangle for each of count images: bool (count, height, width), True inside.

    Its share of the image is drawn evenly, its aspect ratio too but on a logarithmic scale, so
    that it is as often tall as wide, and then its place among all where it lies inside. A ratio
    that makes it longer than a side of the image is brought back to that side, where UniMatch
    draws again: so the share holds, and an image of any shape has a rectangle.
    Source: CutMix, Yun et al. 2019, arXiv:1905.04899; for consistency French et al. 2020,
    arXiv:1906.01916; ranges of Yang et al. 2023, arXiv:2208.09910.
    """
    draws = torch.rand(count, 4, generator=generator, dtype=torch.float64)
    share, aspect, down, right = draws.unbind(dim=1)
    area = (AREA[0] + (AREA[1] - AREA[0]) * share) * height * width
    low, high = map(math.log, ASPECT)
    tall = (area * (low + (high - low) * aspect).exp()).sqrt()
    tall = torch.minimum(torch.maximum(tall, area / width), torch.tensor(float(height)))
    rows, columns = tall.round().clamp(min=1), (area / tall).round().clamp(min=1)
    top, left = (down * (height - rows + 1)).floor(), (right * (width - columns + 1)).floor()
    in_rows = _between(top, top + rows, height)
    in_columns = _between(left, left + columns, width)
    return in_rows[:, :, None] & in_columns[:, None, :]


def partners(batch: Tensor) -> Tensor:
    """Return, in the place of each item of a batch (N, ...), the next one, the first for the last.

    In a batch of one the item is its own partner, and mixing the two changes nothing.
    """
    return batch.roll(-1, dims=0)


def mix(first: Tensor, second: Tensor, boxes: Tensor) -> Tensor:
    """Return second inside the boxes (N, H, W) and first elsewhere.

    Args:
        first: images (N, C, H, W) or targets (N, H, W), of any type.
        second: as first.
        boxes: bool, on the device of first.
    """
    inside = boxes if first.ndim == boxes.ndim else boxes[:, None]
    return torch.where(inside, second, first)


def _between(start: Tensor, end: Tensor, length: int) -> Tensor:
    """Return which of 0 .. length - 1 are in start <= place < end: bool (N, length)."""
    place = torch.arange(length)
    return (place >= start[:, None]) & (place < end[:, None])
