"""The runs at the headline fraction: their scores and curves for `dvc metrics` and `dvc plots`."""

import csv
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from partialseg.comparison.cells import CellCurves, by_cell, mean_and_std
from partialseg.core.files import new_file
from partialseg.engine.curves import CURVES
from partialseg.evaluation.results import RunResults
from partialseg.evaluation.runs import Cell, is_main

MISSING = "nan"  # of a shorter run in a CSV of DVC plots, which draw an empty cell as 0


def headline_cells(results: Sequence[RunResults], headline: str) -> dict[Cell, list[RunResults]]:
    """Return the results of the cells at the headline fraction, of first split and labelling."""
    first = results[0].run.cell
    return {
        cell: of_cell
        for cell, of_cell in by_cell(results).items()
        if is_main(cell, first) and cell.fraction == headline
    }


def summary(results: Sequence[RunResults], headline: str) -> dict[str, dict[str, Any]]:
    """Return the headline's scores by architecture and recipe; no key names another axis.

    They are means over the seeds; of several seeds with the deviation of the test mIoU.
    """
    scores: dict[str, dict[str, Any]] = {}
    for cell, of_cell in headline_cells(results, headline).items():
        of_seeds = [item.scores() for item in of_cell]
        means = {name: statistics.fmean(item[name] for item in of_seeds) for name in of_seeds[0]}
        _, std = mean_and_std([item["test_miou"] for item in of_seeds])
        means |= {} if std is None else {"test_miou_std": std}
        scores.setdefault(cell.architecture, {})[cell.recipe] = means
    return scores


def write_headline_curves(curves: Sequence[CellCurves], headline: str, folder: Path) -> None:
    """Write a CSV a recipe and curve: epoch, and a column an architecture, of the headline."""
    first = curves[0].cell
    shown = [c for c in curves if is_main(c.cell, first) and c.cell.fraction == headline]
    for recipe in dict.fromkeys(item.cell.recipe for item in shown):
        of_recipe = [item for item in shown if item.cell.recipe == recipe]
        for curve in CURVES:
            write_curve(of_recipe, curve, folder / recipe / f"{curve.replace('/', '_')}.csv")


def write_curve(curves: Sequence[CellCurves], curve: str, path: Path) -> None:
    """Write one curve of several cells as CSV: epoch, and a column an architecture."""
    columns = [dict(zip(item.epochs, item.values[curve], strict=True)) for item in curves]
    epochs = sorted(set().union(*columns))
    with new_file(path) as file, file.open("w", newline="") as stream:
        rows = csv.writer(stream, lineterminator="\n")
        rows.writerow(["epoch", *(item.cell.architecture for item in curves)])
        for epoch in epochs:
            rows.writerow([epoch, *(column.get(epoch, MISSING) for column in columns)])
