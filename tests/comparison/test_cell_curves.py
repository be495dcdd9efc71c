import math
from pathlib import Path

import pytest

from partialseg.comparison.cells import CellCurves, RunCurves, mean_curves, read_curves
from partialseg.engine.curves import CURVES, FOLDER, CurveWriter
from partialseg.evaluation.runs import Cell, Run
from small_run import record

CELL = Cell(
    split="official", fraction="0.15", labelling="random", architecture="unet", recipe="tuned"
)


def of_seed(seed: int, *mious: float, first: int = 1) -> RunCurves:
    """Return curves of a run; the losses are 10 and 20 times the mIoU, the accuracy twice it."""
    factors = {"train/loss": 10, "val/loss": 20, "val/miou": 1, "val/accuracy": 2}
    return RunCurves(
        run=Run(cell=CELL, seed=seed),
        epochs=[*range(first, first + len(mious))],
        values={curve: [by * miou for miou in mious] for curve, by in factors.items()},
    )


def test_the_curves_of_a_run_are_read_from_its_folder(tmp_path: Path) -> None:
    run = Run(cell=CELL, seed=7)
    with CurveWriter(tmp_path / "official" / "random" / "unet-0.15-tuned-7" / FOLDER) as curves:
        for epoch in (1, 2):
            curves.append(record(epoch, val_miou=0.125 * epoch, val_loss=4.0 - epoch))
    read = read_curves(tmp_path, run)
    assert (read.run, read.epochs) == (run, [1, 2])
    assert read.values == {
        "train/loss": [1.0, 0.5],
        "val/loss": [3.0, 2.0],
        "val/miou": [0.125, 0.25],
        "val/accuracy": [1 / 6, 2 / 6],
    }


def test_a_run_without_curves_is_named(tmp_path: Path) -> None:
    message = r"official/random/unet-0\.15-tuned-7/curves/plots/metrics/train/loss\.tsv: missing"
    with pytest.raises(ValueError, match=message):
        read_curves(tmp_path, Run(cell=CELL, seed=7))


def test_the_mean_and_the_deviation_are_those_over_the_seeds() -> None:
    curves = mean_curves(CELL, [of_seed(1, 0.25, 0.5), of_seed(2, 0.5, 0.5), of_seed(3, 0.75, 0.5)])
    assert (curves.cell, curves.epochs) == (CELL, [1, 2])
    assert curves.values == {
        "train/loss": [5.0, 5.0],
        "val/loss": [10.0, 10.0],
        "val/miou": [0.5, 0.5],
        "val/accuracy": [1.0, 1.0],
    }
    # The squares of 0.25, 0 and 0.25, over 3 - 1, are 0.0625: its root is 0.25.
    assert curves.deviations == {
        "train/loss": [2.5, 0.0],
        "val/loss": [5.0, 0.0],
        "val/miou": [0.25, 0.0],
        "val/accuracy": [0.5, 0.0],
    }


def test_each_epoch_is_the_mean_of_the_runs_that_came_so_far() -> None:
    curves = mean_curves(CELL, [of_seed(1, 0.5, 0.25, 0.5, 1.0), of_seed(2, 0.5, 0.75)])
    assert curves.epochs == [1, 2, 3, 4]
    assert curves.values["val/miou"] == [0.5, 0.5, 0.5, 1.0]
    assert curves.deviations["val/miou"] == pytest.approx([0.0, math.sqrt(0.125), 0.0, 0.0])
    assert curves.values["train/loss"] == [5.0, 5.0, 5.0, 10.0]


def test_values_belong_to_epochs_not_to_places() -> None:
    curves = mean_curves(CELL, [of_seed(1, 0.25, 0.5), of_seed(2, 0.75, 0.125, first=2)])
    assert curves.epochs == [1, 2, 3]
    assert curves.values["val/miou"] == [0.25, 0.625, 0.125]
    assert curves.deviations["val/miou"] == pytest.approx([0.0, math.sqrt(0.03125), 0.0])


def test_the_curves_of_one_seed_are_its_own_without_deviation() -> None:
    run = of_seed(5, 0.25, 0.5, 0.75)
    assert mean_curves(CELL, [run]) == CellCurves(
        cell=CELL,
        epochs=run.epochs,
        values=run.values,
        deviations={curve: [0.0, 0.0, 0.0] for curve in CURVES},
    )
