"""Strokes: paths along borders and through regions, and the brush that follows them."""

import cv2
import numpy as np
from numpy.typing import NDArray

from partialseg.labelling.patterns.canvas import Canvas, Draws, FreePixels

TRIES = 3  # places drawn for the start of a path along a border
CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)
SQUARE = np.ones((3, 3), np.uint8)
PAIR = np.ones((2, 2), np.uint8)
DRY = np.iinfo(np.uint16).max  # the arrival of pixels that the brush does not reach
CANDIDATES = 12  # arcs drawn to go on with, of which the one that leads furthest is taken
LOOK_BACK = 6  # pixels over which the direction of a stroke is read


class Border:
    """The lines along all borders of a class of a canvas, `inset` px inside its regions.

    A region that is nowhere so deep has none. lines (N,) has flat places, one line after
    the other, whose pixels touch by sides or corners; ends (N,) the place after the last pixel of
    each one's line.
    """

    def __init__(self, canvas: Canvas, class_id: int, inset: int) -> None:
        self.canvas = canvas
        self.inset = inset
        self.lines, self.ends = _lines(canvas, class_id, inset)
        self._free = FreePixels(self.lines, canvas.visible.reshape(-1))

    def path(self, draws: Draws, longest: int) -> NDArray[np.intp] | None:
        """Return a piece of a line that ends at labelled pixels; None if no start is found."""
        for _ in range(TRIES):
            place = self._free.draw(draws)
            if place is None:
                return None
            if not self.canvas.labelled_near(place, self.inset):
                start = int(np.argmax(self.lines == place))
                path = self.lines[start : min(start + longest, self.ends.item(start))]
                labelled = self.canvas.visible.ravel()[path]
                return path[: int(np.argmax(labelled))] if labelled.any() else path
        return None


def _lines(canvas: Canvas, class_id: int, inset: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the places (N,) and ends (N,) of the lines: contours of the deeper pixels."""
    deep = (canvas.truth == class_id) & (canvas.depth >= inset)
    contours, _ = cv2.findContours(deep.view(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    if not contours:
        return np.zeros(0, np.intp), np.zeros(0, np.intp)
    points = np.concatenate(contours)[:, 0].astype(np.intp)  # x, y
    places = points[:, 1] * deep.shape[1] + points[:, 0]
    # Elsewhere a contour runs along the outer edge of the patch.
    near = canvas.depth.ravel()[places] < inset + 2
    last = np.zeros(places.size, np.bool_)
    last[np.cumsum([len(contour) for contour in contours]) - 1] = True
    last[:-1] |= ~near[1:]
    stops = np.flatnonzero(last[near]) + 1
    return places[near], stops[np.searchsorted(stops, np.arange(np.sum(near)), side="right")]


def brushed(path: NDArray[np.intp], truth: NDArray[np.uint8], thickness: int) -> NDArray[np.intp]:
    """Return the pixels that a brush of `thickness` px labels, in the order it reaches them.

    path has flat places (N,) of one class in truth (H, W), each beside an earlier one. The same
    holds of the pixels, so that the first ones, however many, are connected by sides or corners:
    paint spreads from the path by one pixel per step, to pixels of the class alone.
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


def random_curve(
    start: int, allowed: NDArray[np.bool_], draws: Draws, reach: int, longest: int
) -> NDArray[np.intp]:
    """Return the pixels of a curve from `start`, as flat places (N,), neighbours touching.

    It is made of arcs (quadratic Bezier curves) of up to `reach` px along each axis, each going on
    in the direction of the one before, and ends after `longest` px or where no arc leads on.
    allowed (H, W) has the pixels that it may cross.
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
