"""Bootstrap intervals over whole test orthophotos, and over seeds where there are several.

Orthophotos are drawn, not pixels: neighbouring pixels are no independent observations. Seeds are
drawn independently of them, and what all cells share is drawn for all alike, which keeps them
paired (Owen 2007, The pigeonhole bootstrap, doi 10.1214/07-AOAS122). Of few orthophotos a
bootstrap is too short an interval: partialseg.interval has another one, and benchmarks/coverage.py
the shares of both that hold the truth.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import bootstrap

from partialseg.interval import CONFIDENCE
from partialseg.scored_cell import miou

RESAMPLES = 9_999
SEED = 1  # of the resampling: equal tables every time
BATCH = 1_000  # resamples in memory at a time


@dataclass(frozen=True, kw_only=True, eq=False)
class Term:
    """A cell's part in a difference: its weight, its split, its counts int64 (S, N, C, C)."""

    weight: float
    split: str
    counts: NDArray[np.int64]


def bootstrap_interval(terms: Sequence[Term]) -> tuple[float, float]:
    """Return the 95 % percentile interval of the weighted sum of the cells' mean mIoU.

    The terms have the same seeds, S >= 1; those of one split the same orthophotos, N >= 2.
    """
    splits = {term.split: term.counts.shape[1] for term in terms}
    seeds = terms[0].counts.shape[0]
    assert min(splits.values()) > 1, "one orthophoto"
    sampled = [np.arange(number) for number in splits.values()]
    if seeds > 1:
        sampled.append(np.arange(seeds))

    def difference(*drawn: NDArray[np.int64], axis: int) -> NDArray[np.float64]:
        assert axis == -1
        orthophotos = dict(zip(splits, drawn, strict=False))
        of_seeds = drawn[-1] if seeds > 1 else np.zeros((*drawn[0].shape[:-1], 1), np.int64)
        return sum(
            (_drawn_mean(term, orthophotos[term.split], of_seeds) for term in terms),
            start=np.zeros(drawn[0].shape[:-1]),
        )

    found = bootstrap(
        sampled,
        difference,
        n_resamples=RESAMPLES,
        batch=BATCH,
        vectorized=True,
        axis=-1,
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(SEED),
    ).confidence_interval
    return float(found.low), float(found.high)


def _drawn_mean(
    term: Term, orthophotos: NDArray[np.int64], seeds: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return a term for each draw of orthophotos (..., N) and seeds (..., S)."""
    number = term.counts.shape[1]
    times = (orthophotos[..., None] == np.arange(number)).sum(axis=-2)  # how often each is drawn
    of_seeds = miou(np.einsum("...n,sncd->...scd", times, term.counts, optimize=True))
    return term.weight * np.take_along_axis(of_seeds, seeds, axis=-1).mean(axis=-1)
