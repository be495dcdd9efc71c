"""Scores of the borders between classes: Boundary IoU, boundary F1, accuracy by distance."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from partialseg.core.classes import NO_TRUTH
from partialseg.evaluation.class_sets import (
    CLASSES_A_SET,
    class_sets,
    count_classes,
    count_sets,
    dilations,
)
from partialseg.evaluation.mosaic import Block

# Pixels: gsd has six decimals, so a tolerance of 2 px may come out as 1.99999.
SLACK = 1e-3
SIDES = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)  # a pixel and its 4-neighbours
LIMITS_PX = (0, 1, 2, 4, 8, 16, 32)  # of the ranges of distance from a border

Mask = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Tolerance:
    """How far a predicted contour may be from the true one and still match it."""

    value: float
    unit: Literal["px", "m"]

    def pixels(self, gsd: float | None) -> float:
        """Return it in pixels of gsd metres."""
        if self.unit == "px":
            return self.value
        assert gsd is not None
        return self.value / gsd


def other_class_near(ids: NDArray[np.uint8], kernel: NDArray[np.uint8]) -> Mask:
    """Return which known pixels (H, W) have a known pixel of another class under the kernel.

    Unknown pixels and the area beyond the edge do not count as another class.
    """
    # The largest uint8 is NO_TRUTH. It never is the lowest id; plus 1 it is 0, never the highest.
    highest = cv2.dilate(ids + np.uint8(1), kernel)
    lowest = cv2.erode(ids, kernel) + np.uint8(1)
    return (highest != lowest) & (ids != NO_TRUTH)


def contours(ids: NDArray[np.uint8]) -> Mask:
    """Return the contour pixels (H, W): those with a known 4-neighbour of another class."""
    return other_class_near(ids, SIDES)


def only(ids: NDArray[np.uint8], mask: Mask) -> NDArray[np.uint8]:
    """Return the ids (H, W) where mask (H, W) is true, and NO_TRUTH elsewhere."""
    return ids | (mask.view(np.uint8) - np.uint8(1))  # NO_TRUTH has all bits


def boundary_distance(ratio: float, size: int) -> int:
    """Return the width of the boundary region in px: a share of the diagonal of a patch."""
    return max(1, round(ratio * size * 2**0.5))


class BoundaryScores:
    """Counts, over blocks, how well the borders of each class agree in truth and prediction.

    Boundary IoU: the IoU of the pixels within `distance` px (Chebyshev) of the contour of their
    class (Cheng et al. 2021, arXiv:2103.16562). Unlike there, the outer edge of a block and
    unknown pixels are no contour, since the class may not end there.

    Boundary F1: precision is the share of the predicted contour pixels within a tolerance
    (Euclidean) of a true one of the class, recall the reverse (Csurka et al. 2013, BMVC, "What is
    a good evaluation measure for semantic segmentation?").
    """

    def __init__(self, num_classes: int, distance: int, tolerances: Sequence[Tolerance]) -> None:
        self.num_classes = num_classes
        self.distance = distance
        self.tolerances = tuple(tolerances)
        self._shared = np.zeros(num_classes, np.int64)
        self._either = np.zeros(num_classes, np.int64)
        # Contour pixels of the truth (0) and the prediction (1): all, and those that match.
        self._contour = np.zeros((2, num_classes), np.int64)
        self._met = np.zeros((len(self.tolerances), 2, num_classes), np.int64)

    def update(self, block: Block) -> None:
        """Add a block; one without gsd only where no tolerance is in metres."""
        self._add_regions(block)
        maps = [only(ids, contours(ids)) for ids in (block.truth, block.prediction)]
        contour = [count_classes(ids, self.num_classes) for ids in maps]
        self._contour += contour
        in_both = np.all(contour, axis=0)
        disks = [int((item.pixels(block.gsd) + SLACK) ** 2) for item in self.tolerances]
        for first in range(0, self.num_classes, CLASSES_A_SET):
            last = min(first + CLASSES_A_SET, self.num_classes)
            if not (disks and in_both[first:last].any()):  # nothing can match
                continue
            truth, predicted = (class_sets(ids, first) for ids in maps)
            near_truth, near_predicted = dilations(truth, disks), dilations(predicted, disks)
            counts = {  # 3 px and 1 m may be the same disk
                disk: [
                    count_sets(truth & near_predicted[disk], last - first),
                    count_sets(predicted & near_truth[disk], last - first),
                ]
                for disk in near_truth
            }
            for met, disk in zip(self._met, disks, strict=True):
                met[:, first:last] += counts[disk]

    def summary(self, class_names: Sequence[str]) -> dict[str, Any]:
        """Return the scores in the form of the details; classes without any border are left out."""
        with np.errstate(invalid="ignore"):
            iou = self._shared / self._either
        return {
            "iou": {"distance_px": self.distance, **_named(iou, class_names)},
            "f1": [
                {
                    "tolerance": tolerance.value,
                    "unit": tolerance.unit,
                    **_named(self._f1(met), class_names),
                }
                for tolerance, met in zip(self.tolerances, self._met, strict=True)
            ],
        }

    def _add_regions(self, block: Block) -> None:
        side = 2 * self.distance + 1
        square = np.ones((side, side), np.uint8)  # equals `distance` erosions by 3 x 3
        of_truth = other_class_near(block.truth, square)
        of_prediction = other_class_near(block.prediction, square)
        both = of_truth & of_prediction & (block.truth == block.prediction)
        maps = (block.truth, both), (block.truth, of_truth), (block.prediction, of_prediction)
        shared, truth, prediction = (
            count_classes(only(ids, mask), self.num_classes) for ids, mask in maps
        )
        self._shared += shared
        self._either += truth + prediction - shared

    def _f1(self, met: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return F1 (C,) from the contour pixels that match (2, C); NaN without a contour."""
        recall, precision = met / np.maximum(self._contour, 1)
        f1 = 2 * precision * recall / np.maximum(precision + recall, np.finfo(float).tiny)
        return np.where(self._contour.any(axis=0), f1, np.nan)


def _named(scores: NDArray[np.float64], class_names: Sequence[str]) -> dict[str, Any]:
    classes = {
        name: float(score)
        for name, score in zip(class_names, scores, strict=True)
        if not np.isnan(score)
    }
    mean = sum(classes.values()) / len(classes) if classes else None
    return {"mean": mean, "classes": classes}


class BorderDistance:
    """Counts, over blocks, known and correctly predicted pixels by distance from a border.

    A contour pixel (a known 4-neighbour is of another class) has distance 1, every other pixel 1
    more than its exact Euclidean distance in px from the nearest contour pixel. A range excludes
    its lower limit. The last range has no upper limit and includes the pixels of blocks without
    any border.
    """

    def __init__(self) -> None:
        # All known pixels (0) and those predicted correctly (1).
        self._counts = np.zeros((2, len(LIMITS_PX)), np.int64)

    def update(self, block: Block) -> None:
        """Add a block."""
        known = block.truth != NO_TRUTH
        right = known & (block.truth == block.prediction)
        edges = contours(block.truth)
        if edges.any():
            far = cv2.distanceTransform((~edges).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        else:  # distanceTransform would return some large number
            far = np.full(edges.shape, np.inf, np.float32)
        # One limit at a time: seven masks of a large block would take much memory.
        near = (far <= limit - 1 for limit in LIMITS_PX)
        up_to = [(np.count_nonzero(known & mask), np.count_nonzero(right & mask)) for mask in near]
        self._counts += np.diff(
            [*up_to, (np.count_nonzero(known), np.count_nonzero(right))], axis=0
        ).T

    def summary(self) -> list[dict[str, Any]]:
        """Return the pixels and the accuracy of each range, in the form of the details."""
        ranges = pairwise([*LIMITS_PX, None])
        return [
            {
                "from_px": low,
                "to_px": high,
                "pixels": pixels,
                "accuracy": right / pixels if pixels else None,
            }
            for (low, high), pixels, right in zip(ranges, *self._counts.tolist(), strict=True)
        ]
