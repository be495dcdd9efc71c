"""What holds of all ways to draw on a patch."""

import hashlib
from collections.abc import Mapping
from itertools import pairwise
from types import ModuleType

import numpy as np
import pytest

from partialseg.core.classes import NO_TRUTH
from partialseg.labelling.params import PatternParams
from partialseg.labelling.patterns import blocks, boxes, points, scribbles
from partialseg.labelling.patterns.budget import Annotation
from pattern_patches import FRACTIONS, halves, patchwork, pattern_params, plain

PATTERNS: Mapping[str, ModuleType] = {
    "points": points,
    "scribbles": scribbles,
    "boxes": boxes,
    "blocks": blocks,
}
SEEDS = [0, 2**40]
of_each_pattern = pytest.mark.parametrize("pattern", PATTERNS)


def draw(pattern: str, fraction: float, *, seed: int = 42, name: str = "a_0") -> Annotation:
    return PATTERNS[pattern].draw(patchwork(), seed, name, fraction, pattern_params())


@pytest.mark.slow
@of_each_pattern
@pytest.mark.parametrize("seed", SEEDS)
def test_a_smaller_fraction_lies_inside_a_larger_one(pattern: str, seed: int) -> None:
    made = [draw(pattern, fraction, seed=seed) for fraction in FRACTIONS]
    for smaller, larger in pairwise(made):
        assert not (smaller.visible & ~larger.visible).any()
        assert smaller.visible.sum() < larger.visible.sum()
        assert smaller.seconds is not None and larger.seconds is not None
        assert smaller.seconds < larger.seconds


@of_each_pattern
def test_seed_and_name_alone_decide(pattern: str) -> None:
    first = draw(pattern, 0.25)
    draw(pattern, 0.1, seed=1, name="z")
    again = draw(pattern, 0.25)
    assert again.visible.tobytes() == first.visible.tobytes()
    assert (again.clicks, again.seconds) == (first.clicks, first.seconds)
    assert (draw(pattern, 0.25, seed=43).visible != first.visible).any()
    assert (draw(pattern, 0.25, name="a_1").visible != first.visible).any()


@pytest.mark.slow
@of_each_pattern
@pytest.mark.parametrize("fraction", [0.25, 0.9])
def test_pixels_without_a_truth_are_never_labelled(pattern: str, fraction: float) -> None:
    without = patchwork() == NO_TRUTH
    assert without.sum() == 8 * 16
    for seed in SEEDS:
        visible = draw(pattern, fraction, seed=seed).visible
        assert visible.any() and not (visible & without).any()


@of_each_pattern
def test_the_truth_is_left_as_it_is(pattern: str) -> None:
    truth = patchwork()
    truth.setflags(write=False)
    annotation = PATTERNS[pattern].draw(truth, 42, "a_0", 0.25, pattern_params())
    assert annotation.visible.shape == (64, 64) and annotation.visible.dtype == np.bool_


@pytest.mark.parametrize("pattern", ["scribbles", "boxes"])
@pytest.mark.parametrize(
    ("fraction", "pixels"), [(0.001, 4), (0.05, 204), (0.15, 614), (0.29, 1_187), (0.5, 2_048)]
)
def test_exactly_the_floor_of_the_share_is_labelled(
    pattern: str, fraction: float, pixels: int
) -> None:
    for name in ("a_0", "b_7"):
        assert draw(pattern, fraction, name=name).visible.sum() == pixels


@pytest.mark.parametrize("pattern", ["scribbles", "boxes"])
def test_less_than_a_pixel_names_the_smallest(pattern: str) -> None:
    tool = {"scribbles": "scribbles of thickness 3 px", "boxes": "boxes of up to 12 px"}[pattern]
    message = (
        rf"^patch a_0: {tool}: label fraction 0\.0002 of 4096 pixels is less than one; the "
        r"smallest is 0\.000245$"
    )
    with pytest.raises(ValueError, match=message):
        draw(pattern, 0.0002)
    assert draw(pattern, 0.000245).visible.sum() == 1


@of_each_pattern
@pytest.mark.parametrize("fraction", [0, -0.1, 1.5, float("nan")])
def test_other_fractions_are_refused(pattern: str, fraction: float) -> None:
    with pytest.raises(ValueError, match=r"^label fraction must be in 0 < fraction <= 1, got"):
        draw(pattern, fraction)


@of_each_pattern
def test_all_of_a_patch_is_labelled_at_fraction_one(pattern: str) -> None:
    # As many clicks on each class as it has pixels.
    annotation = PATTERNS[pattern].draw(halves(), 42, "a_0", 1.0, pattern_params(points=64 * 32))
    assert annotation.visible.all()


@of_each_pattern
def test_the_same_bytes_on_any_machine(pattern: str) -> None:
    # The sizes of params.yaml, on a patch of 192 px.
    params = PatternParams(points=100, thickness=5, box=96, block=48)
    annotation = PATTERNS[pattern].draw(patchwork(192), 42, "N-33_17", 0.15, params)
    bits = np.packbits(annotation.visible).tobytes()
    assert hashlib.sha256(bits).hexdigest() == GOLDEN[pattern]


GOLDEN = {
    "points": "845ca48725186791760de9b840ef289ba188fbdab381691da8301154f567e30c",
    "scribbles": "71b45f3d2d724ac1de226d9f449371c02a55a4255649655a6ea9d26f960efe47",
    "boxes": "8b8a4cb0f8fe16066921d25dafa755dc2877c3259c0cacff1a5b48bec0ebf7e5",
    "blocks": "29cafbb7d0cd4f9ec86221e2cae89653e82df84dfe3ec1042bcc58963f47a40d",
}


def test_an_annotation_is_short_of_nothing_unless_it_is_said() -> None:
    annotation = Annotation(visible=plain() > 0, clicks=0, seconds=0.0)
    assert annotation.short == {}
    with pytest.raises(AttributeError, match="clicks"):
        annotation.clicks = 1  # type: ignore[misc]
