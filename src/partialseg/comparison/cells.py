"""The runs of a cell, which differ in their seed only, taken together.

Their mean score and its deviation, their confusion matrices by orthophoto, and their mean curves.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from partialseg.engine.curves import CURVES, FOLDER, read_curve
from partialseg.evaluation.results import (
    SPLIT_NAMES,
    RunResults,
    common_shown_split,
    shown_scores,
    shown_split,
)
from partialseg.evaluation.runs import Cell, Run


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


def mean_and_std(values: Sequence[float]) -> tuple[float, float | None]:
    """Return the mean over the seeds and the sample standard deviation (None for one seed)."""
    return statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None


@dataclass(frozen=True, kw_only=True)
class SeedScore:
    """A score, 0..1: the mean over the seeds and the sample standard deviation (None for one seed).

    labelled is the share of the training pixels that had a label, scored what the score is on.
    """

    mean: float
    std: float | None
    labelled: float
    scored: str = "test"


def seed_score(results: Sequence[RunResults]) -> SeedScore:
    """Return the test mIoU of a cell from the results of its runs; without a test, that of val.

    Raises:
        ValueError: some runs have a test split, and others none.
    """
    mean, std = mean_and_std([shown_scores(item.detail)["miou"] for item in results])
    labelled = statistics.fmean(item.detail["labelled_pixels"] for item in results)
    scored = SPLIT_NAMES[common_shown_split(results)]
    return SeedScore(mean=mean, std=std, labelled=labelled, scored=scored)


def split_scores(results: Sequence[RunResults], split: str) -> dict[Cell, SeedScore]:
    """Return the score of each cell of one split."""
    cells = by_cell(results)
    return {cell: seed_score(of_cell) for cell, of_cell in cells.items() if cell.split == split}


@dataclass(frozen=True, kw_only=True, eq=False)
class ScoredCell:
    """The test results of a cell: pixels counts[seed, orthophoto, truth, prediction].

    counts is int64 (S, N, C, C), its first two axes in the order of seeds and orthophotos. scored
    is 'test', or 'validation' of data sets without a test split.
    """

    cell: Cell
    seeds: tuple[int, ...]
    orthophotos: tuple[str, ...]
    counts: NDArray[np.int64]
    scored: str = "test"

    def seed_mious(self) -> NDArray[np.float64]:
        """Return the mIoU of each seed's run, over all orthophotos, (S,)."""
        return miou(self.counts.sum(axis=1))

    def miou(self) -> float:
        """Return the mean of the seeds' mIoU."""
        return float(self.seed_mious().mean())


def miou(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the mean IoU of confusion matrices counts[..., truth, prediction], (...,).

    A class absent from truth and prediction is left out; without any pixel the mean is NaN.
    ConfusionMatrix.miou() has the same formula for one matrix of torch; this one takes the many
    matrices of a bootstrap at once. They add in another order, so the last digit can differ.
    """
    hit = np.diagonal(counts, axis1=-2, axis2=-1)
    union = counts.sum(axis=-1) + counts.sum(axis=-2) - hit
    iou = hit / np.maximum(union, 1)
    with np.errstate(invalid="ignore"):  # 0 / 0 is the NaN that is meant
        return iou.sum(axis=-1) / (union > 0).sum(axis=-1)


def scored_cells(runs: Sequence[RunResults]) -> list[ScoredCell]:
    """Return the cells of the runs, in order of appearance.

    An orthophoto without any pixel of known truth is left out.

    Raises:
        ValueError: runs under one split were scored on different orthophotos, or on none.
    """
    names: dict[str, tuple[str, ...]] = {}
    for run in runs:
        expected = names.setdefault(run.run.cell.split, _known_orthophotos(run))
        if set(_known_orthophotos(run)) != set(expected):
            raise ValueError(
                f"run {run.run.path}: its {_scored(run)} orthophotos are "
                f"{_listed(_known_orthophotos(run))}, those of the other runs under this split "
                f"{_listed(expected)}"
            )
    for split, found in names.items():
        if not found:
            scored = _scored(next(run for run in runs if run.run.cell.split == split))
            raise ValueError(f"split {split}: no {scored} orthophoto has a pixel of known truth")
    cells = [_scored_cell(cell, names[cell.split], of) for cell, of in by_cell(runs).items()]
    # The runs of a table are a product of its axes.
    assert len({cell.seeds for cell in cells}) <= 1, "cells with different seeds"
    return cells


def _scored_cell(
    cell: Cell, orthophotos: tuple[str, ...], runs: Sequence[RunResults]
) -> ScoredCell:
    counts = [[_confusion(run, name) for name in orthophotos] for run in runs]
    seeds = tuple(run.run.seed for run in runs)
    return ScoredCell(
        cell=cell,
        seeds=seeds,
        orthophotos=orthophotos,
        counts=np.array(counts, np.int64),
        scored=_scored(runs[0]),
    )


def _scored(run: RunResults) -> str:
    return SPLIT_NAMES[shown_split(run.detail)]


def _confusion(run: RunResults, orthophoto: str) -> NDArray[np.int64]:
    return np.array(shown_scores(run.detail)["orthophotos"][orthophoto]["confusion"], np.int64)


def _known_orthophotos(run: RunResults) -> tuple[str, ...]:
    orthophotos = shown_scores(run.detail)["orthophotos"]
    return tuple(name for name in orthophotos if _confusion(run, name).any())


def _listed(names: Sequence[str]) -> str:
    return ", ".join(sorted(names))


@dataclass(frozen=True, kw_only=True)
class RunCurves:
    """The curves of a run: values[name][i] after epochs[i], for each name of CURVES."""

    run: Run
    epochs: list[int]
    values: dict[str, list[float]]


@dataclass(frozen=True, kw_only=True)
class CellCurves:
    """The mean curves of a cell: values[name][i] after epochs[i], and their standard deviation.

    deviations are 0 at epochs that only one run reached.
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
    """Return the mean curves of a cell; each epoch is the mean of the runs that reached it."""
    epochs = sorted({epoch for item in curves for epoch in item.epochs})
    spreads = {
        curve: [mean_and_std(_after_epoch(curves, curve, epoch)) for epoch in epochs]
        for curve in CURVES
    }
    return CellCurves(
        cell=cell,
        epochs=epochs,
        values={curve: [mean for mean, _ in pairs] for curve, pairs in spreads.items()},
        deviations={curve: [std or 0.0 for _, std in pairs] for curve, pairs in spreads.items()},
    )


def _after_epoch(curves: Sequence[RunCurves], curve: str, epoch: int) -> list[float]:
    return [item.values[curve][item.epochs.index(epoch)] for item in curves if epoch in item.epochs]
