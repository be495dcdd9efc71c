"""Smooth random curves that stay inside a region."""

import numpy as np
from numpy.typing import NDArray

from partialseg.patterns.draws import Draws

CANDIDATES = 12  # ways to go on, of which the one with the most room is taken
LOOK_BACK = 6  # pixels over which the direction of a stroke is read


def random_curve(
    start: int, allowed: NDArray[np.bool_], draws: Draws, reach: int, longest: int
) -> NDArray[np.intp]:
    """Return the pixels of a curve from `start`, as flat places (N,), neighbours touching.

    It is made of arcs (quadratic Bezier curves) of up to `reach` px along each axis, each going on
    in the direction of the one before, and ends at `longest` px or where no way leads on. allowed
    (H, W) has the pixels that it may cross.
    """
    width = allowed.shape[1]
    points = np.array([divmod(start, width)])  # (N, 2) row, column
    while len(points) < longest:
        arc = _roomiest_arc(points, allowed, draws, reach)
        if len(arc) < 2:
            break
        points = np.concatenate([points, arc[1:]])
    return points[:longest] @ np.array([width, 1])


def _roomiest_arc(
    points: NDArray[np.int64], allowed: NDArray[np.bool_], draws: Draws, reach: int
) -> NDArray[np.int64]:
    """Return the pixels (N, 2) of the longest of some random arcs, from the last point on."""
    half = max(reach // 2, 1)
    start = points[-1]
    heading = start - points[max(len(points) - LOOK_BACK, 0)]
    if heading.any():
        leads = np.broadcast_to(heading * half // np.abs(heading).max(), (CANDIDATES, 2))
    else:
        leads = _random_steps(draws, half)
    turns = _random_steps(draws, half)
    arcs = _arcs(start, start + leads, start + leads + turns, half)
    free = _inside(arcs, allowed)
    free &= (np.sum(leads * turns, axis=1) >= 0)[:, None]  # no arc turns by more than a right angle
    # moved: the sample is the first on its pixel.
    moved = (arcs[:, 1:] != arcs[:, :-1]).any(axis=2)
    open_way = np.logical_and.accumulate(free, axis=1)
    best = int(np.argmax((moved & open_way[:, 1:]).sum(axis=1)))
    kept = open_way[best] & np.append(True, moved[best])
    return arcs[best][kept]


def _random_steps(draws: Draws, longest: int) -> NDArray[np.int64]:
    """Return a step (K, 2) for each candidate, of up to `longest` px along each axis."""
    return draws.many_below(2 * longest + 1, 2 * CANDIDATES).reshape(-1, 2) - longest


def _arcs(
    start: NDArray[np.int64], bends: NDArray[np.int64], ends: NDArray[np.int64], half: int
) -> NDArray[np.int64]:
    """Return arcs (K, N, 2) in whole pixels, sampled so densely that neighbours touch.

    Bends (K, 2) are up to `half` px from the start (2,), ends (K, 2) from the bends.

    In whole numbers, so that no machine rounds otherwise: with t = i / n, the curve is
    (s (n - i)^2 + 2 b i (n - i) + e i^2) / n^2.
    """
    n = 2 * half  # a step is at most 2 max(|b - s|, |e - b|) / n <= 1 along each axis
    i = np.arange(n + 1)[:, None]
    sums = start * (n - i) ** 2 + 2 * bends[:, None] * (i * (n - i)) + ends[:, None] * i**2
    return (2 * sums + n**2) // (2 * n**2)


def _inside(arcs: NDArray[np.int64], allowed: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which samples (K, N) of arcs lie in the patch and on allowed pixels."""
    height, width = allowed.shape
    rows, columns = arcs[..., 0], arcs[..., 1]
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    places = np.where(inside, rows * width + columns, 0)
    return inside & allowed.ravel()[places]
