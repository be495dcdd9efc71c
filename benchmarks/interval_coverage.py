"""How often 95 % intervals of a difference of mIoU hold the true difference, by simulation.

Two networks are scored on N orthophotos, each trained with S seeds. The recall of a class, as a
logit, has an effect of the orthophoto that both networks share, and effects of orthophoto, seed
and both that they do not: the scenarios say which of these is large. Orthophotos have very
different sizes and contents; most have little or nothing of some class. The jackknife interval of
partialseg.comparison.intervals is compared with those of scipy.stats.bootstrap, which resamples
orthophotos and seeds, crossed (Owen 2007, doi 10.1214/07-AOAS122): percentile, BCa, and the
percentile interval widened for small samples (Hesterberg 2015, doi
10.1080/00031305.2015.1089789).
"""

import argparse
import itertools
import sys
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import stats

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "src"))  # nothing is installed: the stages find partialseg so too

from partialseg.comparison.cells import miou
from partialseg.comparison.intervals import CONFIDENCE, half_width, pseudovalues
from timing import print_table

# Standard deviations of a network's own effects, in logits: orthophoto, seed, both.
SCENARIOS = {"orthophotos": (0.3, 0.1, 0.1), "seeds": (0.1, 0.3, 0.1), "both": (0.05, 0.05, 0.4)}
SHARES = np.array([0.55, 0.03, 0.3, 0.08, 0.04])  # of the classes of LandCover.ai, about
RECALL = np.array([2.2, 0.8, 2.0, 2.0, 0.4])  # logits of the first network's
GAIN = 0.15  # logits by which the second one is better
SHARED, SIZE, PIXELS = 0.6, 0.3, 1e6  # deviations of the common effect and of the log size
RESAMPLES = 999
Interval = tuple[float, float]


def simulate(
    rng: np.random.Generator, scenario: str, seeds: int, orthophotos: int
) -> NDArray[np.int64]:
    """Return the counts of two networks, int64 (2, S, N, C, C)."""
    classes = len(SHARES)
    shares = rng.dirichlet(4 * SHARES, orthophotos)
    shares[shares < 0.02] = 0  # a class is missing from many an orthophoto
    truth = PIXELS * rng.lognormal(0, SIZE, (orthophotos, 1)) * shares
    of_orthophoto, of_seed, of_both = SCENARIOS[scenario]
    logits = (
        RECALL
        + np.array([0, GAIN]).reshape(2, 1, 1, 1)
        + SHARED * rng.normal(size=(1, 1, orthophotos, classes))
        + of_orthophoto * rng.normal(size=(2, 1, orthophotos, classes)) / 2**0.5
        + of_seed * rng.normal(size=(2, seeds, 1, classes)) / 2**0.5
        + of_both * rng.normal(size=(2, seeds, orthophotos, classes)) / 2**0.5
    )
    recall = 1 / (1 + np.exp(-logits))[..., None]
    # What is missed goes to the other classes by their shares.
    others = (1 - np.eye(classes)) * SHARES
    rates = np.eye(classes) * recall + others / others.sum(1, keepdims=True) * (1 - recall)
    return np.rint(truth[..., None] * rates).astype(np.int64)


def gain(counts: NDArray[np.int64]) -> float:
    """Return the difference of the mean mIoU of (2, S, N, C, C)."""
    first, second = miou(counts.sum(axis=2)).mean(axis=1)
    return float(second - first)


def jackknife(counts: NDArray[np.int64]) -> Interval:
    """Return the project's interval."""
    half = half_width([pseudovalues(counts[1]) - pseudovalues(counts[0])])
    return gain(counts) - half, gain(counts) + half


def bootstraps(counts: NDArray[np.int64], rng: np.random.Generator) -> dict[str, Interval]:
    """Return the intervals of scipy's bootstrap; NaN where it has none."""
    seeds, number = counts.shape[1:3]

    def statistic(*indices: NDArray[np.int64], axis: int) -> NDArray[np.float64]:
        *of_seeds, of_orthophotos = indices
        times = np.eye(number)[of_orthophotos].sum(axis=-2)
        flat = counts.reshape(2, seeds, number, -1)
        summed = np.tensordot(times, flat, axes=(-1, 2)).reshape(
            *times.shape[:-1], 2, seeds, *counts.shape[3:]
        )
        gains = np.diff(miou(summed), axis=-2)[..., 0, :]
        if of_seeds:
            gains = np.take_along_axis(gains, of_seeds[0], axis=-1)
        return gains.mean(axis=-1)

    data = [np.arange(size) for size in (seeds, number) if size > 1]
    found = stats.bootstrap(data, statistic, n_resamples=RESAMPLES, method="BCa", rng=rng)
    samples = found.bootstrap_distribution
    quantile = stats.t.ppf((1 - CONFIDENCE) / 2, number - 1)
    wide = stats.norm.cdf((number / (number - 1)) ** 0.5 * quantile)
    return {
        "percentile": _percentile(samples, (1 - CONFIDENCE) / 2),
        "BCa": tuple(found.confidence_interval),
        "widened percentile": _percentile(samples, wide),
    }


def _percentile(samples: NDArray[np.float64], tail: float) -> Interval:
    low, high = np.quantile(samples, [tail, 1 - tail])
    return float(low), float(high)


def true_gain(scenario: str) -> float:
    """Return the gain on so many orthophotos and seeds that its error does not matter."""
    rng = np.random.default_rng(0)
    return float(np.mean([gain(simulate(rng, scenario, 100, 500)) for _ in range(10)]))


def coverage(
    scenario: str, truth: float, seeds: int, orthophotos: int, trials: int
) -> dict[str, object]:
    """Return the share of trials whose interval holds the truth, for each method."""
    rng = np.random.default_rng([seeds, orthophotos])
    held: dict[str, list[bool]] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)
        for _ in range(trials):
            counts = simulate(rng, scenario, seeds, orthophotos)
            intervals = {"ours": jackknife(counts)} | bootstraps(counts, rng)
            for method, (low, high) in intervals.items():
                held.setdefault(method, []).append(low <= truth <= high)
    row: dict[str, object] = {"large effect": scenario, "N": orthophotos, "S": seeds}
    return row | {method: np.mean(trial) for method, trial in held.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=400)
    parser.add_argument("--orthophotos", nargs="+", type=int, default=[2, 4, 8, 16])
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 3, 5])
    args = parser.parse_args()
    truths = {scenario: true_gain(scenario) for scenario in SCENARIOS}
    cases = itertools.product(truths.items(), args.orthophotos, args.seeds)
    print_table([coverage(*truth, seeds, number, args.trials) for truth, number, seeds in cases])


if __name__ == "__main__":
    main()
