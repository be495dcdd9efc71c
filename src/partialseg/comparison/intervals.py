"""95 % intervals of differences of test mIoU: by a jackknife and by a bootstrap.

The units are whole test orthophotos, since neighbouring pixels are not independent observations,
and seeds, where there are several. The bootstrap draws both independently of each other, and draws
the same ones for all cells that share them, which keeps the cells paired (Owen 2007, The pigeonhole
bootstrap, doi 10.1214/07-AOAS122). With few orthophotos its intervals are too short; those of the
jackknife, with Student's quantile, hold the truth more often (benchmarks/interval_coverage.py).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import bootstrap
from scipy.stats import t as student

from partialseg.comparison.cells import miou

CONFIDENCE = 0.95
RESAMPLES = 9_999
SEED = 1  # of the resampling: equal tables every time
BATCH = 1_000  # resamples in memory at a time


def pseudovalues(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the jackknife pseudovalues of the mIoU of counts (S, N, C, C), float64 (S, N).

    That of an orthophoto is N times the mIoU of all less N - 1 times that without it; N >= 2.
    """
    number = counts.shape[1]
    assert number > 1, "one orthophoto"
    total = counts.sum(axis=1, keepdims=True)
    return number * miou(total) - (number - 1) * miou(total - counts)


def half_width(tables: Sequence[NDArray[np.float64]]) -> float:
    """Return half the length of the 95 % interval of a sum of means of tables (S, N).

    Tables have the same seeds, S >= 1, and each its own orthophotos, N >= 2: another table's are
    independent of them. The interval of one seed does not cover what another seed would change.
    """
    seeds = tables[0].shape[0]
    orthophotos = [Estimate(_squares(y.mean(axis=0)), y.shape[1] - 1) for y in tables]
    if seeds == 1:
        return _half_width(*_satterthwaite(orthophotos))
    of_seeds = [Estimate(_squares(np.sum([y.mean(axis=1) for y in tables], axis=0)), seeds - 1)]
    both = [Estimate(_interaction(y), (seeds - 1) * (y.shape[1] - 1)) for y in tables]
    return crossed_half_width((orthophotos, of_seeds), both)


class Estimate(NamedTuple):
    """An estimated variance of the sum, and its degrees of freedom."""

    variance: float
    freedom: float


def crossed_half_width(factors: Iterable[Sequence[Estimate]], both: Sequence[Estimate]) -> float:
    """Return the half-width from what each factor makes of the variance, and both together.

    Each factor contains the interaction, which counts once; a variance component is not negative,
    so a factor below the interaction adds nothing to it.
    """
    larger = [estimates for estimates in factors if _total(estimates) > _total(both)]
    terms = [estimate for factor in larger for estimate in factor]
    terms += [Estimate((1 - len(larger)) * variance, freedom) for variance, freedom in both]
    variance, freedom = _satterthwaite(terms)
    # No fewer than the smallest of its terms has; the subtracted one can bring it below.
    least = min(term.freedom for term in terms if term.variance >= 0)
    return _half_width(variance, max(freedom, least))


def _half_width(variance: float, freedom: float) -> float:
    return float(student.ppf((1 + CONFIDENCE) / 2, freedom)) * variance**0.5


def _squares(means: NDArray[np.float64]) -> float:
    """Return the estimated variance of the mean of these values."""
    return float(means.var(ddof=1)) / len(means)


def _interaction(table: NDArray[np.float64]) -> float:
    """Return what neither seeds nor orthophotos explain, as a variance of the table's mean."""
    rest = table - table.mean(axis=0) - table.mean(axis=1, keepdims=True) + table.mean()
    seeds, number = table.shape
    return float((rest**2).sum()) / ((seeds - 1) * (number - 1) * seeds * number)


def _total(estimates: Sequence[Estimate]) -> float:
    return sum(estimate.variance for estimate in estimates)


def _satterthwaite(estimates: Sequence[Estimate]) -> Estimate:
    """Return the sum of independent estimates."""
    total = _total(estimates)
    spread = sum(variance**2 / freedom for variance, freedom in estimates)
    return Estimate(total, total**2 / spread if spread else 1.0)


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
