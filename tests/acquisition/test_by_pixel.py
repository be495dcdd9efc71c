from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from acquisition_pool import labelled, pool_of, write_visible
from partialseg.acquisition.by_pixel import (
    CANDIDATES,
    balanced_pixels,
    core_set_pixels,
    random_pixels,
    uncertain_pixels,
)
from partialseg.acquisition.pool import Pool
from partialseg.labelling.label import label
from partialseg.visibility import visible_pixels
from small_run import label_params

PIXELS = 3 * 32 * 32


@pytest.fixture
def patches(make_patches: Callable[..., Path]) -> Path:
    return make_patches()


@pytest.fixture
def pool(patches: Path, tmp_path: Path) -> Pool:
    """Return three patches with a tenth of their pixels labelled."""
    label(patches, tmp_path / "labels", 0.1, 42, label_params())
    return pool_of(patches, tmp_path / "labels")


def stacked(masks: Iterator[NDArray[np.bool_]], pool: Pool) -> NDArray[np.bool_]:
    """Return the new pixels (P, H, W), none of which was labelled before."""
    new = np.stack(list(masks))
    assert not (new & labelled(pool)).any()
    return new


def scores(ties: int) -> NDArray[np.float32]:
    """Return scores (P, H, W) in 0..1, of so many different values."""
    rng = np.random.default_rng(8)
    return (rng.integers(0, ties, (3, 32, 32)) / ties).astype(np.float32)


def probabilities(shares: tuple[float, ...]) -> NDArray[np.float32]:
    """Return one-hot class probabilities (P, C, H, W); classes have these shares of the pixels."""
    ids = np.random.default_rng(9).choice(len(shares), (3, 32, 32), p=shares)
    return np.moveaxis(np.eye(len(shares), dtype=np.float32)[ids], -1, 1)


def test_random_pixels_are_the_next_that_label_would_draw(pool: Pool) -> None:
    # 204 pixels a patch are a fraction of 0.2; 612 to 614 of them cannot be shared equally.
    for budget in (3 * 102, 3 * 102 + 2):
        new = stacked(random_pixels(pool, budget), pool)
        expected = [visible_pixels(42, patch.name, 32, 32, 0.2) for patch in pool.patches]
        np.testing.assert_array_equal(new | labelled(pool), expected)


def test_random_pixels_fill_up_the_patches_that_have_least(patches: Path, tmp_path: Path) -> None:
    masks = [np.arange(1024).reshape(32, 32) < count for count in (0, 100, 900)]
    pool = pool_of(patches, write_visible(patches, tmp_path / "labels", masks))
    new = stacked(random_pixels(pool, 300), pool)
    assert new.sum(axis=(1, 2)).tolist() == [200, 100, 0]


def test_less_than_a_pixel_a_patch_is_refused(pool: Pool) -> None:
    message = (
        r"chooses alike in all patches, and a budget of 2 new pixels is less than one for each of 3"
    )
    with pytest.raises(ValueError, match=message):
        list(random_pixels(pool, 2))


def one_labelled_pixel(patches: Path, folder: Path) -> Pool:
    """Return a pool whose three patches are labelled at the first pixel alone."""
    return pool_of(
        patches, write_visible(patches, folder, [np.arange(1024).reshape(32, 32) < 1] * 3)
    )


def test_the_core_set_is_far_from_labelled_and_from_chosen_features(
    patches: Path, tmp_path: Path
) -> None:
    pool = one_labelled_pixel(patches, tmp_path / "labels")
    features = np.zeros((3, 2, 32, 32), np.float32)  # the labelled pixel and most others: (0, 0)
    features[:, :, 16:] = np.array([3, 0])[:, None, None]
    features[:, :, :16, 8:] = np.array([0, 4])[:, None, None]
    # (0, 4) is the farthest from (0, 0), then (3, 0); of 32 candidates all hold some of each.
    new = stacked(core_set_pixels(pool, features, 3 * 2), pool)
    chosen = [of_patch[:, mask].T.tolist() for of_patch, mask in zip(features, new, strict=True)]
    assert [sorted(of_patch) for of_patch in chosen] == [[[0, 4], [3, 0]]] * 3


def test_the_core_set_is_chosen_among_the_first_pixels_of_the_keys(
    patches: Path, tmp_path: Path
) -> None:
    pool = one_labelled_pixel(patches, tmp_path / "labels")
    features = np.random.default_rng(3).normal(size=(3, 4, 32, 32)).astype(np.float32)
    new = stacked(core_set_pixels(pool, features, 3 * 5 + 2), pool)
    assert new.sum(axis=(1, 2)).tolist() == [5, 5, 5]
    for place, of_patch in enumerate(new):
        keys = np.sort(pool.keys(place)[pool.unlabelled(place)])
        assert pool.keys(place)[of_patch].max() <= keys[5 * CANDIDATES - 1]


def test_among_equal_features_the_core_set_takes_the_first_pixel_of_the_keys(
    patches: Path, tmp_path: Path
) -> None:
    pool = one_labelled_pixel(patches, tmp_path / "labels")
    equal = np.ones((3, 1, 32, 32), np.float32)
    new = stacked(core_set_pixels(pool, equal, 3), pool)
    np.testing.assert_array_equal(new, stacked(random_pixels(pool, 3), pool))


def test_the_core_set_passes_over_a_patch_that_is_labelled(patches: Path, tmp_path: Path) -> None:
    masks = [np.arange(1024).reshape(32, 32) < count for count in (0, 1024, 1024)]
    pool = pool_of(patches, write_visible(patches, tmp_path / "labels", masks))
    new = stacked(core_set_pixels(pool, np.ones((3, 1, 32, 32), np.float32), 1024), pool)
    assert new.sum(axis=(1, 2)).tolist() == [1024, 0, 0]


@pytest.mark.parametrize("budget", [1, 500, PIXELS - 3 * 102])
def test_the_highest_scores_are_taken_and_exactly_so_many(
    pool: Pool, tmp_path: Path, budget: int
) -> None:
    values = scores(ties=10**6)
    new = stacked(uncertain_pixels(pool, values, 1.0, budget, tmp_path), pool)
    free = ~labelled(pool)
    assert new.sum() == budget
    least = np.sort(values[free])[-budget]
    width = 1 / 65_535  # scores of one level count as equal
    assert new[free & (values > least + width)].all()
    assert not new[values < least - width].any()


def test_among_equal_scores_the_seeded_keys_decide(patches: Path, tmp_path: Path) -> None:
    label(patches, tmp_path / "labels", 0.1, 42, label_params())
    values = scores(ties=4)  # a quarter of the pixels has the highest

    def take(seed: int, budget: int = 300) -> NDArray[np.bool_]:
        pool = pool_of(patches, tmp_path / "labels", seed)
        return stacked(uncertain_pixels(pool, values, 1.0, budget, tmp_path), pool)

    first = take(1)
    assert (values[first] == 0.75).all()
    assert first.sum(axis=(1, 2)).min() > 50  # of all patches, not the first ones alone
    np.testing.assert_array_equal(take(1), first)
    assert (take(2) != first).any()
    for smaller, larger in pairwise([take(1, budget) for budget in (1, 300, 301, 1_500)]):
        assert not (smaller & ~larger).any()


def test_of_a_constant_score_the_pixels_are_spread_evenly(pool: Pool, tmp_path: Path) -> None:
    new = stacked(uncertain_pixels(pool, np.zeros((3, 32, 32)), 1.0, 900, tmp_path), pool)
    of_block = new.reshape(3, 2, 16, 2, 16).sum(axis=(2, 4))
    assert of_block.sum() == 900
    assert np.abs(of_block - 75).max() < 5 * 75**0.5


def test_predicted_classes_get_equally_many_pixels(pool: Pool, tmp_path: Path) -> None:
    predicted = probabilities((0.5, 0.3, 0.2))
    new = stacked(balanced_pixels(pool, predicted, 300, tmp_path), pool)
    ids = predicted.argmax(axis=1)
    assert np.bincount(ids[new]).tolist() == [100, 100, 100]
    # Drawn evenly within a class: 33.3 of each in each patch.
    assert np.abs(np.bincount(ids[0][new[0]]) - 100 / 3).max() < 5 * 33**0.5


def test_what_cannot_be_shared_equally_goes_to_the_rarest_label(pool: Pool, tmp_path: Path) -> None:
    counts = pool.labels.summary.counts
    rarest = sorted(range(3), key=lambda index: list(counts.values())[index])
    predicted = probabilities((0.5, 0.3, 0.2))
    new = stacked(balanced_pixels(pool, predicted, 302, tmp_path), pool)
    shares = np.bincount(predicted.argmax(axis=1)[new])
    assert [shares[index] for index in rarest] == [101, 101, 100]


def test_a_class_with_too_few_pixels_gives_all_it_has(pool: Pool, tmp_path: Path) -> None:
    predicted = probabilities((0.6, 0.39, 0.01))
    ids, free = predicted.argmax(axis=1), ~labelled(pool)
    rare = int((ids[free] == 2).sum())
    assert 10 < rare < 40
    new = stacked(balanced_pixels(pool, predicted, 600 + rare, tmp_path), pool)
    assert np.bincount(ids[new]).tolist() == [300, 300, rare]


def test_all_pixels_can_be_bought(pool: Pool, tmp_path: Path) -> None:
    left = int((~labelled(pool)).sum())
    predicted = probabilities((0.5, 0.5, 0.0))
    new = stacked(balanced_pixels(pool, predicted, left, tmp_path), pool)
    np.testing.assert_array_equal(new, ~labelled(pool))
    with pytest.raises(ValueError, match=rf"not enough pixels left: {left + 1} wanted"):
        list(balanced_pixels(pool, predicted, left + 1, tmp_path))
    with pytest.raises(ValueError, match=rf"not enough pixels left: {left + 1} wanted"):
        list(uncertain_pixels(pool, scores(9), 1.0, left + 1, tmp_path))
