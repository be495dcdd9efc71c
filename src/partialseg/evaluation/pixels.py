"""Counts of pixels by confidence, truth and predicted class, in one pass over the logits."""

from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from partialseg.core.classes import IGNORE_INDEX, first_largest
from partialseg.evaluation.calibration import calibration_summary


class PixelCounts:
    """Counts pixels by confidence, the largest softmax probability, by truth and by prediction.

    The bins of the confidence have equal widths and exclude their lower limits, as in Guo et al.
    2017, arXiv:1706.04599. confusions are the matrices counts[t, p], int64 (C, C), of the patches
    so far, of their known pixels alone.
    """

    def __init__(self, num_classes: int, bins: int) -> None:
        self._limits = torch.linspace(0, 1, bins + 1, dtype=torch.float64)
        self._shape = bins, num_classes + 1, num_classes  # the first row: pixels without a truth
        self._pixels = np.zeros(bins, np.int64)
        self._right = np.zeros(bins, np.int64)
        self._confidence = np.zeros(bins, np.float64)
        self.confusions: list[NDArray[np.int64]] = []

    def update(self, logits: Tensor, truth: Tensor) -> NDArray[np.uint8]:
        """Add logits (N, C, H, W) and class ids (N, H, W); return those predicted, uint8 (N, H, W).

        truth may hold IGNORE_INDEX. Among equal logits the first class is predicted.

        Raises:
            ValueError: an id of the truth is out of range.
        """
        rows = (truth - IGNORE_INDEX).cpu().numpy()  # 0: unknown, then the classes
        if rows.max(initial=0) >= self._shape[1] or rows.min(initial=0) < 0:
            low, high = rows.min() + IGNORE_INDEX, rows.max() + IGNORE_INDEX
            raise ValueError(
                f"truth: class ids {low}..{high}, allowed are 0..{self._shape[2] - 1} and "
                f"{IGNORE_INDEX}"
            )
        return np.stack([self._add(*patch) for patch in zip(logits, rows, strict=True)])

    def calibration(self) -> dict[str, Any]:
        """Return the expected calibration error and the bins, in the form of the details.

        Raises:
            ValueError: no pixel has a truth.
        """
        sums = self._pixels, self._right, self._confidence
        return calibration_summary(self._limits, *map(torch.from_numpy, sums))

    def _add(self, logits: Tensor, rows: NDArray[np.integer[Any]]) -> NDArray[np.uint8]:
        """Add a patch (C, H, W) whose truth is given by rows (H, W) of the counts."""
        confidence = logits.softmax(dim=0).amax(dim=0).cpu().numpy()
        predicted = first_largest(logits.cpu().numpy())
        _, count_rows, classes = self._shape
        codes = self._bins(confidence).astype(np.uint32)
        codes *= np.uint32(count_rows)
        codes += rows.astype(np.uint32)
        codes *= np.uint32(classes)
        codes += predicted
        places = codes.ravel().astype(np.intp)  # as both counts would convert them
        counts = self._count(places)[:, 1:]
        confusion = counts.sum(axis=0)
        self.confusions.append(confusion)
        self._pixels += counts.sum(axis=(1, 2))
        self._right += np.trace(counts, axis1=1, axis2=2)
        # Sums of float32 in float64: exact, in any order, for far more pixels than a patch has.
        self._confidence += self._count(places, confidence.ravel())[:, 1:].sum(axis=(1, 2))
        return predicted

    def _bins(self, confidence: NDArray[np.floating[Any]]) -> NDArray[np.integer[Any]]:
        """Return the bin of each confidence; the outer bins include 0 and 1."""
        inner = self._limits[1:-1].numpy().astype(confidence.dtype)
        # Fifteen comparisons of whole arrays take a fifth of the time of a search for each pixel.
        place = np.zeros(confidence.shape, np.min_scalar_type(len(inner)))
        above = np.empty(confidence.shape, np.bool_)
        for limit in inner:
            np.greater(confidence, limit, out=above)
            place += above.view(np.uint8)
        return place

    def _count(
        self, codes: NDArray[np.intp], weights: NDArray[np.floating[Any]] | None = None
    ) -> NDArray[Any]:
        """Return how often each code (N,) occurs, or the sum of its weights, in counts' shape."""
        counts = np.bincount(codes, weights, minlength=int(np.prod(self._shape)))
        return counts.reshape(self._shape)


def class_planes(logits: Tensor) -> Tensor:
    """Return logits (C, H, W) class by class in memory, which all that counts them needs."""
    if logits.is_cuda or logits.is_contiguous():
        return logits.contiguous()
    channels, height, width = logits.shape
    pixels = np.ascontiguousarray(logits.permute(1, 2, 0).numpy()).reshape(-1, channels)
    # A fifth of the time that contiguous() takes for a batch.
    return torch.from_numpy(cv2.transpose(pixels)).reshape(channels, height, width)


def pixel_losses(logits: Tensor, truth: Tensor, class_weights: Tensor | None) -> Tensor:
    """Return the loss (H, W) of each pixel whose sum `partial_cross_entropy` divides; 0: unknown.

    logits are (C, H, W), truth (H, W), int64, may hold IGNORE_INDEX, class_weights are (C,).
    """
    (losses,) = F.cross_entropy(
        logits[None], truth[None], class_weights, ignore_index=IGNORE_INDEX, reduction="none"
    )
    return losses
