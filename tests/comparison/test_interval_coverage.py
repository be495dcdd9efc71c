"""What the benchmark of the intervals simulates, and how it counts."""

import itertools

import numpy as np
import pytest

from interval_coverage import (
    PIXELS,
    SCENARIOS,
    bootstraps,
    coverage,
    gain,
    jackknife,
    simulate,
    true_gain,
)
from score_cells import equal_unions, random_counts

HITS = np.array([[100, 300, 600]])
GAINS = np.array([[10, -20, 70]])


@pytest.mark.slow
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_networks_and_seeds_see_the_same_truth(scenario: str) -> None:
    counts = simulate(np.random.default_rng(1), scenario, 3, 40)
    assert counts.shape == (2, 3, 40, 5, 5)
    truth = counts.sum(axis=-1)
    assert np.abs(truth - truth[0, 0]).max() <= 5  # each count is rounded
    assert (truth[0, 0] == 0).any(axis=0).sum() >= 3  # classes that some orthophotos lack
    assert truth[0, 0].sum(axis=-1).mean() == pytest.approx(PIXELS, rel=0.3)
    assert 0.01 < true_gain(scenario) < 0.05


def test_bootstraps_are_those_of_all_resamples() -> None:
    counts = np.stack([equal_unions(HITS), equal_unions(HITS + GAINS)])
    found = bootstraps(counts, np.random.default_rng(1))
    means = [sum(resample) / 3 for resample in itertools.product(GAINS[0], repeat=3)]
    # One resample of 27 is the smallest gain alone, which is more than 2.5 %.
    expected = tuple(0.75 / 1000 * np.array([min(means), max(means)]))
    assert found["percentile"] == pytest.approx(expected)
    assert found["widened percentile"] == pytest.approx(expected)
    low, high = found["BCa"]
    assert expected[0] <= low < high <= expected[1]


def test_bootstraps_resample_seeds_too() -> None:
    hits = np.repeat(HITS, 3, axis=0)
    of_seeds = np.array([[10], [-20], [70]])
    counts = np.stack([equal_unions(hits), equal_unions(hits + of_seeds)])
    found = bootstraps(counts, np.random.default_rng(1))
    assert found["percentile"] == pytest.approx((-0.015, 0.0525))


def test_ours_is_centred_on_the_gain_that_is_the_second_less_the_first() -> None:
    counts = np.stack([equal_unions(HITS), equal_unions(HITS + GAINS)])
    assert gain(counts) == pytest.approx(0.75 * 0.02)
    low, high = jackknife(counts)
    assert low < high and (low + high) / 2 == pytest.approx(gain(counts))
    same = np.stack([random_counts(1), random_counts(1)])
    assert jackknife(same) == (0, 0)


@pytest.mark.slow
def test_shares_are_those_of_the_trials_that_hold_the_truth() -> None:
    row = coverage("orthophotos", true_gain("orthophotos"), 3, 4, 40)
    assert [*row] == ["large effect", "N", "S", "ours", "percentile", "BCa", "widened percentile"]
    assert (row["N"], row["S"]) == (4, 3)
    assert 0.8 < float(str(row["ours"])) <= 1
    assert coverage("orthophotos", 9.0, 3, 4, 5)["ours"] == 0
