"""Bootstrap intervals against enumerations of all resamples, and the design of the draws."""

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from partialseg.comparison.cells import miou
from partialseg.comparison.intervals import Term, bootstrap_interval


def made_up_counts(seed: int, seeds: int, orthophotos: int) -> NDArray[np.int64]:
    """Return counts (S, N, 3, 3) of a network that is mostly right, orthophotos unlike."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, 100, (seeds, orthophotos, 3, 3))
    counts[..., range(3), range(3)] += rng.integers(100, 900, (1, orthophotos, 3))
    return counts.astype(np.int64)


def pair(first: NDArray[np.int64], second: NDArray[np.int64], *splits: str) -> list[Term]:
    one, other = splits or ("main", "main")
    return [
        Term(weight=-1.0, split=one, counts=first),
        Term(weight=1.0, split=other, counts=second),
    ]


@pytest.mark.parametrize("seeds", [1, 2])
def test_limits_are_those_of_all_resamples(seeds: int) -> None:
    first, second = made_up_counts(1, seeds, 3), made_up_counts(2, seeds, 3)
    draws = itertools.product(
        itertools.product(range(3), repeat=3), itertools.product(range(seeds), repeat=seeds)
    )
    every = []
    for orthophotos, of_seeds in draws:
        values = [
            miou(counts[list(of_seeds)][:, list(orthophotos)].sum(axis=1)).mean()
            for counts in (first, second)
        ]
        every.append(values[1] - values[0])
    assert len(every) == 27 * seeds**seeds
    low, high = np.quantile(every, [0.025, 0.975], method="inverted_cdf")
    found = bootstrap_interval(pair(first, second))
    # The resamples take each of the few values in other shares than the enumeration.
    spread = max(every) - min(every)
    assert found == pytest.approx((low, high), abs=0.05 * spread)
    assert min(every) <= found[0] < found[1] <= max(every)


def test_one_split_is_paired_by_orthophoto() -> None:
    """The second network is a little better on each of orthophotos that differ wildly."""
    first = made_up_counts(3, 1, 8)
    second = first.copy()
    moved = second[..., 0, 1] // 2
    second[..., 0, 1] -= moved
    second[..., 0, 0] += moved
    low, high = bootstrap_interval(pair(first, second))
    assert 0 < low < high
    apart = bootstrap_interval(pair(first, second, "main", "official"))
    assert apart[0] < 0 < apart[1]  # other orthophotos: drawn independently


def test_seeds_are_paired() -> None:
    first = np.concatenate([made_up_counts(seed, 1, 4) for seed in range(3)])
    assert bootstrap_interval(pair(first, first)) == (0.0, 0.0)
    assert bootstrap_interval(pair(first, first[::-1]))[0] < 0


def test_two_calls_agree() -> None:
    terms = pair(made_up_counts(1, 3, 5), made_up_counts(2, 3, 5))
    assert bootstrap_interval(terms) == bootstrap_interval(terms)


def test_weights_make_a_mean_of_pairs() -> None:
    terms = pair(made_up_counts(1, 2, 5), made_up_counts(2, 2, 5))
    halves = [Term(weight=term.weight / 2, split=term.split, counts=term.counts) for term in terms]
    assert bootstrap_interval([*halves, *halves]) == pytest.approx(bootstrap_interval(terms))
