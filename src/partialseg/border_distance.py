"""Accuracy as a function of the distance from the borders between the true classes."""

from itertools import pairwise
from typing import Any

import cv2
import numpy as np

from partialseg.boundary import contours
from partialseg.mosaic import Block
from partialseg.truth import NO_TRUTH

LIMITS_PX = (0, 1, 2, 4, 8, 16, 32)


class BorderDistance:
    """Counts, over blocks, the known pixels and those predicted right by distance from a border.

    A contour pixel (a 4-neighbour is known and of another class) has the distance 1, every other
    one 1 more than the exact Euclidean distance in px to the nearest contour pixel. A range
    leaves its lower limit out, and the last one has no upper limit; there are the pixels of a
    block without any border, too.
    """

    def __init__(self) -> None:
        # Of all pixels (0) and those predicted right (1).
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
        for counts, pixels in zip(self._counts, (known, right), strict=True):
            # One limit at a time: seven masks of a large block are a lot of memory.
            up_to = [np.count_nonzero(pixels & (far <= limit - 1)) for limit in LIMITS_PX]
            counts += np.diff([*up_to, np.count_nonzero(pixels)])

    def summary(self) -> list[dict[str, Any]]:
        """Return the pixels and the accuracy of each range, as the details have them."""
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
