"""Scores in the classes that two data sets have in common."""

from collections.abc import Sequence
from typing import Any

import torch

from partialseg.confusion import ConfusionMatrix
from partialseg.transfer.params import COMMON


def common_scores(confusion: ConfusionMatrix, scored: Sequence[int]) -> dict[str, Any]:
    """Return the scores of a confusion matrix of the common classes.

    Pixels whose true class is none of those scored are left out, and means are over those scored
    that occur. A pixel of these that was given a class that is not scored is wrong.
    """
    counts = torch.zeros_like(confusion.counts)
    counts[list(scored)] = confusion.counts[list(scored)]
    kept = ConfusionMatrix(len(COMMON))
    kept.counts = counts
    iou = {COMMON[place]: float(kept.iou()[place]) for place in scored}
    present = {name: value for name, value in iou.items() if value == value}  # the others are NaN
    return {
        "miou": sum(present.values()) / len(present),
        "accuracy": kept.accuracy(),
        "iou": present,
        "absent": [name for name in iou if name not in present],
        "right": int(counts.diagonal().sum()),
        "pixels": int(counts.sum()),
        "confusion": counts.tolist(),
    }


def majority(counts: Sequence[int]) -> dict[str, Any]:
    """Return the scores of giving the largest of the common classes everywhere.

    counts are the pixels of the common classes in the truth. As in the scores of a network, a class
    that occurs neither in the truth nor in the answer is left out.
    """
    share = max(counts) / sum(counts)
    return {
        "class": COMMON[list(counts).index(max(counts))],
        "miou": share / sum(count > 0 for count in counts),
        "accuracy": share,
    }
