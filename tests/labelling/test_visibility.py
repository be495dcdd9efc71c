import hashlib
from itertools import pairwise

import numpy as np
import pytest

from partialseg.visibility import pixel_keys, visible_count, visible_pixels


@pytest.mark.parametrize(
    ("fraction", "pixels", "count"),
    [
        (0.1, 147_456, 14_745),
        (0.15, 147_456, 22_118),
        (0.29, 100, 29),  # 0.29 * 100 is 28.999999999999996
        (0.57, 100, 57),
        (1e-05, 147_456, 1),
        (1.0, 147_456, 147_456),
        (1, 100, 100),
        (0.001, 999, 0),
    ],
)
def test_the_count_is_the_floor_of_the_decimal(fraction: float, pixels: int, count: int) -> None:
    assert visible_count(fraction, pixels) == count


@pytest.mark.parametrize("fraction", [0.001, 0.1, 0.15, 0.5, 0.999, 1.0])
def test_exactly_that_many_are_visible(fraction: float) -> None:
    visible = visible_pixels(42, "sample-01_3", 96, 100, fraction)
    assert visible.shape == (96, 100) and visible.dtype == np.bool_
    assert visible.sum() == visible_count(fraction, 9_600)


def test_a_smaller_fraction_lies_inside_a_larger_one() -> None:
    fractions = [0.01, 0.05, 0.1, 0.15, 0.3, 0.8, 1.0]
    masks = [visible_pixels(42, "a", 64, 64, fraction) for fraction in fractions]
    for smaller, larger in pairwise(masks):
        assert not (smaller & ~larger).any()


def test_seed_and_name_alone_decide() -> None:
    first = visible_pixels(42, "a", 64, 64, 0.1)
    visible_pixels(1, "z", 64, 64, 0.1)
    np.testing.assert_array_equal(visible_pixels(42, "a", 64, 64, 0.1), first)
    assert (visible_pixels(43, "a", 64, 64, 0.1) != first).any()
    assert (visible_pixels(42, "b", 64, 64, 0.1) != first).any()


def test_pixels_are_spread_evenly() -> None:
    # Quadrants of a 10 % draw over 512 x 512 px: 6,553.5 expected, standard deviation 66.
    visible = visible_pixels(42, "a", 512, 512, 0.1)
    quadrants = visible.reshape(2, 256, 2, 256).sum(axis=(1, 3))
    assert np.abs(quadrants - 6_553.5).max() < 5 * 66


def test_the_same_bytes_on_any_machine() -> None:
    bits = np.packbits(visible_pixels(42, "N-33-60-D-c-4-2_17", 384, 384, 0.1))
    assert hashlib.sha256(bits.tobytes()).hexdigest() == GOLDEN


GOLDEN = "b9c74403ab2ff0df6c88ce22b508fbd8a4506041c185e344214ddd34e6aef298"


@pytest.mark.parametrize("fraction", [0, -0.1, 1.5, float("nan")])
def test_other_fractions_are_refused(fraction: float) -> None:
    with pytest.raises(ValueError, match=r"must be in 0 < fraction <= 1, got"):
        visible_pixels(42, "a", 8, 8, fraction)


@pytest.mark.parametrize("fraction", [0.001, 0.1, 0.5, 1.0])
def test_the_smallest_keys_are_the_visible_pixels(fraction: float) -> None:
    keys = pixel_keys(42, "sample-01_3", 96 * 100)
    count = visible_count(fraction, 96 * 100)
    first = np.isin(np.arange(96 * 100), keys.argsort()[:count]).reshape(96, 100)
    np.testing.assert_array_equal(first, visible_pixels(42, "sample-01_3", 96, 100, fraction))


def test_keys_of_pixels_are_unique() -> None:
    assert len(np.unique(pixel_keys(42, "a", 64 * 64) & np.uint64(2**13 - 1))) == 64 * 64


def test_the_same_keys_on_any_machine() -> None:
    keys = pixel_keys(42, "N-33-60-D-c-4-2_17", 384 * 384)
    assert hashlib.sha256(keys.astype("<u8").tobytes()).hexdigest() == GOLDEN_KEYS


GOLDEN_KEYS = "bee2db4d5227aa37f9ffc6dede3f11d9b265a8612dfc2d056d721bb3fcf494b9"
