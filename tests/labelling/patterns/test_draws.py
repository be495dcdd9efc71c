import hashlib

import numpy as np
import pytest

from partialseg.labelling.patterns.canvas import Draws


def numbers(pattern: str = "boxes", seed: int = 42, name: str = "a_0") -> list[int]:
    draws = Draws(pattern, seed, name)
    return [draws.below(1_000_000) for _ in range(8)]


def test_the_same_numbers_on_any_machine() -> None:
    key = int.from_bytes(hashlib.sha256(b"boxes/42/a_0").digest())
    raw = np.random.PCG64(key).random_raw(8)
    assert numbers() == [int(number) * 1_000_000 // 2**64 for number in raw] == GOLDEN


GOLDEN = [746007, 459829, 596097, 362605, 986330, 286380, 637861, 308354]


def test_pattern_seed_and_name_alone_decide() -> None:
    first = numbers()
    numbers("points", 1, "z")
    assert numbers() == first
    for other in (numbers(pattern="points"), numbers(seed=43), numbers(name="a_1")):
        assert not set(other) & set(first)


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_numbers_below_a_limit_are_equally_likely(limit: int) -> None:
    # Of 4,000 draws of a limit 5, 800 each are expected, standard deviation 25.
    draws = Draws("boxes", 42, "a_0")
    one_by_one = np.array([draws.below(limit) for _ in range(4_000)])
    at_once = draws.many_below(limit, 4_000)
    assert at_once.dtype == np.int64 and at_once.shape == (4_000,)
    for values in (one_by_one, at_once):
        counts = np.bincount(values)
        assert len(counts) == limit
        assert np.abs(counts - 4_000 / limit).max() < 5 * 32


def test_numbers_at_once_are_those_one_by_one() -> None:
    # Of a power of two both take the highest bits.
    one_by_one, at_once = Draws("boxes", 42, "a_0"), Draws("boxes", 42, "a_0")
    expected = [one_by_one.below(64) for _ in range(100)]
    assert at_once.many_below(64, 60).tolist() + at_once.many_below(64, 40).tolist() == expected


def test_no_two_keys_are_equal_and_their_order_is_random() -> None:
    keys = Draws("boxes", 42, "a_0").keys(1_000)
    assert keys.dtype == np.uint64
    # The place of a key is in its 10 low bits, so that equal random numbers make two keys.
    assert (keys & np.uint64(1_023)).tolist() == list(range(1_000))
    order = np.argsort(keys)
    # Of a random order, half of the places are in the first half: 250 expected, deviation 8.
    assert abs(int(np.sum(order[:500] < 500)) - 250) < 5 * 8
    assert (np.argsort(Draws("boxes", 43, "a_0").keys(1_000)) != order).any()


def test_no_key_for_no_pixel() -> None:
    assert Draws("boxes", 42, "a_0").keys(0).shape == (0,)


def test_the_same_keys_on_any_machine() -> None:
    keys = Draws("boxes", 42, "a_0").keys(1_000)
    assert hashlib.sha256(keys.astype("<u8").tobytes()).hexdigest() == (
        "45edffdaa05e79b9c9f2045a892be9cede732a1f2d348d436113ee8bf08a2380"
    )


def test_keys_and_numbers_are_drawn_from_one_sequence() -> None:
    draws = Draws("boxes", 42, "a_0")
    assert draws.below(10) == 7
    assert draws.keys(5).tolist() == [
        8482352288388607504,
        10996064350178094097,
        6688895735665162858,
        18194586122308855603,
        5282782670580893684,
    ]
    assert draws.below(1_000) == 637
