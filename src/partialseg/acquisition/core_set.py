"""Core-set selection: the samples that leave no other far from a labelled one."""

from collections.abc import Iterator
from itertools import islice

import numpy as np
from numpy.typing import NDArray


def k_centre(
    features: NDArray[np.float32], labelled: NDArray[np.bool_], count: int
) -> NDArray[np.int64]:
    """Return the indices of the first `count` centres, in the order of k_centres.

    Raises:
        ValueError: fewer than `count` samples are not labelled.
    """
    available = int((~labelled).sum())
    if count > available:
        raise ValueError(f"core set: {count} samples wanted, only {available} are not labelled")
    return np.fromiter(islice(k_centres(features, labelled), count), np.int64, count)


def k_centres(features: NDArray[np.float32], labelled: NDArray[np.bool_]) -> Iterator[int]:
    """Yield the samples of features (M, D) that are not labelled (M,), by greedy k-centre.

    The next is always the one farthest (Euclidean) from its nearest labelled or already chosen
    sample, the first of equals; without any of these, the one nearest the mean. Keeps M distances,
    and takes M x D steps a centre. Source: Sener & Savarese 2018, arXiv:1708.00489, algorithm 1.
    """
    squares = np.einsum("md,md->m", features, features)

    def distances(point: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the squared distances (M,) to a point (D,): without a matrix of differences."""
        return np.maximum(squares - 2 * (features @ point) + point @ point, 0)

    nearest = np.full(len(features), np.inf, np.float32)  # squared distances to the nearest centre
    for centre in np.flatnonzero(labelled):
        np.minimum(nearest, distances(features[centre]), out=nearest)
    free = ~labelled
    for _ in range(int(free.sum())):
        if free.all():
            chosen = int(distances(features.mean(axis=0)).argmin())
        else:
            chosen = int(np.where(free, nearest, -1).argmax())
        yield chosen
        free[chosen] = False
        np.minimum(nearest, distances(features[chosen]), out=nearest)
