"""The runs that a table compares, read once, and what DVC shows of those at the headline fraction.

DVC shows their scores with `dvc metrics`, their curves with `dvc plots`.
"""

import csv
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from partialseg.comparison.cells import (
    CellCurves,
    by_cell,
    mean_and_std,
    mean_curves,
    read_curves,
)
from partialseg.core.files import new_file
from partialseg.engine.curves import CURVES
from partialseg.evaluation.results import (
    SPLIT_NAMES,
    RunResults,
    common_shown_split,
    read_results,
    shown_scores,
    shown_split,
)
from partialseg.evaluation.runs import Cell, Run, is_main, run_files

MISSING = "nan"  # of a shorter run in a CSV of DVC plots, which draw an empty cell as 0


@dataclass(frozen=True, kw_only=True)
class ComparedRuns:
    """The results of all runs that a table of a data set compares, and the curves of their cells.

    headline is the label fraction of the figures that cannot show all fractions. Those show the
    first split and the first labelling.
    """

    dataset: str
    headline: str
    results: Sequence[RunResults]
    curves: Sequence[CellCurves]

    @property
    def first_split(self) -> str:
        """The split of the figures that show one split."""
        return self.results[0].run.cell.split

    @property
    def main_curves(self) -> list[CellCurves]:
        """The curves of the first split and labelling."""
        first = self.results[0].run.cell
        return [item for item in self.curves if is_main(item.cell, first)]

    @property
    def majority(self) -> tuple[str, float]:
        """The largest class of the first split, and the mIoU of predicting it everywhere."""
        scores = shown_scores(self.results[0].detail)
        return scores["majority_class"], scores["majority_miou"]

    @property
    def scored(self) -> str:
        """What the scores are on: 'test', or 'validation' of data sets without a test split."""
        return SPLIT_NAMES[shown_split(self.results[0].detail)]


def read_compared_runs(
    dataset: str, listed: Sequence[Run], headline: str, runs: Path, metrics: Path
) -> ComparedRuns:
    """Read the results and curves of the listed runs from where dvc.yaml lays them.

    Raises:
        ValueError: no run is at the headline, a listed run is missing or damaged, or some have a
            test split and others none.
    """
    if headline not in [item.cell.fraction for item in listed]:
        raise ValueError(f"no run to compare is at the headline fraction {headline}")
    results = [read_results(run_files(runs, metrics, item), item) for item in listed]
    common_shown_split(results)
    of_cells = by_cell([read_curves(runs, item) for item in listed])
    curves = [mean_curves(cell, of_cell) for cell, of_cell in of_cells.items()]
    return ComparedRuns(dataset=dataset, headline=headline, results=results, curves=curves)


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

    They are means over the seeds; for several seeds with the deviation of the test mIoU (without
    a test split: of the validation mIoU).
    """
    scores: dict[str, dict[str, Any]] = {}
    for cell, of_cell in headline_cells(results, headline).items():
        of_seeds = [item.scores() for item in of_cell]
        means = {name: statistics.fmean(item[name] for item in of_seeds) for name in of_seeds[0]}
        score = f"{common_shown_split(of_cell)}_miou"
        _, std = mean_and_std([item[score] for item in of_seeds])
        means |= {} if std is None else {f"{score}_std": std}
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
