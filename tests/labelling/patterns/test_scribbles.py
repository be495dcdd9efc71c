from collections.abc import Iterator
from itertools import islice

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from partialseg.core.classes import NO_TRUTH
from partialseg.labelling.patterns import scribbles
from partialseg.labelling.patterns.canvas import Canvas, Draws, new_canvas
from partialseg.labelling.patterns.scribbles import draw_strokes
from pattern_patches import (
    halves,
    mask_of,
    painted,
    patchwork,
    pattern_params,
    pieces,
    plain,
    spot,
)

NAMES = [f"a_{number}" for number in range(20)]


def strokes_on(
    canvas: Canvas, thickness: int, name: str = "a_0"
) -> Iterator[tuple[NDArray[np.intp], bool]]:
    """Yield strokes, each with whether its first pixel was unlabelled, and label them."""
    for stroke in draw_strokes(canvas, Draws("scribbles", 42, name), thickness):
        new = not canvas.visible.item(stroke[0])
        canvas.visible.reshape(-1)[stroke] = True
        yield stroke, new


@pytest.mark.slow
@pytest.mark.parametrize("thickness", [1, 2, 3, 5])
def test_strokes_are_in_one_region_and_begin_anew_until_every_pixel_is_labelled(
    thickness: int,
) -> None:
    truth = patchwork(48)
    canvas = new_canvas(truth)
    for stroke, new in strokes_on(canvas, thickness):
        assert new
        assert len(np.unique(truth.ravel()[stroke])) == 1
        assert pieces(mask_of(stroke, truth.shape)) == 1
        assert len(np.unique(stroke)) == len(stroke)
    np.testing.assert_array_equal(canvas.visible, truth != NO_TRUTH)


def first_stroke(name: str, thickness: int) -> NDArray[np.bool_]:
    """Return the first stroke on a plain patch, where nothing is in its way."""
    stroke, _ = next(strokes_on(new_canvas(plain()), thickness, name))
    return mask_of(stroke, (64, 64))


@pytest.mark.parametrize("thickness", [2, 3, 5])
def test_a_stroke_is_as_wide_as_the_brush(thickness: int) -> None:
    for name in NAMES:
        # Of 1 px it is the path.
        expected = painted(first_stroke(name, 1), thickness)
        np.testing.assert_array_equal(first_stroke(name, thickness), expected)


def test_a_stroke_is_up_to_half_a_patch_long() -> None:
    lengths = [int(first_stroke(f"a_{number}", 1).sum()) for number in range(60)]
    assert max(lengths) <= 32
    # From 9 px on, but for those that meet the edge of the patch or cross themselves.
    assert np.mean(np.array(lengths) >= 9) > 0.9
    assert len(set(lengths)) > 12


def test_a_stroke_has_room_for_the_whole_brush() -> None:
    spots = spot(5).astype(np.uint8)
    whole = 0
    for name in NAMES:
        for stroke, _ in islice(strokes_on(new_canvas(halves()), 5, name), 2):
            mask = mask_of(stroke, (64, 64))
            if mask[[0, -1]].any() or mask[:, [0, -1]].any():
                continue  # cut by the edge of the patch
            opened = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, spots) > 0
            np.testing.assert_array_equal(opened, mask)
            whole += 1
    assert whole > 15


@pytest.mark.parametrize("thickness", [1, 3, 5])
def test_every_other_stroke_on_a_class_is_along_its_border(thickness: int) -> None:
    half = thickness // 2
    along = []
    for name in NAMES:
        canvas = new_canvas(halves())
        made = [stroke for stroke, _ in islice(strokes_on(canvas, thickness, name), 4)]
        classes = [canvas.truth.item(stroke[0]) for stroke in made]
        assert sorted(classes[:2]) == sorted(classes[2:]) == [0, 1]
        for stroke in made[2:]:
            # The path is `thickness` px deep, or a pixel more where it meets the edge of the
            # patch, and half the brush lies to both sides.
            depths = canvas.depth.ravel()[stroke]
            least, most = depths.min() + half - thickness, depths.max() - half - thickness
            along.append(0 <= least <= most <= 1)
    # Where a first stroke lies near the border, a second one is through the region too.
    assert len(along) == 40 and sum(along) >= 38


@pytest.mark.parametrize(("fraction", "pixels"), [(0.02, 81), (0.1, 409), (0.33, 1_351)])
@pytest.mark.parametrize("thickness", [1, 3, 5])
def test_an_annotation_is_strokes_until_the_budget_is_spent(
    fraction: float, pixels: int, thickness: int
) -> None:
    truth = patchwork()
    annotation = scribbles.draw(truth, 42, "a_0", fraction, pattern_params(thickness=thickness))
    assert annotation.visible.sum() == pixels
    before = np.zeros(truth.size, np.bool_)
    count = 0
    for stroke, _ in strokes_on(new_canvas(truth), thickness):
        count += 1
        new = stroke[~before[stroke]]
        missing = pixels - int(before.sum())
        if len(new) >= missing:
            break
        before[new] = True
    # All but the last stroke are whole, and the last one ends where the budget does.
    before[new[:missing]] = True
    np.testing.assert_array_equal(annotation.visible.ravel(), before)
    assert (annotation.clicks, annotation.short) == (0, {})
    assert annotation.seconds == pytest.approx(10.9 * count)


def test_all_classes_get_strokes() -> None:
    annotation = scribbles.draw(halves(), 42, "a_0", 0.1, pattern_params())
    left, right = annotation.visible[:, :32].sum(), annotation.visible[:, 32:].sum()
    assert left + right == 409 and min(left, right) > 409 / 4


def test_more_than_the_truth_names_the_brush() -> None:
    truth = plain()
    truth[:16] = NO_TRUTH
    message = (
        r"^patch a_3: scribbles of thickness 3 px reach 0\.7500 of the pixels, .* asks for 0\.7503$"
    )
    with pytest.raises(ValueError, match=message):
        scribbles.draw(truth, 42, "a_3", 0.7503, pattern_params(thickness=3))
    annotation = scribbles.draw(truth, 42, "a_3", 0.75, pattern_params(thickness=3))
    np.testing.assert_array_equal(annotation.visible, truth != NO_TRUTH)
