from itertools import pairwise

import numpy as np
import pytest

from partialseg.core.classes import NO_TRUTH
from partialseg.labelling.patterns import patches
from pattern_patches import halves

NAMES = [f"a_{number}" for number in range(40)]


@pytest.mark.parametrize(
    ("fraction", "count"), [(0.025, 1), (0.1, 4), (0.29, 11), (0.5, 20), (0.999, 39), (1.0, 40)]
)
def test_the_floor_of_the_share_is_chosen(fraction: float, count: int) -> None:
    chosen = patches.chosen(NAMES, 42, fraction)
    assert len(chosen) == count and chosen <= set(NAMES)


def test_a_smaller_fraction_lies_inside_a_larger_one() -> None:
    made = [patches.chosen(NAMES, 42, fraction) for fraction in (0.025, 0.1, 0.3, 0.6, 0.9, 1.0)]
    for smaller, larger in pairwise(made):
        assert smaller < larger


def test_the_order_of_the_names_does_not_matter() -> None:
    assert patches.chosen(NAMES[::-1], 42, 0.3) == patches.chosen(NAMES, 42, 0.3)
    assert patches.chosen(set(NAMES), 42, 0.3) == patches.chosen(NAMES, 42, 0.3)


def test_a_name_more_pushes_out_one_at_most() -> None:
    chosen = patches.chosen(NAMES, 42, 0.5)
    assert len(chosen - patches.chosen([*NAMES, "b_0"], 42, 0.5)) <= 1


def test_names_are_equally_likely() -> None:
    times = dict.fromkeys(NAMES, 0)
    for seed in range(400):
        for name in patches.chosen(NAMES, seed, 0.25):
            times[name] += 1
    # 100 times each, standard deviation 8.7.
    assert max(abs(count - 100) for count in times.values()) < 5 * 8.7


def test_the_same_patches_on_any_machine() -> None:
    assert patches.chosen(NAMES, 42, 0.1) == GOLDEN


GOLDEN = {"a_31", "a_37", "a_16", "a_19"}


@pytest.mark.parametrize("fraction", [0, -0.1, 1.5, float("nan")])
def test_other_fractions_are_refused(fraction: float) -> None:
    with pytest.raises(ValueError, match=r"^label fraction must be in 0 < fraction <= 1, got"):
        patches.chosen(NAMES, 42, fraction)


def test_less_than_a_patch_names_the_smallest() -> None:
    message = (
        r"^patches: label fraction 0\.14 of 7 patches is less than one; the smallest is 0\.142858$"
    )
    with pytest.raises(ValueError, match=message):
        patches.chosen(NAMES[:7], 42, 0.14)
    assert len(patches.chosen(NAMES[:7], 42, 0.142858)) == 1


def test_no_patch_at_all_is_less_than_one() -> None:
    message = r"label fraction 1\.0 of 0 patches is less than one; the smallest is that of one"
    with pytest.raises(ValueError, match=message):
        patches.chosen([], 42, 1.0)


def test_a_chosen_patch_is_labelled_wherever_it_has_a_truth() -> None:
    truth = halves()
    truth[:10] = NO_TRUTH
    annotation = patches.whole(truth)
    assert not annotation.visible[:10].any() and annotation.visible[10:].all()
    assert (annotation.clicks, annotation.short) == (0, {})
    # 54 x 64 pixels; 90 minutes for 2048 x 1024.
    assert annotation.seconds == pytest.approx(3_456 * 5_400 / 2_097_152)
    assert annotation.visible.dtype == np.bool_
