import tracemalloc

import numpy as np
import pytest
from numpy.typing import NDArray

from partialseg.acquisition.pool import pixel_keys
from partialseg.acquisition.selection import (
    LEVELS,
    Limit,
    best_first,
    equal_shares,
    fill_level,
    find_limit,
    score_levels,
)

Orders = NDArray[np.uint64]


def held(orders: list[Orders], count: int) -> list[NDArray[np.bool_]]:
    limit = find_limit(orders.__getitem__, len(orders), count)
    return [limit.holds(of_patch, place) for place, of_patch in enumerate(orders)]


def sorted_out(orders: list[Orders], count: int) -> list[NDArray[np.bool_]]:
    """Choose by sorting all (order, place) at once."""
    ranked = sorted((int(value), place) for place, part in enumerate(orders) for value in part)
    first = set(ranked[:count])
    return [
        np.array([(int(value), place) in first for value in part], np.bool_)
        for place, part in enumerate(orders)
    ]


@pytest.mark.parametrize("bits", [64, 34, 20, 9])
@pytest.mark.parametrize("count", [1, 2, 57, 299, 300])
def test_the_limit_is_that_of_a_sort_of_everything(bits: int, count: int) -> None:
    """Few bits put many orders under one digit, up to all of them, and repeat them in patches."""
    rng = np.random.default_rng(bits)
    sizes = (100, 0, 150, 50)
    orders = [
        rng.choice(2 ** min(bits, 62), size, replace=False).astype(np.uint64) for size in sizes
    ]
    orders = [part << np.uint64(64 - bits if bits > 20 else 0) for part in orders]
    found, expected = held(orders, count), sorted_out(orders, count)
    assert sum(int(part.sum()) for part in found) == count
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_of_equal_orders_those_of_the_earlier_patches_are_held() -> None:
    orders = [np.array([7, 9], np.uint64) for _ in range(4)]
    assert find_limit(orders.__getitem__, 4, 2) == Limit(order=7, place=1)
    assert [part.tolist() for part in held(orders, 5)] == [[True, True]] + 3 * [[True, False]]


def test_more_than_there_are_is_refused() -> None:
    orders = [np.arange(3, dtype=np.uint64)]
    message = r"not enough pixels left: 4 wanted, 3 are unlabelled"
    with pytest.raises(ValueError, match=message):
        find_limit(orders.__getitem__, 1, 4)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_patches() -> None:
    def peak(places: int) -> int:
        levels = np.zeros(64 * 64, np.uint16)  # all alike: the keys decide everything
        tracemalloc.start()
        find_limit(
            lambda place: best_first(levels, pixel_keys(1, str(place), 64 * 64)), places, 9_999
        )
        largest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return largest

    peak(3)
    assert peak(300) < peak(30) + 300 * 500  # the maps of 300 patches take 300 * 32,768 bytes


def test_levels_are_of_equal_width() -> None:
    scores = np.array([0.0, 0.5, 1.0, 2.0, 2.1, -0.1])
    assert score_levels(scores, 2.0).tolist() == [0, 16384, 32768, 65535, 65535, 0]
    assert score_levels(scores, 2.0).dtype == np.uint16


def test_the_best_level_comes_first_and_then_the_smallest_key() -> None:
    levels = np.array([3, 9, 3, LEVELS - 1, 0], np.uint16)
    keys = np.array([5, 8, 4, 2**48 - 1, 0], np.uint64)
    assert best_first(levels, keys).argsort().tolist() == [3, 1, 2, 0, 4]
    assert len(np.unique(best_first(np.zeros(4096, np.uint16), pixel_keys(1, "a", 4096)))) == 4096


@pytest.mark.parametrize(
    ("labelled", "budget", "level"),
    [
        ((0, 0, 0), 30, 10),
        ((0, 0, 0), 29, 9),
        ((4, 4, 4), 2, 4),
        ((4, 4, 4), 3, 5),
        ((0, 5, 90), 15, 10),
        ((0, 5, 90), 14, 9),
        ((99, 100, 100), 1, 100),
    ],
)
def test_patches_are_filled_to_one_level(
    labelled: tuple[int, ...], budget: int, level: int
) -> None:
    assert fill_level(np.array(labelled), 100, budget) == level


@pytest.mark.parametrize(
    ("available", "budget", "shares"),
    [
        ((100, 100, 100), 30, (10, 10, 10)),
        ((100, 100, 100), 31, (10, 10, 11)),  # class 2 is the rarest, then 0, then 1
        ((100, 100, 100), 32, (11, 10, 11)),
        ((4, 100, 100), 30, (4, 13, 13)),
        ((4, 100, 0), 30, (4, 26, 0)),
        ((4, 5, 6), 15, (4, 5, 6)),
        ((4, 5, 6), 14, (4, 5, 5)),
        ((4, 5, 6), 13, (4, 4, 5)),
        ((9, 9, 9), 1, (0, 0, 1)),
        ((9, 9, 0), 1, (1, 0, 0)),
    ],
)
def test_a_budget_is_shared_equally_as_far_as_there_are_pixels(
    available: tuple[int, ...], budget: int, shares: tuple[int, ...]
) -> None:
    assert equal_shares(available, (2, 0, 1), budget) == shares


def test_shares_of_more_than_there_are_are_refused() -> None:
    with pytest.raises(ValueError, match=r"not enough pixels left: 16 wanted, 15 are unlabelled"):
        equal_shares((4, 5, 6), (2, 0, 1), 16)
