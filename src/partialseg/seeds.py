"""The runs of a cell differ by their seed alone: what they say together."""

import statistics
from collections.abc import Sequence
from typing import Protocol, TypeVar

from partialseg.run import Cell, Run


class OfRun(Protocol):
    """Anything that belongs to a run."""

    @property
    def run(self) -> Run:
        """The run it belongs to."""


T = TypeVar("T", bound=OfRun)


def by_cell(items: Sequence[T]) -> dict[Cell, list[T]]:
    """Return the items of each cell, cells and items in the order in which they come."""
    cells: dict[Cell, list[T]] = {}
    for item in items:
        cells.setdefault(item.run.cell, []).append(item)
    return cells


def deviation(values: Sequence[float]) -> float | None:
    """Return the sample standard deviation over the seeds; None of one alone."""
    return statistics.stdev(values) if len(values) > 1 else None
