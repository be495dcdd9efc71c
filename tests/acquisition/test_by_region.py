from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from acquisition_pool import labelled, pool_of, write_visible
from partialseg.acquisition.by_region import (
    Windows,
    balanced_order,
    core_set_order,
    find_windows,
    random_order,
    take_fitting,
    take_turns,
    uncertain_order,
    window_pixels,
)
from partialseg.acquisition.pool import Pool
from partialseg.labelling.label import label
from small_run import label_params

# Windows of 12 px in a patch of 32 px: the last of a row and of a column has 8 px.
SIDE = 12
COSTS = [144, 144, 96, 144, 144, 96, 96, 96, 64]


@pytest.fixture
def patches(make_patches: Callable[..., Path]) -> Path:
    return make_patches()


@pytest.fixture
def pool(patches: Path, tmp_path: Path) -> Pool:
    """Return three patches of which the first has its left upper window labelled, and a pixel."""
    first = np.zeros((32, 32), np.bool_)
    first[:SIDE, :SIDE] = first[31, 31] = True
    none = np.zeros((32, 32), np.bool_)
    return pool_of(patches, write_visible(patches, tmp_path / "labels", [first, none, none]))


def windows_of(costs: Sequence[int], keys: Sequence[int]) -> Windows:
    return Windows(side=2, unlabelled=np.array(costs), keys=np.array(keys, np.uint64))


def window(values: NDArray[np.generic], index: int) -> NDArray[np.generic]:
    """Return the values (P, ..., H, W) in the window of this index among those of all patches."""
    place, number = divmod(index, 9)
    row, column = divmod(number, 3)
    rows, columns = (slice(at * SIDE, (at + 1) * SIDE) for at in (row, column))
    return values[place][..., rows, columns]


def test_a_window_costs_its_unlabelled_pixels(pool: Pool) -> None:
    windows = find_windows(pool, SIDE)
    assert windows.unlabelled.tolist() == [0, *COSTS[1:-1], 63, *COSTS, *COSTS]
    assert len(np.unique(windows.keys)) == 27


def test_windows_larger_than_a_patch_are_the_patch(pool: Pool) -> None:
    assert find_windows(pool, 100).unlabelled.tolist() == [1024 - 145, 1024, 1024]


def test_random_windows_come_in_the_order_of_their_keys() -> None:
    assert list(random_order(windows_of([4, 4, 0, 4], [7, 3, 1, 5]))) == [1, 3, 0]


def test_the_seed_and_the_name_draw_the_windows(patches: Path, tmp_path: Path) -> None:
    label(patches, tmp_path / "labels", 0.1, 42, label_params())
    orders = [
        list(random_order(find_windows(pool_of(patches, tmp_path / "labels", seed), SIDE)))
        for seed in (1, 1, 2)
    ]
    assert sorted(orders[0]) == list(range(27))
    assert orders[0] == orders[1] != orders[2]


def test_the_highest_mean_score_of_unlabelled_pixels_comes_first(pool: Pool) -> None:
    scores = np.random.default_rng(3).random((3, 32, 32))
    scores[0, 31, 31] = 1_000.0  # labelled: it must not count
    windows = find_windows(pool, SIDE)
    order = list(uncertain_order(pool, windows, scores))
    free = ~labelled(pool)
    means = [float(window(scores, i)[window(free, i)].mean()) for i in range(1, 27)]
    assert order == [1 + i for i in np.argsort(means)[::-1]]


def test_windows_of_equal_score_come_in_the_order_of_their_keys(pool: Pool) -> None:
    windows = find_windows(pool, SIDE)
    scores = np.full((3, 32, 32), 0.25)
    assert list(uncertain_order(pool, windows, scores)) == list(random_order(windows))


def test_a_window_stands_for_the_class_of_most_of_its_unlabelled_pixels(pool: Pool) -> None:
    ids = np.zeros((3, 32, 32), np.int64)
    ids[:, :, SIDE : 2 * SIDE] = 1  # the second column of windows
    ids[1, :SIDE, : SIDE // 2 + 1] = 2  # 7 of 12 columns of a window
    predicted = np.moveaxis(np.eye(3, dtype=np.float32)[ids], -1, 1)
    windows = find_windows(pool, SIDE)
    order = list(balanced_order(pool, windows, predicted))
    assert sorted(order) == list(range(1, 27))
    of_class = {0: [], 1: [], 2: []}
    for index in order:
        of_class[int(np.bincount(window(ids, index).ravel()).argmax())].append(index)
    assert of_class[2] == [9]
    # A round over the three classes begins with the rarest label.
    drawn = list(random_order(windows))
    first = [next(i for i in drawn if i in of_class[index]) for index in pool.rarest_first()]
    assert order[:3] == first


def test_classes_take_turns_until_they_have_equally_many_pixels() -> None:
    #                    class 0        class 1      class 2
    windows = windows_of([4, 4, 4, 4, 2, 2, 2, 4], [1, 2, 3, 4, 5, 6, 7, 8])
    of_class = np.array([0, 0, 0, 0, 1, 1, 1, 2])
    # 2 and 1 and 0 get one each: 4, 2, 4 pixels; 1 gets another: all have 4.
    # 2 has no more; 1 gets its last (6), then 0 (8), and the others of it.
    assert list(take_turns(windows, of_class, [2, 1, 0])) == [7, 4, 0, 5, 6, 1, 2, 3]


def test_the_core_set_reaches_the_farthest_features_from_what_is_labelled(pool: Pool) -> None:
    # Cells of 16 px and windows of 16 px: 2 x 2 in a patch.
    values = np.array([[[1, 2], [2, 2]], [[2, 9], [1, 1]], [[1, 1], [5, 1]]], np.float32)
    windows = find_windows(pool, 16)
    assert windows.unlabelled[0] == 256 - 144
    order = list(core_set_order(pool, windows, values[:, None]))
    assert sorted(order) == list(range(12))
    mean = values.mean()  # 2.33: no window is wholly labelled, so the first is nearest to it
    assert abs(values.ravel()[order[0]] - mean) == np.abs(values - mean).min()
    assert order[1] == 5  # the 9
    assert order[2] == 10  # the 5: 3 from 2, 4 from 9


def test_wholly_labelled_windows_are_centres_from_the_start(patches: Path, tmp_path: Path) -> None:
    first = np.zeros((32, 32), np.bool_)
    first[:16, 16:] = True
    none = np.zeros((32, 32), np.bool_)
    labels = write_visible(patches, tmp_path / "labels", [first, none, none])
    pool = pool_of(patches, labels)
    values = np.array([[[0, 9], [1, 2]], [[8, 8], [8, 8]], [[8, 8], [8, 3]]], np.float32)
    order = list(core_set_order(pool, find_windows(pool, 16), values[:, None]))
    # Farthest from 9 is 0; then 3 and 2 lie 3 and 2 from 0, so 3 comes; then one of the 8.
    assert order[:2] == [0, 11]
    assert 1 not in order and len(order) == 11


def test_equal_features_are_taken_in_the_order_of_the_keys(pool: Pool) -> None:
    windows = find_windows(pool, 16)
    order = list(core_set_order(pool, windows, np.ones((3, 2, 2, 2), np.float32)))
    assert order == list(random_order(windows))


@pytest.mark.parametrize(
    ("budget", "taken"), [(4, [2]), (6, [2]), (7, [2, 0]), (11, [2, 0]), (12, [2, 0, 1])]
)
def test_windows_are_taken_up_to_the_last_that_fits(budget: int, taken: list[int]) -> None:
    windows = windows_of([3, 5, 4, 1], [0, 0, 0, 0])
    assert take_fitting(windows, [2, 0, 1], budget) == taken


def test_a_budget_below_the_first_window_is_refused() -> None:
    message = r"no window fits into 3 new pixels, the first of region 2 px has 4"
    with pytest.raises(ValueError, match=message):
        take_fitting(windows_of([4, 1], [0, 1]), [0, 1], 3)


def test_the_new_pixels_are_the_unlabelled_ones_of_the_taken_windows(pool: Pool) -> None:
    windows = find_windows(pool, SIDE)
    new = np.stack(list(window_pixels(pool, windows, [8, 10, 26])))
    expected = np.zeros((3, 32, 32), np.bool_)
    expected[0, 24:, 24:] = expected[1, :12, 12:24] = expected[2, 24:, 24:] = True
    expected[0, 31, 31] = False
    np.testing.assert_array_equal(new, expected)
    assert new.sum() == windows.unlabelled[[8, 10, 26]].sum()
