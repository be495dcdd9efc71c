"""Trace the regions of a class map as polygons: pixels of one class that share sides.

rasterio.features.shapes finds the same polygons in 2.5 times the time: it makes a Python object of
each corner.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components, depth_first_order

from partialseg.mapping.class_map import NODATA

Numbers = NDArray[np.intp]
RIGHT, LEFT = 1, 3  # of the sides of a pixel, clockwise from the upper one
# Where the sides start, as (x, y) from the upper left corner of the pixel.
STARTS = np.array([(0, 0), (1, 0), (1, 1), (0, 1)])


@dataclass(frozen=True, kw_only=True)
class Runs:
    """The straight parts (N,) of the outlines of regions, clockwise, by their first pixels.

    Pixels have numbers. first and last are those at both ends of a run, on this side. turns says
    that the outline turns right at the end. across is the pixel beyond the corner there, ahead on
    the left, if it is of the same class, else -1. left_pixels (M,), sorted, are all pixels along
    left sides, and left_runs (M,) the runs to which they belong.
    """

    first: Numbers
    last: Numbers
    side: Numbers
    turns: NDArray[np.bool_]
    across: Numbers
    left_pixels: Numbers
    left_runs: Numbers


@dataclass(frozen=True)
class Rings:
    """Closed outlines: the runs (N,) of one ring (R,) after the other, and where each starts."""

    runs: Numbers
    starts: Numbers

    @property
    def lengths(self) -> Numbers:
        """The number of runs in each ring."""
        return np.diff(self.starts, append=len(self.runs))

    def of_runs(self) -> Numbers:
        """Return the ring of each run."""
        rings = np.empty_like(self.runs)
        rings[self.runs] = np.repeat(np.arange(len(self.starts)), self.lengths)
        return rings

    def closed(self, chosen: Numbers) -> Numbers:
        """Return the runs of the chosen rings, one ring after the other, the first ones again."""
        lengths = self.lengths[chosen] + 1
        ends = np.cumsum(lengths)
        places = np.arange(ends[-1]) + np.repeat(self.starts[chosen] - ends + lengths, lengths)
        places[ends - 1] = self.starts[chosen]
        return self.runs[places]


def trace(ids: NDArray[np.uint8], top: int = 0) -> tuple[NDArray[np.uint8], NDArray[Any]]:
    """Return the classes (N,) and the polygons (N,) of the regions of a class map (H, W).

    x is the column and y the row, from the upper left corner, which has y = top. Pixels of NODATA
    belong to no region.
    """
    framed = np.pad(ids, 1, constant_values=NODATA)  # so that each pixel has neighbours
    runs = _runs(framed)
    if not len(runs.first):
        return np.empty(0, np.uint8), np.empty(0, object)
    rings = _rings(_following(runs))
    rows, columns = np.divmod(runs.first, framed.shape[1])
    corners = np.stack([columns - 1, rows - 1 + top], axis=1) + STARTS[runs.side]
    is_hole = _is_hole(rings, corners)
    shells = _shells(runs, rings, columns, is_hole)
    order = np.lexsort((is_hole, shells))  # a shell, and then its holes
    polygon_starts = np.flatnonzero(~is_hole[order])
    polygons = shapely.from_ragged_array(
        shapely.GeometryType.POLYGON,
        corners[rings.closed(order)].astype(np.float64),
        (np.append(0, np.cumsum(rings.lengths[order] + 1)), np.append(polygon_starts, len(order))),
    )
    inside = runs.first[rings.runs[rings.starts[order[polygon_starts]]]]
    return framed.ravel()[inside], np.asarray(polygons)


def _runs(framed: NDArray[np.uint8]) -> Runs:
    values, (height, width) = framed.ravel(), framed.shape
    above = np.flatnonzero(values[width:] != values[:-width])
    before = np.flatnonzero(values[1:] != values[:-1])
    by_column = np.argsort(before % width * height + before // width)
    sides = (  # with the steps to the next pixel along the outline, and to the one outside
        _side(values, above + width, 1, -width),
        _side(values, before[by_column], width, 1),
        _side(values, above, -1, width),
        _side(values, before[by_column] + 1, -width, -1),
    )
    first, last, turns, across = map(
        np.concatenate, zip(*(runs for runs, _, _ in sides), strict=True)
    )
    side = np.repeat(range(4), [len(runs[0]) for runs, _, _ in sides])
    order = np.argsort(4 * first + side)  # neighbours are near each other in memory
    _, left_pixels, left_runs = sides[LEFT]
    number = np.empty_like(order)
    number[order] = np.arange(len(order))
    by_row = np.argsort(left_pixels)
    return Runs(
        first=first[order],
        last=last[order],
        side=side[order],
        turns=turns[order],
        across=across[order],
        left_pixels=left_pixels[by_row],
        left_runs=number[left_runs[by_row] + len(order) - len(sides[LEFT][0][0])],
    )


def _side(
    values: NDArray[np.uint8], pixels: Numbers, along: int, outwards: int
) -> tuple[tuple[NDArray[Any], ...], Numbers, Numbers]:
    """Return the runs along one side of pixels, all pixels along them, and the run of each."""
    pixels = pixels[values[pixels] != NODATA]
    goes_on = pixels[1:] == pixels[:-1] + abs(along)
    goes_on &= values[pixels[1:]] == values[pixels[:-1]]
    begins = np.append(True, ~goes_on)[: len(pixels)]
    first, last = pixels[begins], pixels[np.append(~goes_on, True)[: len(pixels)]]
    if along < 0:
        first, last = last, first
    of_class = values[last]
    across = last + along + outwards
    across[values[across] != of_class] = -1
    return (first, last, values[last + along] != of_class, across), pixels, np.cumsum(begins) - 1


def _following(runs: Runs) -> NDArray[np.int32]:
    """Return the run that follows each."""
    places = 4 * runs.first + runs.side
    around = np.searchsorted(places, 4 * runs.last + (runs.side + 1) % 4)
    across = np.searchsorted(places, 4 * runs.across + (runs.side - 1) % 4)
    following = np.where(runs.turns, around, across).astype(np.int32)
    # An outline that passes a corner twice, around two pixels of one region, is two that touch.
    may_touch = np.flatnonzero(runs.turns & (runs.across >= 0))
    rings = connected_components(_graph(following))[1]
    touch = may_touch[rings[across[may_touch]] == rings[may_touch]]
    following[touch] = across[touch]
    return following


def _graph(following: NDArray[np.int32]) -> csr_array:
    numbers = np.arange(len(following) + 1, dtype=np.int32)
    size = len(following), len(following)
    return csr_array((np.ones(len(following), np.int8), following, numbers), shape=size)


def _rings(following: NDArray[np.int32]) -> Rings:
    """Return the rings of runs, given the one that follows each."""
    count, rings = connected_components(_graph(following))
    numbers = np.arange(len(following), dtype=np.int32)
    first = np.empty(count, np.int32)
    first[rings[::-1]] = numbers[::-1]
    # All rings in one: each goes on with the next one instead of its own first run.
    before = np.empty_like(following)
    before[following] = numbers
    whole = following.copy()
    whole[before[first]] = np.roll(first, -1)
    runs = depth_first_order(_graph(whole), first[0], return_predecessors=False).astype(np.intp)
    return Rings(runs, np.flatnonzero(np.diff(rings[runs], prepend=-1)))


def _is_hole(rings: Rings, corners: Numbers) -> NDArray[np.bool_]:
    """Return which rings are holes: those that run anticlockwise."""
    x, y = corners[rings.closed(np.arange(len(rings.starts)))].T
    twice_the_area = np.append(x[:-1] * y[1:] - x[1:] * y[:-1], 0)
    starts = rings.starts + np.arange(len(rings.starts))
    twice_the_area[starts[1:] - 1] = 0  # from one ring to the next
    return np.add.reduceat(twice_the_area, starts) < 0


def _shells(runs: Runs, rings: Rings, columns: Numbers, is_hole: NDArray[np.bool_]) -> Numbers:
    """Return the shell of each ring: that of the hole's region, and itself for a shell.

    Left of a hole's leftmost side lie pixels of its region. They begin at another ring, further
    left: the shell, or a hole from which the same step leads on.
    """
    of_runs = rings.of_runs()
    right = np.flatnonzero((runs.side == RIGHT) & is_hole[of_runs])
    right = right[np.argsort(columns[right])[::-1]]
    begin = np.searchsorted(runs.left_pixels, runs.first[right], side="right") - 1
    shells = np.arange(len(rings.starts))
    shells[of_runs[right]] = of_runs[runs.left_runs[begin]]  # the leftmost side is the last
    while is_hole[shells].any():
        shells = shells[shells]
    return shells
