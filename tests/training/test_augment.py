import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from code_of_stage import SRC
from partialseg.training.augment import Augment, Augmenter, ColourJitter
from small_run import LIVELY, STILL

SIDE = 32
CLASSES = np.array([0, 3, 200], np.uint8)
Patch = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.bool_]]


def changed(
    base: Augment = STILL, affine: dict[str, float] | None = None, **flips: float
) -> Augment:
    """Return an augmentation that differs in the given values."""
    return replace(
        base, **flips, shift_scale_rotate=replace(base.shift_scale_rotate, **affine or {})
    )


def coded_patch() -> Patch:
    """Return a patch whose image holds truth, visibility and a number for each 4 x 4 block."""
    rng = np.random.default_rng(8)
    truth = rng.choice(CLASSES, (SIDE, SIDE))
    visible = rng.random((SIDE, SIDE)) < 0.5
    blocks = np.kron(np.arange(64).reshape(8, 8), np.ones((4, 4), np.int64))
    image = np.stack([truth, 255 * visible, blocks], axis=-1).astype(np.uint8)
    return image, truth, visible


def ramp_patch() -> Patch:
    """Return a patch whose red and green grow with row and column, and whose truth is the row.

    Blue is 255 everywhere, so that a pixel is blended with the black outside where it is not.
    """
    rows, columns = np.indices((SIDE, SIDE))
    image = np.stack([8 * rows, 8 * columns, np.full_like(rows, 255)], axis=-1).astype(np.uint8)
    return image, rows.astype(np.uint8), np.ones((SIDE, SIDE), np.bool_)


def same(first: Patch, second: Patch) -> bool:
    return all(
        a.dtype == b.dtype and np.array_equal(a, b) for a, b in zip(first, second, strict=True)
    )


@pytest.mark.parametrize("seed", range(12))
def test_image_truth_and_visible_move_together(seed: int) -> None:
    augment = Augmenter(changed(horizontal_flip=0.5, vertical_flip=0.5, rotate90=0.5))
    image, truth, visible = augment(seed, *coded_patch())
    np.testing.assert_array_equal(image[..., 0], truth)
    np.testing.assert_array_equal(image[..., 1], 255 * visible)


def test_flips_and_rotations_give_all_eight_symmetries_of_the_square() -> None:
    augment = Augmenter(changed(horizontal_flip=0.5, vertical_flip=0.5, rotate90=0.5))
    patch = coded_patch()
    square = patch[0]
    expected = {
        np.rot90(mirrored, turns).tobytes()
        for mirrored in (square, np.fliplr(square))
        for turns in range(4)
    }
    assert len(expected) == 8
    assert {augment(seed, *patch)[0].tobytes() for seed in range(100)} == expected


@pytest.mark.parametrize(
    ("flip", "expected"), [("horizontal_flip", np.fliplr), ("vertical_flip", np.flipud)]
)
def test_a_flip_of_probability_one_always_flips(
    flip: str, expected: Callable[[NDArray[np.uint8]], NDArray[np.uint8]]
) -> None:
    augment = Augmenter(changed(**{flip: 1.0}))
    patch = coded_patch()
    flipped = tuple(expected(array) for array in patch)
    assert all(same(augment(seed, *patch), flipped) for seed in range(5))


def test_a_rotation_keeps_the_sense_of_the_image() -> None:
    augment = Augmenter(changed(rotate90=1.0))
    image = coded_patch()[0]
    turned = {augment(seed, *coded_patch())[0].tobytes() for seed in range(40)}
    assert turned == {np.rot90(image, turns).tobytes() for turns in range(4)}


@pytest.mark.parametrize("seed", range(8))
def test_the_affine_move_never_mixes_class_ids(seed: int) -> None:
    affine = {"probability": 1.0, "shift": 0.1, "scale": 0.2, "rotate": 45.0}
    _, truth, visible = Augmenter(changed(affine=affine))(seed, *coded_patch())
    assert set(np.unique(truth)) <= {0, 3, 200}
    assert visible.dtype == np.bool_
    assert set(np.unique(visible.view(np.uint8))) == {0, 1}


@pytest.mark.parametrize("seed", range(8))
def test_padding_is_black_and_not_visible(seed: int) -> None:
    affine = {"probability": 1.0, "shift": 0.3, "scale": 0.0, "rotate": 0.0}
    image = np.full((SIDE, SIDE, 3), 255, np.uint8)
    truth, visible = np.full((SIDE, SIDE), 3, np.uint8), np.ones((SIDE, SIDE), np.bool_)
    image, truth, visible = Augmenter(changed(affine=affine))(seed, image, truth, visible)
    assert 0 < np.count_nonzero(~visible) < visible.size
    assert (truth[visible] == 3).all()
    assert (image[visible] >= 255 / 4).all()  # the nearest source pixel has a quarter or more
    assert (image[~visible] <= 255 * 3 / 4).all()
    assert (image[~visible] == 0).any()


@pytest.mark.parametrize("seed", range(8))
def test_the_affine_move_keeps_image_and_truth_aligned(seed: int) -> None:
    affine = {"probability": 1.0, "shift": 0.1, "scale": 0.1, "rotate": 45.0}
    image, truth, visible = Augmenter(changed(affine=affine))(seed, *ramp_patch())
    inside = image[..., 2] == 255
    assert np.count_nonzero(inside) > SIDE * SIDE / 2
    assert visible[inside].all()
    off = np.abs(image[..., 0] / 8 - truth)[inside]
    assert off.max() <= 0.75  # nearest against bilinear: half a pixel, and rounding


def test_the_shift_is_in_sides_of_the_patch() -> None:
    augment = Augmenter(changed(affine={"probability": 1.0, "shift": 0.25}))
    middle = [augment(seed, *ramp_patch())[0][16, 16, :2] / 8 - 16 for seed in range(60)]
    moved = np.array(middle)  # pixels down and right
    assert np.abs(moved).max() <= 8.01
    assert (moved.min(axis=0) < -6).all() and (moved.max(axis=0) > 6).all()


def test_the_rotation_is_in_degrees() -> None:
    augment = Augmenter(changed(affine={"probability": 1.0, "rotate": 20.0}))
    angles = []
    for seed in range(40):
        image = augment(seed, *ramp_patch())[0].astype(float)
        down, right = image[22, 16, 0] - image[10, 16, 0], image[16, 22, 0] - image[16, 10, 0]
        angles.append(np.degrees(np.arctan2(right, down)))
    assert np.abs(angles).max() < 21
    assert min(angles) < -14 and max(angles) > 14


def test_the_scale_is_one_plus_minus_its_limit() -> None:
    augment = Augmenter(changed(affine={"probability": 1.0, "scale": 0.3}))
    scales = []
    for seed in range(40):
        image = augment(seed, *ramp_patch())[0].astype(float)
        scales.append(12 * 8 / (image[22, 16, 0] - image[10, 16, 0]))
    assert 0.68 < min(scales) < 0.8
    assert 1.2 < max(scales) < 1.32


def test_the_scale_keeps_the_proportions() -> None:
    augment = Augmenter(changed(affine={"probability": 1.0, "scale": 0.3}))
    for seed in range(8):
        image = augment(seed, *ramp_patch())[0].astype(float)
        down, right = image[22, 16, 0] - image[10, 16, 0], image[16, 22, 1] - image[16, 10, 1]
        assert down == pytest.approx(right, abs=2)  # of 74 to 137


def test_equal_seeds_give_equal_bytes_whatever_came_before() -> None:
    fresh, used = Augmenter(LIVELY), Augmenter(LIVELY)
    for seed in (9, 4, 9):
        used(seed, *coded_patch())
    for seed in range(6):
        assert same(used(seed, *coded_patch()), fresh(seed, *coded_patch()))
        assert same(fresh(seed, *coded_patch()), fresh(seed, *coded_patch()))


def test_other_seeds_give_other_moves() -> None:
    augment = Augmenter(changed(LIVELY, affine={"probability": 1.0}))
    moved = {augment(seed, *coded_patch())[0].tobytes() for seed in range(20)}
    assert len(moved) == 20


def test_seeds_may_have_64_bits() -> None:
    augment = Augmenter(changed(LIVELY, affine={"probability": 1.0}))
    first, second = (augment(seed, *coded_patch()) for seed in (2**64 - 1, 2**63 - 1))
    assert not same(first, second)


def test_probability_zero_is_the_identity() -> None:
    affine = {"probability": 0.0, "shift": 0.5, "scale": 0.5, "rotate": 180.0}
    augment = Augmenter(changed(affine=affine))
    assert all(same(augment(seed, *coded_patch()), coded_patch()) for seed in range(5))


def test_the_given_arrays_stay_as_they_are_and_may_be_read_only() -> None:
    patch = coded_patch()
    for array in patch:
        array.setflags(write=False)
    augment = Augmenter(changed(LIVELY, horizontal_flip=1.0, affine={"probability": 1.0}))
    assert not same(augment(1, *patch), coded_patch())
    assert same(patch, coded_patch())


@pytest.mark.parametrize(
    ("flips", "affine", "message"),
    [
        ({"horizontal_flip": 1.5}, {}, "less than or equal to 1"),
        ({"rotate90": -0.1}, {}, "greater than or equal to 0"),
        ({}, {"scale": 1.0}, "less than 1"),
        ({}, {"rotate": 181.0}, "less than or equal to 180"),
        ({}, {"shift": 2.0}, "less than or equal to 1"),
    ],
)
def test_values_out_of_range_are_refused(
    flips: dict[str, float], affine: dict[str, float], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        changed(affine=affine, **flips)


def jittered(image: NDArray[np.uint8], **limits: float) -> NDArray[np.float64]:
    """Return the image as 40 seeds change its colours, with these limits, always."""
    none = {"brightness": 0.0, "contrast": 0.0, "saturation": 0.0, "balance": 0.0}
    colours = ColourJitter(**{"probability": 1.0, **none, **limits})
    augment = Augmenter(replace(STILL, colour_jitter=colours))
    truth, visible = np.full(image.shape[:2], 3, np.uint8), np.ones(image.shape[:2], np.bool_)
    changed = [augment(seed, image, truth, visible) for seed in range(40)]
    assert all((t == 3).all() and v.all() for _, t, v in changed)
    return np.stack([item[0] for item in changed]).astype(float)


def test_the_brightness_is_a_factor_of_one_plus_minus_its_limit() -> None:
    image = np.full((8, 8, 3), (40, 100, 160), np.uint8)
    factors = jittered(image, brightness=0.3) / image
    assert np.ptp(factors, axis=(1, 2, 3)).max() < 0.03  # of one image: rounding of the darkest
    middle = factors[:, 0, 0, 2]
    assert 0.69 < middle.min() < 0.8 and 1.2 < middle.max() < 1.31


def test_the_contrast_is_about_the_mean() -> None:
    image = np.full((8, 8, 3), 80, np.uint8)
    image[4:] = 120
    changed = jittered(image, contrast=0.5)
    spread = (changed[:, 7, 0, 0] - changed[:, 0, 0, 0]) / 40
    assert 0.48 < spread.min() < 0.65 and 1.35 < spread.max() < 1.52
    assert np.abs(changed.mean(axis=(1, 2, 3)) - 100).max() <= 1


def test_the_saturation_is_about_grey() -> None:
    grey = np.full((8, 8, 3), 90, np.uint8)
    assert (jittered(grey, saturation=1.0) == 90).all()
    red = np.full((8, 8, 3), (200, 40, 40), np.uint8)
    widths = np.ptp(jittered(red, saturation=1.0), axis=3)[:, 0, 0]
    assert widths.min() < 30 and widths.max() > 180


def test_the_balance_is_a_factor_for_each_band() -> None:
    image = np.full((8, 8, 3), 100, np.uint8)
    image[4:] = 50
    changed = jittered(image, balance=0.2)
    factors = changed[:, 0, 0] / 100
    np.testing.assert_allclose(changed[:, 7, 7] / 50, factors, atol=0.02)  # of the whole band
    assert 0.79 < factors.min() < 0.85 and 1.15 < factors.max() < 1.21
    assert (np.ptp(factors, axis=1) > 0.02).mean() > 0.9  # bands differ


def test_black_stays_black_and_nothing_else_becomes_it() -> None:
    image = np.full((8, 8, 3), (1, 0, 0), np.uint8)
    image[2:] = 200
    image[6:] = 0
    changed = jittered(image, brightness=1.0, contrast=1.0, saturation=1.0, balance=1.0)
    assert (changed[:, 6:] == 0).all()
    assert (changed[:, :6] >= 1).all()
    assert changed[:, :2].max() > 1  # the limits are wide enough to bring black up


def test_a_jitter_of_probability_zero_changes_no_bit() -> None:
    off = ColourJitter(probability=0.0, brightness=1.0, contrast=1.0, saturation=1.0, balance=1.0)
    with_it, without = Augmenter(replace(LIVELY, colour_jitter=off)), Augmenter(LIVELY)
    for seed in range(8):
        assert same(with_it(seed, *coded_patch()), without(seed, *coded_patch()))


def test_a_jitter_of_probability_zero_is_none() -> None:
    assert STILL.colour_jitter.contrast == 0.5
    image, truth, visible = coded_patch()
    assert same(Augmenter(STILL)(1, image, truth, visible), (image, truth, visible))


def test_the_jitter_comes_after_the_moves_and_leaves_their_draws_alone() -> None:
    colours = ColourJitter(
        probability=1.0, brightness=0.5, contrast=0.5, saturation=0.5, balance=0.1
    )
    lively = changed(LIVELY, affine={"probability": 1.0})
    for seed in range(8):
        plain = Augmenter(lively)(seed, *coded_patch())
        coloured = Augmenter(replace(lively, colour_jitter=colours))(seed, *coded_patch())
        assert same((plain[1], plain[1], plain[2]), (coloured[1], coloured[1], coloured[2]))
        assert not np.array_equal(plain[0], coloured[0])


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"brightness": 1.5}, "less than or equal to 1"),
        ({"balance": -0.1}, "greater than or equal to 0"),
    ],
)
def test_colours_out_of_range_are_refused(limits: dict[str, float], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        jittered(np.zeros((2, 2, 3), np.uint8), **limits)


def test_the_import_asks_no_server_for_a_newer_version() -> None:
    program = """if True:
        import urllib.request
        def refuse(*_, **__):
            print("asked")
            raise OSError("no network")
        urllib.request.OpenerDirector.open = refuse
        import partialseg.training.augment
    """
    environment = os.environ | {"PYTHONPATH": str(SRC)}
    environment.pop("NO_ALBUMENTATIONS_UPDATE", None)
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, check=True, capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("", "")
