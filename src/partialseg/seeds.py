"""The runs of a cell differ by their seed alone: what they say together."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from partialseg.results import RunResults
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


@dataclass(frozen=True, kw_only=True)
class SeedScore:
    """A score, 0..1: the mean over the seeds, and their sample standard deviation (None: one).

    labelled is the share of the training pixels that had a label.
    """

    mean: float
    std: float | None
    labelled: float


def seed_score(results: Sequence[RunResults]) -> SeedScore:
    """Return the test mIoU of a cell from the results of its runs."""
    values = [item.detail["test"]["miou"] for item in results]
    labelled = statistics.fmean(item.detail["labelled_pixels"] for item in results)
    return SeedScore(mean=statistics.fmean(values), std=deviation(values), labelled=labelled)


def split_scores(results: Sequence[RunResults], split: str) -> dict[Cell, SeedScore]:
    """Return the test mIoU of the cells of one split."""
    cells = by_cell(results)
    return {cell: seed_score(of_cell) for cell, of_cell in cells.items() if cell.split == split}
