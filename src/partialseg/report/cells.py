"""The runs of a page by cell, and what the cells are called."""

from collections.abc import Mapping, Sequence
from typing import Any

from partialseg.run import Cell, Run
from partialseg.run_name import architecture_name, percent

Detail = dict[str, Any]  # the content of the details file of a run
CellDetails = Mapping[Cell, Sequence[Detail]]


def by_cell(details: Mapping[Run, Detail]) -> dict[Cell, list[Detail]]:
    """Return the details of the runs of each cell, in their order."""
    cells: dict[Cell, list[Detail]] = {}
    for run, detail in details.items():
        cells.setdefault(run.cell, []).append(detail)
    return cells


def of_split(cells: CellDetails, split: str) -> dict[Cell, Sequence[Detail]]:
    """Return the cells of one split."""
    return {cell: details for cell, details in cells.items() if cell.split == split}


def at_fraction(cells: CellDetails, fraction: str) -> dict[Cell, Sequence[Detail]]:
    """Return the cells at one label fraction."""
    return {cell: details for cell, details in cells.items() if cell.fraction == fraction}


def cell_names(cells: Sequence[Cell]) -> dict[Cell, str]:
    """Name cells that are shown together: 'UNet++ 10 %, tuned', and their split if they differ."""
    splits, recipes = ({getattr(cell, axis) for cell in cells} for axis in ("split", "recipe"))
    names = {}
    for cell in cells:
        parts = [f"{architecture_name(cell.architecture)} {percent(cell.label_fraction)}"]
        parts += [cell.recipe] if len(recipes) > 1 else []
        parts += [f"split {cell.split}"] if len(splits) > 1 else []
        names[cell] = ", ".join(parts)
    return names


def best_run(details: Mapping[Run, Detail]) -> Run:
    """Return the run of the first split that has the highest validation mIoU.

    By validation, as the test split is to judge the choice; and of one split, as other splits
    have other validation patches, easier ones where they leak.
    """
    first = next(iter(details)).cell.split
    runs = [run for run in details if run.cell.split == first]
    return max(runs, key=lambda run: details[run]["val"]["miou"])
