"""The pictures of the panel: visible labels and errors, pixel by pixel."""

import math

import numpy as np
import pytest

from drawings import NAMES, PALETTE, WHITE, make_row, with_truth
from partialseg.core.classes import NO_TRUTH
from partialseg.figures.panel import (
    FADED,
    UNLABELLED,
    WIDEST_DOT,
    WRONG,
    PanelRow,
    error_map,
    error_share,
    panel_figure,
    visible_map,
)


def test_visible_map_of_dense_labels_is_exact() -> None:
    row = make_row()
    visible = np.random.default_rng(0).random(row.truth.shape) < 0.5
    row = PanelRow(
        name="", image=row.image, truth=row.truth, visible=visible, predictions=row.predictions
    )
    expected = np.where(visible[..., None], np.array(PALETTE)[row.truth], UNLABELLED)
    np.testing.assert_array_equal(visible_map(row, PALETTE), expected)


def one_visible(row: int, column: int) -> PanelRow:
    visible = np.zeros((64, 64), np.bool_)
    visible[row, column] = True
    truth = np.full((64, 64), 3, np.uint8)
    return PanelRow(
        name="", image=np.zeros((64, 64, 3), np.uint8), truth=truth, visible=visible, predictions={}
    )


@pytest.mark.parametrize(("at", "height", "width"), [((9, 20), 4, 4), ((62, 0), 2, 4)])
def test_a_lonely_label_is_a_dot(at: tuple[int, int], height: int, width: int) -> None:
    row, column = at
    expected = np.full((64, 64, 3), UNLABELLED)
    expected[row : row + height, column : column + width] = PALETTE[3]
    assert WIDEST_DOT == 4
    np.testing.assert_array_equal(visible_map(one_visible(row, column), PALETTE), expected)


def test_visible_map_of_sparse_labels_covers_a_third_with_the_right_colours() -> None:
    row = make_row(side=200)
    drawn = visible_map(row, PALETTE)
    np.testing.assert_array_equal(drawn[row.visible], np.array(PALETTE)[row.truth[row.visible]])
    cover = (drawn != UNLABELLED).any(axis=2).mean()
    assert 0.3 < cover < 0.4  # 10 % are labelled


def test_visible_map_hides_pixels_without_truth() -> None:
    row = with_truth(make_row(), np.full((64, 64), NO_TRUTH, np.uint8))
    assert (visible_map(row, PALETTE) == UNLABELLED).all()


def test_error_map_is_red_where_wrong_white_without_truth_and_else_the_faded_image() -> None:
    image = np.array([[[0, 0, 0], [255, 255, 255]], [[255, 0, 0], [9, 9, 9]]], np.uint8)
    truth = np.array([[0, 1], [2, NO_TRUTH]], np.uint8)
    row = PanelRow(name="", image=image, truth=truth, visible=truth == 0, predictions={})
    low, high = FADED
    right = error_map(row, np.array([[0, 1], [2, 1]], np.uint8))
    red = round(low + 0.299 * (high - low))
    np.testing.assert_array_equal(right, [[[low] * 3, [high] * 3], [[red] * 3, WHITE]])
    wrong = error_map(row, np.array([[1, 1], [0, 0]], np.uint8))
    np.testing.assert_array_equal(wrong, [[WRONG, [high] * 3], [WRONG, WHITE]])
    assert image[0, 0, 0] == 0  # the caller's image is left alone


def test_error_share_counts_pixels_with_a_truth() -> None:
    truth = np.array([[0, 1, 2], [3, NO_TRUTH, NO_TRUTH]], np.uint8)
    prediction = np.array([[0, 1, 1], [3, 0, 0]], np.uint8)
    assert error_share(truth, prediction) == 0.25
    assert math.isnan(error_share(np.full((2, 2), NO_TRUTH, np.uint8), np.zeros((2, 2), np.uint8)))
    empty = with_truth(make_row(), np.full((64, 64), NO_TRUTH, np.uint8))
    captions = [axes.get_title("left") for axes in panel_figure([empty], NAMES, PALETTE).axes]
    assert captions[4] == captions[6] == "no truth"
