"""The confusion matrices of a cell's runs: by seed and by test orthophoto."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from partialseg.results import RunResults
from partialseg.run import Cell
from partialseg.seeds import by_cell


@dataclass(frozen=True, kw_only=True, eq=False)
class ScoredCell:
    """The test results of a cell: pixels counts[seed, orthophoto, truth, prediction].

    counts is int64 (S, N, C, C), its first two axes in the order of seeds and orthophotos.
    """

    cell: Cell
    seeds: tuple[int, ...]
    orthophotos: tuple[str, ...]
    counts: NDArray[np.int64]

    def seed_mious(self) -> NDArray[np.float64]:
        """Return the test mIoU of each seed's run, over all orthophotos, (S,)."""
        return miou(self.counts.sum(axis=1))

    def miou(self) -> float:
        """Return the mean of the seeds' test mIoU."""
        return float(self.seed_mious().mean())

    def miou_std(self) -> float | None:
        """Return the sample standard deviation of the seeds' test mIoU; None with one seed."""
        return float(self.seed_mious().std(ddof=1)) if len(self.seeds) > 1 else None


def miou(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the mean IoU of confusion matrices counts[..., truth, prediction], (...,).

    A class absent from truth and prediction is left out; without any pixel the mean is NaN.
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
        ValueError: runs under one split were scored on different test orthophotos, or on none.
    """
    names: dict[str, tuple[str, ...]] = {}
    for run in runs:
        expected = names.setdefault(run.run.cell.split, _known_orthophotos(run))
        if set(_known_orthophotos(run)) != set(expected):
            raise ValueError(
                f"run {run.run.path}: its test orthophotos are {_listed(_known_orthophotos(run))},"
                f" those of the other runs under this split {_listed(expected)}"
            )
    for split, found in names.items():
        if not found:
            raise ValueError(f"split {split}: no test orthophoto has a pixel of known truth")
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
        cell=cell, seeds=seeds, orthophotos=orthophotos, counts=np.array(counts, np.int64)
    )


def _confusion(run: RunResults, orthophoto: str) -> NDArray[np.int64]:
    return np.array(run.detail["test"]["orthophotos"][orthophoto]["confusion"], np.int64)


def _known_orthophotos(run: RunResults) -> tuple[str, ...]:
    orthophotos = run.detail["test"]["orthophotos"]
    return tuple(name for name in orthophotos if _confusion(run, name).any())


def _listed(names: Sequence[str]) -> str:
    return ", ".join(sorted(names))
