"""A patch that is drawn on."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

AROUND = np.ones((3, 3), np.uint8)
FAR = 1e4  # more than any patch has


@dataclass(frozen=True, kw_only=True, eq=False)
class Canvas:
    """A patch (H, W) that is drawn on: its class ids, and which pixels are labelled so far.

    depth is that of each pixel in its region.
    """

    truth: NDArray[np.uint8]
    depth: NDArray[np.float32]
    visible: NDArray[np.bool_]

    def labelled_near(self, place: int, distance: int) -> bool:
        """Whether a pixel is labelled in the square of so many pixels around a flat place."""
        row, column = divmod(place, self.truth.shape[1])
        rows = slice(max(row - distance, 0), row + distance + 1)
        return bool(self.visible[rows, max(column - distance, 0) : column + distance + 1].any())


def new_canvas(truth: NDArray[np.uint8]) -> Canvas:
    """Return a patch of these class ids (H, W) without a labelled pixel."""
    return Canvas(truth=truth, depth=_depth(truth), visible=np.zeros(truth.shape, np.bool_))


def _depth(truth: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return how deep each pixel lies in its region, in pixels: 1 at a border.

    The outer edge of the patch is no border: nobody knows that a region ends there.
    """
    inner = cv2.dilate(truth, AROUND) == cv2.erode(truth, AROUND)
    if inner.all():
        return np.full(truth.shape, FAR, np.float32)
    distance = cv2.distanceTransform(inner.view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return distance + np.float32(1)
