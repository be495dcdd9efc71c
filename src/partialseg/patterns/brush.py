"""A brush that follows a path and never leaves the class it is on."""

import cv2
import numpy as np
from numpy.typing import NDArray

CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)
SQUARE = np.ones((3, 3), np.uint8)
PAIR = np.ones((2, 2), np.uint8)
DRY = np.iinfo(np.uint16).max  # the brush never comes here


def brushed(path: NDArray[np.intp], truth: NDArray[np.uint8], thickness: int) -> NDArray[np.intp]:
    """Return the pixels that a brush of `thickness` px labels, in the order it comes to them.

    path has flat places (N,) of one class in truth (H, W), each beside one before it. So are the
    pixels, of which any first ones hold together, by sides or corners: paint spreads from the
    path by a pixel a step, to pixels of the class alone.
    """
    rows, columns = np.divmod(path, truth.shape[1])
    top, left = (max(int(axis.min()) - thickness, 0) for axis in (rows, columns))
    ids = truth[top : int(rows.max()) + thickness + 1, left : int(columns.max()) + thickness + 1]
    outside = ids != truth.ravel()[path[0]]
    arrival = np.full(ids.shape, DRY, np.uint16)
    # Backwards, so that the first of several visits stays.
    arrival[rows[::-1] - top, columns[::-1] - left] = np.arange(path.size, dtype=np.uint16)[::-1]
    steps = np.zeros(ids.shape, np.int64)
    for step, kernel in enumerate(_kernels(thickness), start=1):
        spread = cv2.erode(arrival, kernel).astype(np.uint16, copy=False)
        spread[outside] = DRY
        steps[spread < arrival] = step
        arrival = spread
    wet = np.flatnonzero(arrival < DRY)
    # In 64 bits: of a thick brush on a long path, the product is more than 16 bits hold.
    came = arrival.ravel()[wet].astype(np.int64)
    order = np.argsort(came * (thickness + 1) + steps.ravel()[wet], kind="stable")
    wet_rows, wet_columns = np.divmod(wet[order], ids.shape[1])
    return (wet_rows + top) * truth.shape[1] + wet_columns + left


def _kernels(thickness: int) -> list[NDArray[np.uint8]]:
    """Return the steps by which a pixel becomes a nearly round spot of `thickness` px."""
    rings = [SQUARE if ring % 2 else CROSS for ring in range((thickness - 1) // 2)]
    return rings if thickness % 2 else [*rings, PAIR]
