from fractions import Fraction

import numpy as np
import pytest

from partialseg.core.classes import NO_TRUTH
from partialseg.labelling.patterns.budget import count_of, pixel_budget, smallest_fraction

# 100 pixels, 30 of them without a truth.
TRUTH = np.zeros((10, 10), np.uint8)
TRUTH[:3] = NO_TRUTH


@pytest.mark.parametrize(
    ("fraction", "units", "count"),
    [
        (0.15, 20, 3),
        (0.19, 20, 3),
        (0.29, 100, 29),  # 0.29 * 100 is 28.999999999999996
        (0.001, 999, 0),
        (1.0, 7, 7),
    ],
)
def test_the_count_is_the_floor_of_the_decimal(fraction: float, units: int, count: int) -> None:
    assert count_of(fraction, units) == count


@pytest.mark.parametrize("fraction", [0, -0.1, 1.0001, float("nan")])
def test_other_fractions_are_refused(fraction: float) -> None:
    with pytest.raises(ValueError, match=r"^label fraction must be in 0 < fraction <= 1, got"):
        count_of(fraction, 100)
    with pytest.raises(ValueError, match=r"^label fraction must be in 0 < fraction <= 1, got"):
        pixel_budget(TRUTH, "a", fraction, "scribbles")


@pytest.mark.parametrize(
    ("share", "smallest"),
    [
        (Fraction(1, 7), 0.142858),  # 0.1428571...
        (Fraction(1, 1024), 0.000977),  # 0.0009765625
        (Fraction(1, 4), 0.25),
        (Fraction(1), 1.0),
    ],
)
def test_the_smallest_fraction_is_rounded_up_so_that_it_pays(
    share: Fraction, smallest: float
) -> None:
    assert smallest_fraction(share) == smallest
    assert count_of(smallest, share.denominator) == share.numerator


@pytest.mark.parametrize(("fraction", "count"), [(0.01, 1), (0.299, 29), (0.7, 70)])
def test_the_budget_is_a_share_of_all_pixels(fraction: float, count: int) -> None:
    assert pixel_budget(TRUTH, "a", fraction, "scribbles") == count


def test_a_budget_of_less_than_a_pixel_names_the_smallest() -> None:
    message = (
        r"^patch a_3: boxes of up to 8 px: label fraction 0\.0099 of 100 pixels is less than one; "
        r"the smallest is 0\.01$"
    )
    with pytest.raises(ValueError, match=message):
        pixel_budget(TRUTH, "a_3", 0.0099, "boxes of up to 8 px")


def test_a_budget_beyond_the_truth_names_what_can_be_reached() -> None:
    message = (
        r"^patch a_3: boxes of up to 8 px reach 0\.7000 of the pixels, where all that have a truth "
        r"are labelled; the label fraction asks for 0\.71$"
    )
    with pytest.raises(ValueError, match=message):
        pixel_budget(TRUTH, "a_3", 0.71, "boxes of up to 8 px")
