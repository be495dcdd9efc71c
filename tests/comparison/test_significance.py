import dataclasses

import numpy as np
import pytest
from scipy import stats

from partialseg.comparison.cells import ScoredCell
from partialseg.comparison.intervals import Term, bootstrap_interval, half_width, pseudovalues
from partialseg.comparison.significance import Difference, differences, expected_by_chance
from score_cells import equal_unions, make_scored, random_counts

WILD = np.array([[100, 900, 400, 20, 600]])


def compare(first: ScoredCell, second: ScoredCell) -> Difference:
    (difference,) = differences([first, second])
    return difference


def test_a_difference_has_the_hand_computed_value_and_the_paired_t_interval() -> None:
    first, second = np.array([[200, 400, 600, 100]]), np.array([[260, 500, 640, 200]])
    found = compare(
        make_scored(equal_unions(first)),
        make_scored(equal_unions(second), architecture="unetplusplus"),
    )
    assert (found.axis, found.values) == ("architecture", ("unet", "unetplusplus"))
    assert found.difference == pytest.approx(0.75 * 0.075)
    expected = stats.ttest_rel(second[0], first[0]).confidence_interval(0.95)
    assert found.jackknife == pytest.approx(tuple(0.75 / 1000 * np.array(expected)))
    assert found.significant and found.reason is None and not found.pooled
    assert (found.orthophotos, found.seeds) == ((4,), 1)


def test_a_constant_gain_is_seen_however_different_the_orthophotos_are() -> None:
    hits = WILD + np.array([[0], [3], [7]])
    plain, better = make_scored(equal_unions(hits)), equal_unions(hits + 10)
    found = compare(plain, make_scored(better, recipe="other"))
    assert found.difference == pytest.approx(0.0075)
    assert found.jackknife == pytest.approx((0.0075, 0.0075))
    assert found.significant
    reverse = compare(make_scored(better, recipe="other"), plain)
    assert reverse.difference == pytest.approx(-0.0075)
    assert reverse.significant
    # Under another split nothing is paired by orthophoto, and the gain drowns.
    assert not compare(plain, make_scored(better, split="other")).significant


def test_both_intervals_have_to_exclude_0() -> None:
    (found,) = differences(
        [
            make_scored(equal_unions(WILD)),
            make_scored(equal_unions(WILD + np.array([[60, 5, 5, 70, 8]])), recipe="other"),
        ]
    )
    assert found.bootstrap is not None and found.jackknife is not None
    assert found.bootstrap[0] > 0 > found.jackknife[0]  # of five orthophotos
    assert not found.significant
    both = dataclasses.replace(found, jackknife=(0.001, 0.1))
    assert both.significant
    assert not dataclasses.replace(both, bootstrap=(-0.1, -0.05)).significant


def test_the_bootstrap_is_that_of_the_weighted_cells() -> None:
    cells = [
        make_scored(random_counts(place), architecture=architecture, recipe=recipe)
        for place, (architecture, recipe) in enumerate(
            (a, r) for a in ("unet", "unetplusplus") for r in ("r0", "r1")
        )
    ]
    pooled = next(found for found in differences(cells) if found.axis == "architecture")
    terms = [
        Term(weight=weight, split="main", counts=cell.counts)
        for weight, cell in zip((-0.5, -0.5, 0.5, 0.5), cells, strict=True)
    ]
    assert pooled.bootstrap == pytest.approx(bootstrap_interval(terms))


def test_equal_cells_do_not_differ_significantly() -> None:
    counts = random_counts(3)
    found = compare(make_scored(counts), make_scored(counts, fraction="0.15"))
    assert (found.difference, found.bootstrap, found.jackknife) == (0, (0, 0), (0, 0))
    assert not found.significant


def test_seeds_that_differ_widen_the_interval() -> None:
    first = np.repeat(WILD, 3, axis=0)
    gains = np.array([[90], [10], [20]])
    one = compare(
        make_scored(equal_unions(first)), make_scored(equal_unions(first + gains), recipe="other")
    )
    expected = stats.ttest_1samp(0.75 * gains[:, 0] / 1000, 0).confidence_interval(0.95)
    assert one.jackknife == pytest.approx(tuple(expected))
    assert not one.significant
    assert one.seeds == 3


def test_splits_with_other_orthophotos_are_compared_unpaired() -> None:
    first, second = np.array([[200, 400, 600]]), np.array([[500, 700, 650, 900, 720]])
    found = compare(
        make_scored(equal_unions(first)), make_scored(equal_unions(second), split="other")
    )
    expected = stats.ttest_ind(second[0], first[0], equal_var=False).confidence_interval(0.95)
    assert found.axis == "split"
    assert found.orthophotos == (3, 5)
    assert found.difference == pytest.approx(0.75 * 0.294)
    assert found.jackknife == pytest.approx(tuple(0.75 / 1000 * np.array(expected)))


@pytest.mark.parametrize("number", [1, 5])
def test_without_two_orthophotos_there_is_no_interval(number: int) -> None:
    first = make_scored(equal_unions(WILD[:, :number]))
    found = compare(first, make_scored(equal_unions(WILD[:, :1]), split="other"))
    assert found.difference == pytest.approx(0.325 - first.miou())
    assert (found.bootstrap, found.jackknife, found.reason) == (None, None, "one orthophoto")
    assert not found.significant


def test_an_interval_stays_within_what_a_difference_can_be() -> None:
    first, second = equal_unions([[0, 990]]), equal_unions([[990, 0]])
    found = compare(make_scored(first), make_scored(second, recipe="other"))
    assert found.jackknife == (-1, 1)


def table(splits: tuple[str, ...] = ("main",), recipes: int = 2) -> list[ScoredCell]:
    """Return cells of 15, 5 and 10 %, two architectures, recipes and splits."""
    changes = [
        {"split": split, "fraction": fraction, "architecture": architecture, "recipe": f"r{recipe}"}
        for split in splits
        for fraction in ("0.15", "0.05", "0.1")
        for architecture in ("unet", "unetplusplus")
        for recipe in range(recipes)
    ]
    return [make_scored(random_counts(place), **these) for place, these in enumerate(changes)]


@pytest.mark.slow
def test_values_of_every_axis_are_compared_pooled_first() -> None:
    found = differences(table())
    assert [(f.axis, f.values, len(f.first)) for f in found] == [
        *[("fraction", ("0.05", "0.1"), pairs) for pairs in (4, 1, 1, 1, 1)],
        *[("fraction", ("0.1", "0.15"), pairs) for pairs in (4, 1, 1, 1, 1)],
        *[("architecture", ("unet", "unetplusplus"), pairs) for pairs in (6, 1, 1, 1, 1, 1, 1)],
        *[("recipe", ("r0", "r1"), pairs) for pairs in (6, 1, 1, 1, 1, 1, 1)],
    ]
    for difference in found:
        for first, second in zip(difference.first, difference.second, strict=True):
            change = {difference.axis: difference.values[1]}
            assert dataclasses.replace(first, **change) == second


def test_a_twentieth_of_the_intervals_excludes_0_by_chance() -> None:
    assert expected_by_chance(24) == pytest.approx(1.2)
    assert expected_by_chance(0) == 0


@pytest.mark.slow
def test_recipes_are_compared_with_the_first_and_fractions_with_the_next_smaller_one() -> None:
    found = [item for item in differences(table(recipes=3)) if item.pooled]
    assert [item.values for item in found if item.axis == "recipe"] == [("r0", "r1"), ("r0", "r2")]
    fractions = [item.values for item in found if item.axis == "fraction"]
    assert fractions == [("0.05", "0.1"), ("0.1", "0.15")]


@pytest.mark.slow
def test_a_pooled_difference_is_the_mean_of_its_pairs() -> None:
    cells = table()
    found = [difference for difference in differences(cells) if difference.axis == "recipe"]
    pooled, pairs = found[0], found[1:]
    assert pooled.pooled and not any(pair.pooled for pair in pairs)
    assert pooled.first == tuple(pair.first[0] for pair in pairs)
    mean = sum(pair.difference for pair in pairs) / 6
    assert pooled.difference == pytest.approx(mean)
    of_cell = {scored.cell: pseudovalues(scored.counts) for scored in cells}
    gains = [of_cell[pair.second[0]] - of_cell[pair.first[0]] for pair in pairs]
    half = half_width([np.mean(gains, axis=0)])
    assert pooled.jackknife == pytest.approx((mean - half, mean + half))


@pytest.mark.slow
def test_pairs_under_several_splits_are_pooled_as_independent() -> None:
    cells = table(("main", "other"), recipes=1)
    found = [difference for difference in differences(cells) if difference.axis == "architecture"]
    of_cell = {scored.cell: pseudovalues(scored.counts) for scored in cells}
    gains = [of_cell[pair.second[0]] - of_cell[pair.first[0]] for pair in found[1:]]
    half = half_width([sum(gains[:3]) / 6, sum(gains[3:]) / 6])
    assert found[0].orthophotos == (6, 6)
    assert found[0].jackknife is not None
    assert np.diff(found[0].jackknife) / 2 == pytest.approx(half)


def test_cells_without_a_partner_are_not_compared() -> None:
    lone = make_scored(random_counts(1), fraction="0.5", recipe="other")
    assert differences([lone]) == []
    assert differences([make_scored(random_counts(2)), lone]) == []


@pytest.mark.slow
def test_equal_cells_give_equal_differences() -> None:
    assert differences(table()) == differences(table())
