"""Made-up test results of the cells of a table."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from partialseg.comparison.cells import ScoredCell
from partialseg.evaluation.results import RunResults
from partialseg.evaluation.runs import Cell, Run


def make_cell(**changes: str) -> Cell:
    plain = {"split": "main", "fraction": "0.1", "labelling": "random"}
    plain |= {"architecture": "unet", "recipe": "tuned"}
    return Cell(**plain | changes)


def make_scored(counts: NDArray[np.int64], **changes: str) -> ScoredCell:
    """Return a scored cell of counts (S, N, C, C)."""
    seeds, number = counts.shape[:2]
    return ScoredCell(
        cell=make_cell(**changes),
        seeds=tuple(range(1, seeds + 1)),
        orthophotos=tuple(f"o{place}" for place in range(number)),
        counts=counts,
    )


def make_results(run: Run, confusions: dict[str, Sequence[Sequence[int]]]) -> RunResults:
    orthophotos = {name: {"confusion": counts} for name, counts in confusions.items()}
    return RunResults(
        run=run,
        detail={"test": {"orthophotos": orthophotos}},
        predictions={},
    )


def equal_unions(hits: Sequence[Sequence[int]]) -> NDArray[np.int64]:
    """Return counts (S, N, 2, 2) with unions of 1000 and 2000 pixels, whatever the hits are.

    With equal unions a mIoU of several orthophotos is the mean of theirs, linear in the hits of
    class 0: (hits / 1000 + (1000 + hits) / 2000) / 2 = 0.25 + 0.75 * hits / 1000.
    """
    hit = np.array(hits)
    errors = 1000 - hit
    rows = [[hit, errors // 2], [errors - errors // 2, 2000 - errors]]
    return np.moveaxis(np.array(rows, np.int64), (0, 1), (-2, -1))


def random_counts(
    seed: int, seeds: int = 3, number: int = 6, classes: int = 3
) -> NDArray[np.int64]:
    """Return counts (S, N, C, C) of orthophotos of very different size and content."""
    rng = np.random.default_rng(seed)
    size = rng.lognormal(7, 1, (1, number, classes, 1))
    recall = rng.uniform(0.4, 0.9, (1, number, 1, 1)) + rng.normal(0, 0.03, (seeds, number, 1, 1))
    right = np.eye(classes) * recall
    wrong = (1 - np.eye(classes)) * (1 - recall) / (classes - 1)
    return np.rint(size * (right + wrong)).astype(np.int64)
