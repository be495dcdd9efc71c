"""The details of the runs of a page by cell."""

from collections.abc import Mapping, Sequence
from typing import Any

from partialseg.results import RunResults
from partialseg.run import Cell, is_main
from partialseg.seeds import by_cell

Detail = dict[str, Any]  # the content of the details file of a run
CellDetails = Mapping[Cell, Sequence[Detail]]

SHOWN = {"gflop", "peak_memory_mib", "commit", "test_examples"}  # keys of the details ...
SHOWN_OF_TEST = {"orthophotos", "boundary", "objects", "calibration", "border_distance"}


def check_details(results: Sequence[RunResults]) -> None:
    """Check that the details of runs have what the page shows.

    Raises:
        ValueError: they lack something, being of an earlier version.
    """
    for item in results:
        missing = (SHOWN - item.detail.keys()) | (SHOWN_OF_TEST - item.detail["test"].keys())
        if missing:
            lacking = ", ".join(sorted(missing))
            raise ValueError(f"details of the run {item.run.path}: lack {lacking}; evaluate again")


def cell_details(results: Sequence[RunResults]) -> dict[Cell, list[Detail]]:
    """Return the details of the runs of each cell, cells and runs in their order."""
    return {cell: [item.detail for item in runs] for cell, runs in by_cell(results).items()}


def of_split(cells: CellDetails, split: str) -> dict[Cell, Sequence[Detail]]:
    """Return the cells of one split."""
    return {cell: details for cell, details in cells.items() if cell.split == split}


def of_first(cells: CellDetails) -> dict[Cell, Sequence[Detail]]:
    """Return the cells of the first split and labelling."""
    first = next(iter(cells))
    return {cell: details for cell, details in cells.items() if is_main(cell, first)}


def at_fraction(cells: CellDetails, fraction: str) -> dict[Cell, Sequence[Detail]]:
    """Return the cells at one label fraction."""
    return {cell: details for cell, details in cells.items() if cell.fraction == fraction}


def best_run(results: Sequence[RunResults]) -> RunResults:
    """Return the run of the first split and labelling that has the highest validation mIoU.

    By validation, as the test split is to judge the choice; and of one split, as other splits
    have other validation patches, easier ones where they leak.
    """
    first = results[0].run.cell
    return max(
        (item for item in results if is_main(item.run.cell, first)),
        key=lambda item: item.detail["val"]["miou"],
    )
