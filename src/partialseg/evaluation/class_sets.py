"""Sets of classes at each pixel, as bits: eight classes are dilated at a time."""

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

CLASSES_A_SET = 8  # bits of a byte

Sets = NDArray[np.uint8]


def class_sets(ids: NDArray[np.uint8], first: int) -> Sets:
    """Return the set (H, W) of each pixel: bit k where its class id (H, W) is first + k."""
    table = np.zeros(256, np.uint8)
    chosen = table[first : first + CLASSES_A_SET]
    chosen[:] = 1 << np.arange(len(chosen))
    return table[ids]


def dilations(sets: Sets, squares: Iterable[int]) -> dict[int, Sets]:
    """Return the unions of the sets (H, W) within some radii of each pixel, in px (Euclidean).

    They are given, and returned, by the squares of the radii. The time grows with the radii, since
    a disk is a stack of rows; that of cv2.dilate, which takes one class, grows with their squares.
    """
    squares = sorted(set(squares))
    height, width = sets.shape
    reach = math.isqrt(squares[-1])
    stride = width + reach  # rows in one line, apart by as many empty sets as they are shifted
    line = np.pad(sets, ((0, 0), (0, reach))).ravel()
    united = {square: np.zeros_like(line) for square in squares}
    row = line.copy()  # the unions of 2 * half + 1 sets of a row
    for half in range(reach + 1):
        _unite_shifted(row, line, half)
        for square in squares:
            for offset in range(math.isqrt(square) + 1):  # of a row from the centre of the disk
                if math.isqrt(square - offset**2) == half:
                    _unite_shifted(united[square], row, offset * stride)
    return {key: union.reshape(height, stride)[:, :width] for key, union in united.items()}


def count_classes(ids: NDArray[np.uint8], classes: int) -> NDArray[np.int64]:
    """Return how many of the ids (H, W) each class has; others are not counted."""
    # For few classes this takes a fifth of the time of np.bincount(), which converts all ids.
    return np.array([np.count_nonzero(ids == index) for index in range(classes)], np.int64)


def count_sets(sets: Sets, classes: int) -> NDArray[np.int64]:
    """Return how many of the sets (H, W) have each of their classes."""
    return np.array([np.count_nonzero(sets & (1 << bit)) for bit in range(classes)], np.int64)


def _unite_shifted(target: Sets, source: Sets, shift: int) -> None:
    """Add the sets of source to those of target (both N,), in place, shifted both ways."""
    kept = max(len(source) - shift, 0)
    target[shift:] |= source[:kept]
    if shift:
        target[:kept] |= source[shift:]
