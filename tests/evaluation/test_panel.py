import math

import pytest

from partialseg.evaluation.shown import choose_panel, class_entropy
from partialseg.tiling.patches import Patch


def patch(name: str, *counts: int, no_truth: int = 0) -> Patch:
    return Patch(
        name=name,
        orthophoto="a",
        index=0,
        row=0,
        column=0,
        split="test",
        crs="",
        transform=(1.0, 0.0, 0.0, 0.0, -1.0, 0.0),
        gsd=None,
        counts=counts,
        no_truth=no_truth,
    )


PLAIN = patch("plain", 100, 0, 0)
HALVES = patch("halves", 50, 50, 0)
MIXED = patch("mixed", 30, 30, 40)
EVEN = patch("even", 20, 20, 20)


@pytest.mark.parametrize(
    ("item", "entropy"),
    [
        (PLAIN, 0.0),
        (HALVES, math.log(2)),
        (EVEN, math.log(3)),
        (patch("quarter", 25, 75), 0.25 * math.log(4) + 0.75 * math.log(4 / 3)),
        (patch("partly known", 5, 5, no_truth=90), math.log(2)),
    ],
)
def test_entropy_is_that_of_the_shares_of_the_known_pixels(item: Patch, entropy: float) -> None:
    assert class_entropy(item) == pytest.approx(entropy)


def test_the_most_evenly_mixed_patches_come_first() -> None:
    patches = [PLAIN, MIXED, HALVES, EVEN]
    assert choose_panel(patches, 3) == [EVEN, MIXED, HALVES]
    assert patches == [PLAIN, MIXED, HALVES, EVEN]


def test_equal_ones_come_by_name_whatever_their_order() -> None:
    first, second = patch("a_1", 5, 5), patch("a_2", 50, 50)
    assert choose_panel([second, PLAIN, first], 2) == [first, second]
    assert choose_panel([first, second, PLAIN], 2) == [first, second]


def test_fewer_patches_than_wanted_are_all_shown() -> None:
    assert choose_panel([PLAIN, EVEN], 5) == [EVEN, PLAIN]
