"""Accuracy and areas of a map from a stratified sample of reference points.

Source: Olofsson et al. 2014, Remote Sensing of Environment 148, 42-57, equations 4 to 11. The
strata are the classes of the map: within each, every pixel is equally likely to be drawn.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Z_95 = 1.959964  # standard errors in half of a 95 % interval
LEAST_POINTS = 2  # of a class that is mapped: one has no variance


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A value and the half-width of its 95 % interval."""

    value: float
    half_width: float


@dataclass(frozen=True, kw_only=True)
class ClassAccuracy:
    """What the sample says of a class.

    users is None for a class that the map does not have, producers for one that no point has.
    mapped is its share of the map, share the estimated one, corrected for the errors of the map.
    """

    users: Estimate | None
    producers: Estimate | None
    mapped: float
    share: Estimate


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """The accuracy of a whole map, and that of its classes in their order."""

    overall: Estimate
    classes: tuple[ClassAccuracy, ...]


def estimate(counts: NDArray[np.int64], mapped: NDArray[np.float64]) -> Accuracy:
    """Return the stratified estimates of accuracy and shares.

    Args:
        counts: points (K, K) by mapped class (row) and reference class (column); each class of the
            map has some (check_enough).
        mapped: share (K,) of each class of the map, in all 1.
    """
    points = counts.sum(axis=1)
    rows = np.divide(counts, points[:, None], where=points[:, None] > 0, out=np.zeros(counts.shape))
    # Variance of a share of the points of a class, for each reference class.
    freedom = np.maximum(points - 1, 1)[:, None]
    variances = rows * (1 - rows) / freedom
    shares = mapped[:, None] * rows  # of the whole map, by mapped and reference class
    columns = shares.sum(axis=0)
    spread = (mapped[:, None] ** 2 * variances).sum(axis=0)
    right, of_right = rows.diagonal(), variances.diagonal()
    return Accuracy(
        overall=_estimate(shares.trace(), (mapped**2 * of_right).sum()),
        classes=tuple(
            ClassAccuracy(
                users=_estimate(right[k], of_right[k]) if points[k] else None,
                producers=_producers(k, mapped, variances, shares) if columns[k] > 0 else None,
                mapped=float(mapped[k]),
                share=_estimate(columns[k], spread[k]),
            )
            for k in range(len(counts))
        ),
    )


def check_enough(points: Sequence[int], pixels: Sequence[int], names: Sequence[str]) -> None:
    """Check that each class of a map has reference points from which a variance follows.

    Raises:
        ValueError: one has too few; a class of fewer pixels needs no more points than it has.
    """
    for name, number, of_class in zip(names, points, pixels, strict=True):
        needed = min(LEAST_POINTS, of_class)
        if number < needed:
            raise ValueError(
                f"class {name}: has {of_class} pixels on the map and {number} reference points; "
                f"at least {needed} are needed"
            )


def _producers(
    k: int,
    mapped: NDArray[np.float64],
    variances: NDArray[np.float64],
    shares: NDArray[np.float64],
) -> Estimate:
    column = shares[:, k].sum()
    value = shares[k, k] / column
    of_classes = mapped**2 * variances[:, k]
    others = of_classes.sum() - of_classes[k]
    variance = ((1 - value) ** 2 * of_classes[k] + value**2 * others) / column**2
    return _estimate(value, variance)


def _estimate(value: float, variance: float) -> Estimate:
    return Estimate(value=float(value), half_width=float(Z_95 * variance**0.5))
