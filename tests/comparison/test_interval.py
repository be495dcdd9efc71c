"""Intervals against scipy's t tests, an analysis of variance by loops, and a simulation."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from partialseg.comparison.cells import miou
from partialseg.comparison.intervals import half_width, pseudovalues
from score_cells import equal_unions, random_counts

Table = NDArray[np.float64]


def test_pseudovalues_are_those_of_leaving_one_out() -> None:
    counts = random_counts(4, seeds=2, number=4)
    values = pseudovalues(counts)
    assert values.shape == (2, 4)
    for seed, left_out in np.ndindex(2, 4):
        others = [place for place in range(4) if place != left_out]
        all_of_them = sum(counts[seed, place] for place in range(4))
        without = sum(counts[seed, place] for place in others)
        expected = 4 * miou(all_of_them) - 3 * miou(without)
        assert values[seed, left_out] == pytest.approx(expected, rel=1e-12)


def test_pseudovalues_of_a_mean_are_the_scores_of_the_orthophotos() -> None:
    hits = [[100, 900, 400], [300, 500, 0]]
    expected = 0.25 + 0.75 * np.array(hits) / 1000
    np.testing.assert_allclose(pseudovalues(equal_unions(hits)), expected, rtol=1e-12)


def test_one_orthophoto_has_no_pseudovalue() -> None:
    with pytest.raises(AssertionError, match="one orthophoto"):
        pseudovalues(equal_unions([[100]]))


@pytest.mark.parametrize("number", [2, 5, 30])
def test_with_one_seed_it_is_the_t_interval_of_scipy(number: int) -> None:
    values = np.random.default_rng(number).normal(0.1, 0.3, number)
    low, high = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    half = half_width([values[None]])
    assert (values.mean() - half, values.mean() + half) == pytest.approx((low, high))


def test_two_tables_of_one_seed_are_the_welch_interval_of_scipy() -> None:
    rng = np.random.default_rng(6)
    first, second = rng.normal(0, 1, 4), rng.normal(1, 3, 9)
    low, high = stats.ttest_ind(second, first, equal_var=False).confidence_interval(0.95)
    difference = second.mean() - first.mean()
    half = half_width([-first[None], second[None]])
    assert (difference - half, difference + half) == pytest.approx((low, high))


def test_equal_orthophotos_leave_the_t_interval_of_the_seeds() -> None:
    seeds = np.array([0.3, 0.1, 0.6])
    low, high = stats.ttest_1samp(seeds, 0).confidence_interval(0.95)
    assert half_width([np.repeat(seeds[:, None], 5, axis=1)]) == pytest.approx((high - low) / 2)


def test_equal_seeds_leave_the_t_interval_of_the_orthophotos() -> None:
    values = np.array([0.3, 0.1, 0.6, 0.2])
    low, high = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert half_width([np.repeat(values[None], 3, axis=0)]) == pytest.approx((high - low) / 2)


def crossed(
    seed: int, of_seeds: float, of_orthophotos: float, of_both: float, shape: tuple[int, int]
) -> Table:
    rng = np.random.default_rng(seed)
    return (
        of_seeds * rng.normal(size=(shape[0], 1))
        + of_orthophotos * rng.normal(size=(1, shape[1]))
        + of_both * rng.normal(size=shape)
    )


def mean_squares(table: Table) -> tuple[float, float, float]:
    """Return the mean squares of seeds, orthophotos and their interaction, by loops."""
    seeds, number = table.shape
    mean = sum(table[i, j] for i in range(seeds) for j in range(number)) / (seeds * number)
    rows = [sum(table[i]) / number for i in range(seeds)]
    columns = [sum(table[:, j]) / seeds for j in range(number)]
    of_rows = number * sum((row - mean) ** 2 for row in rows) / (seeds - 1)
    of_columns = seeds * sum((column - mean) ** 2 for column in columns) / (number - 1)
    rest = sum(
        (table[i, j] - rows[i] - columns[j] + mean) ** 2
        for i in range(seeds)
        for j in range(number)
    )
    return of_rows, of_columns, rest / ((seeds - 1) * (number - 1))


def test_it_is_that_of_the_analysis_of_variance() -> None:
    table = crossed(1, 1, 1, 0.5, (3, 6))
    rows, columns, both = mean_squares(table)
    assert rows > both and columns > both
    total = rows + columns - both
    freedom = total**2 / (rows**2 / 2 + columns**2 / 5 + both**2 / 10)
    assert freedom > 2
    expected = stats.t.ppf(0.975, freedom) * (total / 18) ** 0.5
    assert half_width([table]) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("of_seeds", "of_orthophotos", "largest", "freedom"),
    [(3, 0.01, 0, 2), (0.01, 3, 1, 5), (0.01, 0.01, 2, 10)],
)
def test_a_factor_below_the_interaction_adds_nothing(
    of_seeds: float, of_orthophotos: float, largest: int, freedom: int
) -> None:
    both = np.random.default_rng(1).normal(size=(3, 6))
    both = both - both.mean(axis=0) - both.mean(axis=1, keepdims=True) + both.mean()
    table = both + of_seeds * np.array([[-1], [0], [1]]) + of_orthophotos * np.arange(6)
    squares = mean_squares(table)
    assert [square > squares[2] for square in squares] == [largest == 0, largest == 1, False]
    expected = stats.t.ppf(0.975, freedom) * (squares[largest] / 18) ** 0.5
    assert half_width([table]) == pytest.approx(expected, rel=1e-12)


def test_without_spread_it_is_zero() -> None:
    assert half_width([np.zeros((3, 4))]) == half_width([np.zeros((1, 4))]) == 0


@pytest.mark.slow
@pytest.mark.parametrize("effects", [(1, 1, 0.5), (0, 1, 1), (1, 0.3, 1)])
@pytest.mark.parametrize("shape", [(3, 8), (5, 4)])
def test_it_holds_the_truth_about_as_often_as_it_says(
    effects: tuple[float, float, float], shape: tuple[int, int]
) -> None:
    tables = [crossed(seed, *effects, shape) for seed in range(1500)]
    held = np.mean([abs(table.mean()) <= half_width([table]) for table in tables])
    # 4 standard errors of a share of 1,500; an interval that ignores a factor is below 0.85.
    assert 0.93 < held < 0.99


def test_tables_with_common_seeds_are_paired_by_seed() -> None:
    """Effects of the seeds that are equal under both splits cancel."""
    rng = np.random.default_rng(2)
    first, second = rng.normal(size=(3, 4)), rng.normal(size=(3, 5))
    shift = np.array([[-5.0], [0], [7]])
    plain = half_width([-first, second])
    assert half_width([-(first + shift), second + shift]) == pytest.approx(plain)
    assert half_width([-first, second + shift]) > 3 * plain
