import numpy as np
import pytest

from partialseg.acquisition.by_region import (
    grid_shape,
    region_features,
    region_mask,
    region_means,
    region_sums,
)


def test_windows_at_the_border_are_smaller() -> None:
    assert grid_shape(5, 7, 3) == (2, 3)
    pixels = region_sums(np.ones((5, 7), np.bool_), 3)
    assert pixels.tolist() == [[9, 9, 3], [6, 6, 2]]


def test_means_are_those_of_the_counted_pixels() -> None:
    scores = np.array([[1, 2, 3, 10], [4, 5, 6, 20], [7, 8, 9, 30]], np.float32)
    everywhere = np.ones((3, 4), np.bool_)
    assert region_means(scores, everywhere, 2).tolist() == [[3.0, 9.75], [7.5, 19.5]]
    counted = everywhere.copy()
    counted[0, 3] = counted[1, 3] = counted[1, 0] = False
    counted[2, :2] = False
    assert region_means(scores, counted, 2).tolist() == [[8 / 3, 4.5], [0.0, 19.5]]


def test_a_score_that_does_not_count_is_not_even_looked_at() -> None:
    scores = np.array([[np.nan, 2.0]])
    assert region_means(scores, np.array([[False, True]]), 2).tolist() == [[2.0]]


def test_small_scores_do_not_lose_digits_in_a_large_window() -> None:
    scores = np.full((384, 384), 0.1, np.float32)
    mean = region_means(scores, np.ones((384, 384), np.bool_), 384)
    assert mean[0, 0] == pytest.approx(float(np.float32(0.1)), rel=1e-12)


def test_the_mask_holds_the_pixels_of_the_chosen_windows() -> None:
    chosen = np.array([[False, True, False], [True, False, True]])
    rows = ["...###.", "...###.", "...###.", "###...#", "###...#"]
    expected = [[pixel == "#" for pixel in row] for row in rows]
    assert region_mask(chosen, 3, 5, 7).tolist() == expected


@pytest.mark.parametrize("side", [1, 4, 6, 16, 100])
def test_features_are_means_of_the_cells_under_each_pixel(side: int) -> None:
    features = np.random.default_rng(3).normal(size=(5, 4, 3)).astype(np.float32)
    height, width = 14, 11  # of 16 x 12 px that the cells cover
    pixels = features.repeat(4, axis=1).repeat(4, axis=2)[:, :height, :width]
    rows, columns = grid_shape(height, width, side)
    expected = [
        pixels[:, r * side : (r + 1) * side, c * side : (c + 1) * side].mean(axis=(1, 2))
        for r in range(rows)
        for c in range(columns)
    ]
    pooled = region_features(features, 4, side, height, width)
    assert pooled.dtype == np.float32
    np.testing.assert_allclose(pooled, expected, atol=1e-6)
