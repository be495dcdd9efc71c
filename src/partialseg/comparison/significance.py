"""Differences of mIoU between the cells of a table, with 95 % confidence intervals.

The mIoU is that on the test split or, where there is none, on validation.

Each has two: a bootstrap over test orthophotos and seeds, and a jackknife with Student's quantile,
which holds the truth more often where orthophotos and seeds are few
(benchmarks/interval_coverage.py). A difference is significant (at 95 %) if both exclude 0.

Nothing here corrects for multiple comparisons: where nothing differs at all, about 5 % of the
intervals exclude 0 by chance (expected_by_chance). That holds for two seeds or more: the intervals
of one seed leave out what another seed changes (benchmarks/README.md).
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from partialseg.comparison.cells import ScoredCell
from partialseg.comparison.intervals import (
    CONFIDENCE,
    Term,
    bootstrap_interval,
    half_width,
    pseudovalues,
)
from partialseg.evaluation.runs import AXES, Cell

Interval = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Test mIoU of the second cells less that of the first, which differ in one axis only.

    first[k] and second[k] are equal on the other axes; of several pairs the difference is the
    mean ("pooled"). orthophotos has their number under each split that is compared. bootstrap and
    jackknife are intervals (low, high), None where there is none. With one seed they do not cover
    others. scored is what the mIoU is on: 'test', or 'validation' without a test split.
    """

    axis: str
    first: tuple[Cell, ...]
    second: tuple[Cell, ...]
    difference: float
    bootstrap: Interval | None
    jackknife: Interval | None
    orthophotos: tuple[int, ...]
    seeds: int
    scored: str = "test"

    @property
    def pooled(self) -> bool:
        """Whether it is a mean over several pairs."""
        return len(self.first) > 1

    @property
    def values(self) -> tuple[str, str]:
        """The two values of the axis."""
        return getattr(self.first[0], self.axis), getattr(self.second[0], self.axis)

    @property
    def significant(self) -> bool:
        """Whether both intervals exclude 0, on the same side."""
        if self.bootstrap is None or self.jackknife is None:
            return False
        low = min(self.bootstrap[0], self.jackknife[0])
        high = max(self.bootstrap[1], self.jackknife[1])
        return low > 0 or high < 0

    @property
    def reason(self) -> str | None:
        """Why there is no interval; None where there is one."""
        return "one orthophoto" if self.jackknife is None else None


def differences(cells: Sequence[ScoredCell]) -> list[Difference]:
    """Return the differences along each axis of which the cells have several values.

    Each value is compared with the first to appear, and each fraction with the next smaller one:
    first pooled over all pairs of cells that are equal on the other axes, then pair by pair.
    """
    of_cell = {scored.cell: scored for scored in cells}
    found = []
    for axis in AXES:
        for one, other in _compared(axis, cells):
            pairs = _pairs(axis, one, other, of_cell)
            pooled = [pairs] if len(pairs) > 1 else []
            found += [_difference(axis, some) for some in [*pooled, *([pair] for pair in pairs)]]
    return found


def expected_by_chance(intervals: int) -> float:
    """Return how many of the intervals of several seeds exclude 0 by chance if nothing differs."""
    return (1 - CONFIDENCE) * intervals


def _compared(axis: str, cells: Sequence[ScoredCell]) -> list[tuple[str, str]]:
    """Return the pairs of values of an axis that are compared."""
    values = list(dict.fromkeys(getattr(scored.cell, axis) for scored in cells))
    if axis == "fraction":
        return list(itertools.pairwise(sorted(values, key=float)))
    return [(values[0], other) for other in values[1:]]


def _pairs(
    axis: str, one: str, other: str, of_cell: Mapping[Cell, ScoredCell]
) -> list[tuple[ScoredCell, ScoredCell]]:
    """Return the cells with one and with the other value that are equal on the other axes."""
    firsts = [cell for cell in of_cell if getattr(cell, axis) == one]
    partners = [replace(cell, **{axis: other}) for cell in firsts]
    return [
        (of_cell[first], of_cell[second])
        for first, second in zip(firsts, partners, strict=True)
        if second in of_cell
    ]


def _difference(axis: str, pairs: Sequence[tuple[ScoredCell, ScoredCell]]) -> Difference:
    firsts, seconds = zip(*pairs, strict=True)
    signed = [(-1, cell) for cell in firsts] + [(1, cell) for cell in seconds]
    value = sum(sign * cell.miou() for sign, cell in signed) / len(pairs)
    numbers = {cell.cell.split: len(cell.orthophotos) for _, cell in signed}
    bootstrap = jackknife = None
    if min(numbers.values()) > 1:
        terms = [
            Term(weight=sign / len(pairs), split=cell.cell.split, counts=cell.counts)
            for sign, cell in signed
        ]
        bootstrap = bootstrap_interval(terms)
        half = _half_width(signed, len(pairs))
        # No difference lies outside -1..1, which an interval from two orthophotos can do.
        jackknife = max(value - half, -1.0), min(value + half, 1.0)
    return Difference(
        axis=axis,
        first=tuple(cell.cell for cell in firsts),
        second=tuple(cell.cell for cell in seconds),
        difference=value,
        bootstrap=bootstrap,
        jackknife=jackknife,
        orthophotos=tuple(numbers.values()),
        seeds=len(firsts[0].seeds),
        scored=firsts[0].scored,
    )


def _half_width(signed: Sequence[tuple[int, ScoredCell]], pairs: int) -> float:
    """Pair the cells by orthophoto under one split, and by seed everywhere.

    Those of another split are taken as independent. Where splits share test patches they are not
    quite, and the interval is rather too wide.
    """
    tables: dict[str, list[np.ndarray]] = {}
    for sign, cell in signed:
        tables.setdefault(cell.cell.split, []).append(sign * pseudovalues(cell.counts))
    return half_width([np.sum(of_split, axis=0) / pairs for of_split in tables.values()])
