"""The training curves of runs, and their mean over the seeds of a cell."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from partialseg.curves import CURVES, FOLDER, read_curve
from partialseg.run import Cell, Run
from partialseg.seeds import deviation


@dataclass(frozen=True, kw_only=True)
class RunCurves:
    """The curves of a run: values[name][i] after epochs[i], for each name of CURVES."""

    run: Run
    epochs: list[int]
    values: dict[str, list[float]]


@dataclass(frozen=True, kw_only=True)
class CellCurves:
    """The mean curves of a cell: values[name][i] after epochs[i], and their standard deviation.

    deviations are 0 where one run alone came so far.
    """

    cell: Cell
    epochs: list[int]
    values: dict[str, list[float]]
    deviations: dict[str, list[float]]


def read_curves(runs: Path, run: Run) -> RunCurves:
    """Return the curves of a run.

    Raises:
        ValueError: a curve is missing or damaged.
    """
    read = {curve: read_curve(runs / run.path / FOLDER, curve) for curve in CURVES}
    return RunCurves(
        run=run,
        epochs=read["train/loss"][0],
        values={curve: values for curve, (_, values) in read.items()},
    )


def mean_curves(cell: Cell, curves: Sequence[RunCurves]) -> CellCurves:
    """Return the mean of the runs of a cell, after each epoch of those that came so far."""
    epochs = sorted({epoch for item in curves for epoch in item.epochs})
    of_epochs = {
        curve: [
            [
                item.values[curve][item.epochs.index(epoch)]
                for item in curves
                if epoch in item.epochs
            ]
            for epoch in epochs
        ]
        for curve in CURVES
    }
    return CellCurves(
        cell=cell,
        epochs=epochs,
        values={
            curve: [statistics.fmean(values) for values in rows]
            for curve, rows in of_epochs.items()
        },
        deviations={
            curve: [deviation(values) or 0.0 for values in rows]
            for curve, rows in of_epochs.items()
        },
    )
