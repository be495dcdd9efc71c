"""Recall of the single objects of a class, by their area."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from partialseg.core.classes import NO_TRUTH
from partialseg.evaluation.mosaic import Block

OVERLAP = 0.5  # share of an object's pixels that have to be predicted as its class
AROUND = np.ones((3, 3), np.uint8)  # a pixel and its 8-neighbours


class ObjectRecall:
    """Counts, over blocks, the objects of one class in the truth, and those that are found.

    An object is a group of pixels that share sides or corners. It is found when at least OVERLAP
    of its pixels are predicted as its class. An object that touches the edge of the block or an
    unknown pixel is counted as cut and otherwise left out, since its area is unknown. limits divide
    the areas, in m2 or px, into ranges that include their lower limit.
    """

    def __init__(self, class_id: int, limits: Sequence[float], unit: Literal["m2", "px"]) -> None:
        self.class_id = class_id
        self.limits = tuple(limits)
        self.unit = unit
        self._objects = np.zeros(len(self.limits) + 1, np.int64)
        self._found = np.zeros_like(self._objects)
        self._cut = 0

    def update(self, block: Block) -> None:
        """Add a block; one without gsd only where areas are in px."""
        mask = block.truth == self.class_id
        if not mask.any():
            return
        count, labels = cv2.connectedComponents(mask.view(np.uint8), connectivity=8)
        # Of the pixels of the objects alone, since most pixels are of none.
        places = np.flatnonzero(mask)
        label_of = labels.ravel()[places]
        predicted = block.prediction.ravel()[places] == self.class_id
        pixels = np.bincount(label_of, minlength=count)[1:]
        hit = np.bincount(label_of[predicted], minlength=count)[1:]
        whole = np.ones(count, bool)
        whole[label_of[_beside_unknown(block.truth).ravel()[places]]] = False
        whole = whole[1:]  # label 0 is the background
        place = np.searchsorted(self.limits, pixels * self._pixel_area(block), side="right")
        found = whole & (hit >= OVERLAP * pixels)
        for counts, chosen in ((self._objects, whole), (self._found, found)):
            counts += np.bincount(place[chosen], minlength=len(counts))
        self._cut += int(np.count_nonzero(~whole))

    def summary(self, class_name: str) -> dict[str, Any]:
        """Return the objects and their recall by area, in the form of the details."""
        ranges = pairwise([0.0, *self.limits, None])
        counts = zip(ranges, self._objects.tolist(), self._found.tolist(), strict=True)
        return {
            "class": class_name,
            "overlap": OVERLAP,
            "unit": self.unit,
            "cut": self._cut,
            "areas": [
                {
                    "from": low,
                    "to": high,
                    "objects": objects,
                    "found": found,
                    "recall": found / objects if objects else None,
                }
                for (low, high), objects, found in counts
            ],
        }

    def _pixel_area(self, block: Block) -> float:
        if self.unit == "px":
            return 1.0
        assert block.gsd is not None
        return block.gsd**2


def _beside_unknown(truth: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return the pixels (H, W) that touch an unknown one, or the edge."""
    unknown = np.pad(truth == NO_TRUTH, 1, constant_values=True)
    return cv2.dilate(unknown.view(np.uint8), AROUND)[1:-1, 1:-1].astype(bool)
