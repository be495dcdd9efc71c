"""Calibration: whether the confidence of a network equals its accuracy."""

from itertools import pairwise
from typing import Any

from torch import Tensor


def calibration_summary(
    limits: Tensor, pixels: Tensor, right: Tensor, confidence: Tensor
) -> dict[str, Any]:
    """Return the expected calibration error and the bins, in the form of the details.

    limits (B + 1,) are those of the bins of the confidence. For each bin (B,) are given its pixels,
    those of them that are predicted right, and the sum of their confidences.
    Source: Guo et al. 2017, arXiv:1706.04599.

    Raises:
        ValueError: no pixel has a truth.
    """
    total = int(pixels.sum())
    if not total:
        raise ValueError("no pixel of the split that is scored has a truth")
    # sum of pixels_b / total * |accuracy_b - confidence_b|
    error = (right - confidence).abs().sum() / total
    counts = zip(
        pairwise(limits.tolist()),
        *(values.tolist() for values in (pixels, confidence, right)),
        strict=True,
    )
    return {
        "ece": float(error),
        "bins": [
            {
                "from": low,
                "to": high,
                "pixels": count,
                "confidence": sum_of / count if count else None,
                "accuracy": hits / count if count else None,
            }
            for (low, high), count, sum_of, hits in counts
        ],
    }
