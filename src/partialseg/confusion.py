"""Scores from one confusion matrix over a whole split."""

import torch
from torch import Tensor

from partialseg.core.classes import IGNORE_INDEX


class ConfusionMatrix:
    """Counts pixels: counts[t, p] of truth t that were predicted as p, int64 (C, C).

    Scores of a class that occurs neither in the truth nor in the prediction are NaN, and every
    mean leaves it out.
    """

    def __init__(self, num_classes: int) -> None:
        self.num_classes = num_classes
        self.counts = torch.zeros(num_classes, num_classes, dtype=torch.int64)

    def update(self, prediction: Tensor, truth: Tensor) -> None:
        """Add class ids of any equal shape; truth may hold IGNORE_INDEX, prediction may not.

        Raises:
            ValueError: shapes differ, or an id is out of range.
        """
        if prediction.shape != truth.shape:
            raise ValueError(f"shapes differ: {tuple(prediction.shape)}, {tuple(truth.shape)}")
        known, classes = truth != IGNORE_INDEX, self.num_classes
        # Counted with the unknown pixels, in a row of their own: selecting the others takes longer.
        columns = torch.where(known, prediction, 0).long()
        for ids, lowest, name in ((truth, IGNORE_INDEX, "truth"), (columns, 0, "prediction")):
            if ids.numel() and not lowest <= int(ids.min()) <= int(ids.max()) < classes:
                low, high = int(ids[known].min()), int(ids[known].max())
                raise ValueError(f"{name}: class ids {low}..{high}, allowed are 0..{classes - 1}")
        codes = (truth.long() - IGNORE_INDEX) * classes + columns
        counts = torch.bincount(codes.flatten(), minlength=(classes + 1) * classes)
        self.counts += counts.reshape(classes + 1, classes)[1:].cpu()

    def merge(self, other: "ConfusionMatrix") -> None:
        """Add the counts of another matrix."""
        self.counts += other.counts

    def iou(self) -> Tensor:
        """Return TP / (TP + FP + FN) of each class, float64 (C,)."""
        hit, truth, predicted = self._marginals()
        return hit / (truth + predicted - hit)

    def f1(self) -> Tensor:
        """Return 2 TP / (2 TP + FP + FN) of each class, float64 (C,)."""
        hit, truth, predicted = self._marginals()
        return 2 * hit / (truth + predicted)

    def miou(self) -> float:
        """Return the mean IoU over the classes that occur; NaN without any pixel."""
        return float(self.iou().nanmean())

    def frequency_weighted_iou(self) -> float:
        """Return the mean of the IoU weighted by the pixels of each class; NaN without any pixel.

        Source: Long et al. 2015, https://arxiv.org/abs/1411.4038.
        """
        truth = self._marginals()[1]
        return float((truth * self.iou()).nansum() / truth.sum())

    def mean_f1(self) -> float:
        """Return the mean F1 over the classes that occur; NaN without any pixel."""
        return float(self.f1().nanmean())

    def accuracy(self) -> float:
        """Return the share of pixels that are predicted right; NaN without any pixel."""
        return float(self.counts.diagonal().sum().double() / self.counts.sum())

    def absent(self) -> list[int]:
        """Return the ids of the classes that occur neither in the truth nor in the prediction."""
        occurs: Tensor = self.counts.sum(0) + self.counts.sum(1)
        return (occurs == 0).nonzero().flatten().tolist()

    def _marginals(self) -> tuple[Tensor, Tensor, Tensor]:
        counts = self.counts.double()
        return counts.diagonal(), counts.sum(1), counts.sum(0)
