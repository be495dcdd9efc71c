"""Calibration: whether the confidence of a network equals its accuracy."""

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from partialseg.core.classes import IGNORE_INDEX


class Calibration:
    """Counts pixels by confidence, the largest softmax probability, in bins of equal width.

    A bin excludes its lower limit, as in Guo et al. 2017, arXiv:1706.04599.
    """

    def __init__(self, bins: int) -> None:
        limits = torch.linspace(0, 1, bins + 1, dtype=torch.float64)
        self._limits = limits
        self._pixels = torch.zeros(bins, dtype=torch.int64)
        self._right = torch.zeros(bins, dtype=torch.int64)
        self._confidence = torch.zeros(bins, dtype=torch.float64)

    def update(self, logits: Tensor, truth: Tensor) -> None:
        """Add logits (N, C, H, W) and class ids (N, H, W), which may hold IGNORE_INDEX."""
        bins = len(self._pixels)
        known = truth != IGNORE_INDEX
        largest, predicted = logits.softmax(dim=1).max(dim=1)
        confidence = largest[known]
        inner = self._limits[1:-1].to(confidence)  # so that the outer bins include 0 and 1
        place = torch.bucketize(confidence, inner)
        right = place[predicted[known] == truth[known]]
        self._pixels += torch.bincount(place, minlength=bins).cpu()
        self._right += torch.bincount(right, minlength=bins).cpu()
        self._confidence += torch.bincount(place, confidence.double(), minlength=bins).cpu()

    def summary(self) -> dict[str, Any]:
        """Return the expected calibration error and the bins, in the form of the details.

        Raises:
            ValueError: no pixel has a truth.
        """
        pixels = int(self._pixels.sum())
        if not pixels:
            raise ValueError("no pixel of the split that is scored has a truth")
        # sum of pixels_b / pixels * |accuracy_b - confidence_b|
        error = (self._right - self._confidence).abs().sum() / pixels
        counts = zip(
            pairwise(self._limits.tolist()),
            *(values.tolist() for values in (self._pixels, self._confidence, self._right)),
            strict=True,
        )
        return {
            "ece": float(error),
            "bins": [
                {
                    "from": low,
                    "to": high,
                    "pixels": count,
                    "confidence": confidence / count if count else None,
                    "accuracy": right / count if count else None,
                }
                for (low, high), count, confidence, right in counts
            ],
        }
