import numpy as np
import pytest

from partialseg.core.classes import NO_TRUTH
from partialseg.labelling.patterns.canvas import FAR, new_canvas


def test_a_new_canvas_has_no_label() -> None:
    truth = np.eye(6, dtype=np.uint8)
    truth[0] = NO_TRUTH
    canvas = new_canvas(truth)
    np.testing.assert_array_equal(canvas.truth, truth)
    assert canvas.visible.dtype == np.bool_ and canvas.visible.shape == (6, 6)
    assert not canvas.visible.any()


def test_depth_counts_from_the_border_and_the_edge_of_the_patch_is_none() -> None:
    truth = np.zeros((3, 7), np.uint8)
    truth[:, 4:] = 1
    assert new_canvas(truth).depth.tolist() == [[4, 3, 2, 1, 1, 2, 3]] * 3


def test_pixels_without_a_truth_are_another_region() -> None:
    truth = np.full((2, 5), 254, np.uint8)
    truth[:, 3:] = NO_TRUTH
    assert new_canvas(truth).depth.tolist() == [[3, 2, 1, 1, 2]] * 2


def test_depth_is_the_distance_to_the_nearest_border_pixel() -> None:
    truth = np.zeros((5, 5), np.uint8)
    truth[0, 0] = 1
    depth = new_canvas(truth).depth
    # The pixel itself and its neighbours, by corners too, are at a border.
    assert depth[:2, :2].tolist() == [[1, 1], [1, 1]]
    assert depth[4, 1] == depth[1, 4] == 4
    assert depth[3, 3] == pytest.approx(1 + 8**0.5)
    assert depth[4, 3] == pytest.approx(1 + 13**0.5)


def test_a_patch_of_one_class_is_deep_everywhere() -> None:
    assert (new_canvas(np.full((4, 6), 3, np.uint8)).depth == FAR).all()


@pytest.mark.parametrize(
    ("place", "distance", "near"),
    [
        ((2, 3), 0, True),
        ((2, 4), 0, False),
        ((2, 4), 1, True),
        ((1, 2), 1, True),  # by a corner
        ((4, 5), 1, False),
        ((4, 5), 2, True),
        ((5, 3), 2, False),
        ((5, 3), 3, True),
        ((2, 0), 2, False),
        ((2, 0), 3, True),
        ((0, 0), 1, False),  # the square ends at the edge of the patch
        ((1, 9), 3, False),
        ((3, 0), 2, False),
    ],
)
def test_labels_are_near_in_a_square(place: tuple[int, int], distance: int, near: bool) -> None:
    canvas = new_canvas(np.zeros((6, 10), np.uint8))
    canvas.visible[2, 3] = True
    assert canvas.labelled_near(place[0] * 10 + place[1], distance) is near
