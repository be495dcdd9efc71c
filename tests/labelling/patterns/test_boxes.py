from itertools import islice

import numpy as np
import pytest
from numpy.typing import NDArray

from partialseg.core.classes import NO_TRUTH
from partialseg.labelling.patterns import boxes
from partialseg.labelling.patterns.boxes import Box, draw_boxes
from partialseg.labelling.patterns.budget import Annotation
from partialseg.labelling.patterns.canvas import Canvas, Draws, new_canvas
from pattern_patches import halves, patchwork, pattern_params, plain

NAMES = [f"a_{number}" for number in range(20)]


def first_box(name: str, longest: int = 12) -> Box:
    """Return the first box on a plain patch."""
    return next(draw_boxes(new_canvas(plain()), Draws("boxes", 42, name), longest))


def fill(canvas: Canvas, box: Box) -> NDArray[np.bool_]:
    """Label a box and return what was labelled in it."""
    top, bottom, left, right = box
    before = canvas.visible[top:bottom, left:right].copy()
    canvas.visible[top:bottom, left:right] = True
    return before


@pytest.mark.parametrize("longest", [1, 2, 7, 12])
def test_boxes_are_new_and_of_one_class_until_every_pixel_is_labelled(longest: int) -> None:
    truth = patchwork(48)
    canvas = new_canvas(truth)
    for box in draw_boxes(canvas, Draws("boxes", 42, "a_0"), longest):
        top, bottom, left, right = box
        assert 0 <= top < bottom <= 48 and 0 <= left < right <= 48
        assert bottom - top <= longest and right - left <= longest
        assert len(np.unique(truth[top:bottom, left:right])) == 1
        assert not fill(canvas, box).any()
    np.testing.assert_array_equal(canvas.visible, truth != NO_TRUTH)


def test_where_there_is_room_one_side_is_the_longest_and_the_other_a_third_or_more() -> None:
    sides = [
        (bottom - top, right - left)
        for top, bottom, left, right in (first_box(f"a_{number}") for number in range(60))
    ]
    assert {max(pair) for pair in sides} == {12}
    assert {min(pair) for pair in sides} == set(range(4, 13))
    # Upright and lying ones.
    assert {height > width for height, width in sides if height != width} == {True, False}


@pytest.mark.parametrize("name", NAMES)
def test_a_box_ends_at_another_class_or_at_its_limits(name: str) -> None:
    truth = plain()
    truth[30:36, 8:50] = 1
    canvas = new_canvas(truth)
    for top, bottom, left, right in islice(draw_boxes(canvas, Draws("boxes", 42, name), 12), 2):
        canvas.visible[top:bottom, left:right] = True
        if truth[top, left] == 1:
            # Six rows are all there is, and the sides to the left and right go on to a limit.
            assert (top, bottom) == (30, 36) or bottom - top in (4, 5)
            assert right - left >= 4
            break
    else:
        pytest.fail("no box on the bar")


@pytest.mark.parametrize(("longest", "classes"), [(31, {0, 1}), (32, {0})])
def test_a_box_begins_an_eighth_of_the_longest_side_from_others_while_it_can(
    longest: int, classes: set[int]
) -> None:
    # The corners of a square of 9 px are 4 px from the label in its middle.
    first = set()
    for name in NAMES:
        truth = plain()
        truth[30:39, 30:39] = 1
        canvas = new_canvas(truth)
        canvas.visible[34, 34] = True
        top, _, left, _ = next(draw_boxes(canvas, Draws("boxes", 42, name), longest))
        first.add(truth.item(top, left))
    assert first == classes


@pytest.mark.parametrize("fraction", [0.02, 0.1, 0.33, 0.5])
def test_an_annotation_is_boxes_until_the_budget_is_spent(fraction: float) -> None:
    truth = patchwork()
    annotation = boxes.draw(truth, 42, "a_0", fraction, pattern_params(box=12))
    budget = int(fraction * 4_096)
    canvas = new_canvas(truth)
    whole = 0
    for box in draw_boxes(canvas, Draws("boxes", 42, "a_0"), 12):
        top, bottom, left, right = box
        if canvas.visible.sum() + (bottom - top) * (right - left) > budget:
            break
        fill(canvas, box)
        whole += 1
    # The last box is cut: what is beyond the whole ones lies in it.
    rest = annotation.visible & ~canvas.visible
    assert not (canvas.visible & ~annotation.visible).any()
    assert rest.sum() == budget - canvas.visible.sum() == rest[top:bottom, left:right].sum()
    parts = int(rest.sum() >= right - left) + int(rest.sum() % (right - left) > 0)
    assert annotation.clicks == 4 * (whole + parts)
    assert annotation.seconds == pytest.approx(7.0 * (whole + parts))


def first_pixels(count: int) -> Annotation:
    return boxes.draw(plain(), 42, "a_0", count / 4_096, pattern_params(box=12))


def test_the_last_box_keeps_its_upper_rows_and_another_has_the_rest() -> None:
    top, bottom, left, right = first_box("a_0")
    width = right - left
    assert bottom - top >= 4 and width >= 4
    expected = np.zeros((64, 64), np.bool_)
    # Less than a row, one box; two rows, one; two rows and a pixel, two; the whole box, one.
    expected[top, left : left + 2] = True
    for count, made in ((2, 1), (2 * width, 1), (2 * width + 1, 2), ((bottom - top) * width, 1)):
        annotation = first_pixels(count)
        expected[top : top + count // width, left:right] = True
        expected[top + count // width, left : left + count % width] = True
        np.testing.assert_array_equal(annotation.visible, expected)
        assert annotation.clicks == 4 * made
        assert annotation.seconds == pytest.approx(7.0 * made)


def test_a_pixel_beyond_the_first_box_is_a_box_more() -> None:
    top, bottom, left, right = first_box("a_0")
    annotation = first_pixels((bottom - top) * (right - left) + 1)
    assert annotation.visible[top:bottom, left:right].all()
    assert (annotation.clicks, annotation.seconds) == (8, pytest.approx(14.0))


def test_all_classes_get_boxes() -> None:
    annotation = boxes.draw(halves(), 42, "a_0", 0.1, pattern_params(box=12))
    left, right = annotation.visible[:, :32].sum(), annotation.visible[:, 32:].sum()
    assert left + right == 409 and min(left, right) > 409 / 4


def test_more_than_the_truth_names_the_box() -> None:
    truth = plain()
    truth[:16] = NO_TRUTH
    message = r"^patch a_3: boxes of up to 12 px reach 0\.7500 of the pixels, .* asks for 0\.7503$"
    with pytest.raises(ValueError, match=message):
        boxes.draw(truth, 42, "a_3", 0.7503, pattern_params(box=12))
    annotation = boxes.draw(truth, 42, "a_3", 0.75, pattern_params(box=12))
    np.testing.assert_array_equal(annotation.visible, truth != NO_TRUTH)
