"""Acquisition by windows: all unlabelled pixels of a window are labelled together."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from partialseg.acquisition.core_set import k_centres
from partialseg.acquisition.pool import Pool, window_keys
from partialseg.models.blocks import STRIDE

Mask = NDArray[np.bool_]


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


@dataclass(frozen=True, kw_only=True)
class Windows:
    """The M windows of all training patches, in their order, of `side` px (smaller at borders).

    unlabelled (M,) counts the unlabelled pixels of each, its cost; keys (M,) are random, seeded.
    """

    side: int
    unlabelled: NDArray[np.int64]
    keys: NDArray[np.uint64]

    def with_unlabelled(self, order: Iterable[int]) -> Iterator[int]:
        """Yield the windows of an order that hold an unlabelled pixel."""
        return (window for window in order if self.unlabelled[window])


def find_windows(pool: Pool, side: int) -> Windows:
    """Return the windows of a pool."""
    costs = [region_sums(pool.unlabelled(place), side) for place in range(len(pool.patches))]
    keys = [
        window_keys(pool.seed, patch.name, of_patch.size)
        for patch, of_patch in zip(pool.patches, costs, strict=True)
    ]
    return Windows(
        side=side,
        unlabelled=np.stack(costs).astype(np.int64).ravel(),
        keys=np.concatenate(keys),
    )


def random_order(windows: Windows) -> Iterator[int]:
    """Yield the windows with unlabelled pixels in the order of their keys."""
    return windows.with_unlabelled(windows.keys.argsort(kind="stable").tolist())


def uncertain_order(
    pool: Pool, windows: Windows, scores: Iterable[NDArray[np.floating]]
) -> Iterator[int]:
    """Yield the windows with unlabelled pixels, the highest mean score (H, W) of these first."""
    means = [
        region_means(score, pool.unlabelled(place), windows.side).ravel()
        for place, score in enumerate(scores)
    ]
    order = np.lexsort((windows.keys, -np.concatenate(means)))
    return windows.with_unlabelled(order.tolist())


def balanced_order(
    pool: Pool, windows: Windows, probabilities: Iterable[NDArray[np.float32]]
) -> Iterator[int]:
    """Yield the windows with unlabelled pixels, so that the predicted classes get equal shares.

    The class of a window is the one predicted for most of its unlabelled pixels. The next window
    is always of the class that has got the fewest pixels so far; among equals, of the class with
    the fewest labelled pixels.
    """
    of_class = [
        _majority(of_patch.argmax(axis=0), pool.unlabelled(place), windows.side, len(of_patch))
        for place, of_patch in enumerate(probabilities)
    ]
    return take_turns(windows, np.concatenate(of_class), pool.rarest_first())


def take_turns(
    windows: Windows, of_class: NDArray[np.int64], rarest_first: Sequence[int]
) -> Iterator[int]:
    """Yield the windows, each of a class (M,), so that the classes get equally many pixels."""
    drawn = list(random_order(windows))
    queues = {
        index: iter([window for window in drawn if of_class[window] == index])
        for index in rarest_first
    }
    pixels = dict.fromkeys(rarest_first, 0)
    while queues:
        index = min(queues, key=pixels.__getitem__)  # the first, so the rarest, of equals
        window = next(queues[index], None)
        if window is None:
            del queues[index]
        else:
            yield window
            pixels[index] += int(windows.unlabelled[window])


def core_set_order(
    pool: Pool, windows: Windows, features: Iterable[NDArray[np.float32]]
) -> Iterator[int]:
    """Yield the windows with unlabelled pixels by greedy k-centre on their mean features.

    features (D, h, w) are those of each patch. Windows without an unlabelled pixel are the centres
    to begin with. Holds M x D numbers.
    """
    size = pool.side, pool.side
    pooled = np.concatenate(
        [region_features(of_patch, STRIDE, windows.side, *size) for of_patch in features]
    )
    drawn = windows.keys.argsort(kind="stable")  # so that the keys decide among equal windows
    done = windows.unlabelled[drawn] == 0
    return (int(drawn[index]) for index in k_centres(pooled[drawn], done))


def take_fitting(windows: Windows, order: Iterable[int], budget: int) -> list[int]:
    """Return the windows of an order as long as they fit into a budget of pixels.

    Raises:
        ValueError: not even the first fits.
    """
    taken: list[int] = []
    left = budget
    for window in order:
        cost = int(windows.unlabelled[window])
        if cost > left:
            break
        taken.append(window)
        left -= cost
    if not taken:
        raise ValueError(
            f"acquire: no window fits into {budget} new pixels, the first of region "
            f"{windows.side} px has {cost}; take a larger fraction or a smaller region"
        )
    return taken


def window_pixels(pool: Pool, windows: Windows, taken: Sequence[int]) -> Iterator[Mask]:
    """Yield the new pixels (H, W) of each patch: the unlabelled ones of the taken windows."""
    chosen = np.zeros(len(windows.unlabelled), np.bool_)
    chosen[taken] = True
    shape = grid_shape(pool.side, pool.side, windows.side)
    of_patch = chosen.reshape(len(pool.patches), *shape)
    for place, of_place in enumerate(of_patch):
        mask = region_mask(of_place, windows.side, pool.side, pool.side)
        yield pool.unlabelled(place) & mask


def _majority(
    predicted: NDArray[np.intp], counted: Mask, side: int, classes: int
) -> NDArray[np.int64]:
    """Return the class (windows,) predicted for most counted pixels of each window."""
    pixels = [region_sums(counted & (predicted == index), side) for index in range(classes)]
    return np.stack(pixels).argmax(axis=0).ravel()
