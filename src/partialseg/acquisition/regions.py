"""Square windows on a grid from the upper left of a patch; those at the border may be smaller."""

import numpy as np
from numpy.typing import NDArray


def grid_shape(height: int, width: int, side: int) -> tuple[int, int]:
    """Return the rows and columns of windows of `side` px."""
    return -(-height // side), -(-width // side)


def region_sums(values: NDArray[np.generic], side: int) -> NDArray[np.float64]:
    """Return the sum of values (H, W) in each window (rows, columns)."""
    height, width = values.shape
    of_rows = np.add.reduceat(values, np.arange(0, height, side), axis=0, dtype=np.float64)
    sums: NDArray[np.float64] = np.add.reduceat(of_rows, np.arange(0, width, side), axis=1)
    return sums


def region_means(
    scores: NDArray[np.floating], counted: NDArray[np.bool_], side: int
) -> NDArray[np.float64]:
    """Return the mean score (H, W) of each window's counted pixels (H, W); 0 without any."""
    pixels = region_sums(counted, side)
    return region_sums(np.where(counted, scores, 0), side) / np.maximum(pixels, 1)


def region_mask(chosen: NDArray[np.bool_], side: int, height: int, width: int) -> NDArray[np.bool_]:
    """Return the pixels (height, width) of the chosen windows (rows, columns)."""
    mask: NDArray[np.bool_] = chosen.repeat(side, axis=0).repeat(side, axis=1)[:height, :width]
    return mask


def region_features(
    features: NDArray[np.float32], stride: int, side: int, height: int, width: int
) -> NDArray[np.float32]:
    """Return the mean feature vector (rows * columns, D) of each window of a patch.

    features (D, h, w) are cells of stride px from the upper left, which may reach over the lower
    and right border; each counts by its pixels in the window.
    """
    down = _overlaps(height, stride, side, features.shape[1])
    across = _overlaps(width, stride, side, features.shape[2])
    pooled = np.einsum("dij,ri,cj->rcd", features, down, across, optimize=True)
    return pooled.reshape(-1, len(features)).astype(np.float32)


def _overlaps(length: int, stride: int, side: int, cells: int) -> NDArray[np.float64]:
    """Return the share of each window's pixels (windows, cells) that lies in each cell."""
    starts = np.arange(0, length, side)[:, None]
    ends = np.minimum(starts + side, length)
    cell_starts = np.arange(cells) * stride
    shared = np.minimum(ends, cell_starts + stride) - np.maximum(starts, cell_starts)
    return np.maximum(shared, 0) / (ends - starts)
