from typing import Any, Literal

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from partialseg.core.classes import NO_TRUTH
from partialseg.evaluation.mosaic import Block
from partialseg.evaluation.objects import ObjectRecall
from truth_store import random_ids

HOUSE = 1
LIMITS = (4.0, 10.0)


def block(truth: NDArray[np.uint8], prediction: NDArray[np.uint8], gsd: float | None) -> Block:
    prediction = np.where(truth == NO_TRUTH, NO_TRUTH, prediction).astype(np.uint8)
    return Block(truth=truth, prediction=prediction, gsd=gsd)


def summary_of(
    truth: NDArray[np.uint8],
    prediction: NDArray[np.uint8],
    unit: Literal["m2", "px"] = "px",
    gsd: float | None = None,
) -> dict[str, Any]:
    objects = ObjectRecall(HOUSE, LIMITS, unit)
    objects.update(block(truth, prediction, gsd))
    return objects.summary("house")


def counts(summary: dict[str, Any]) -> list[tuple[int, int]]:
    return [(row["objects"], row["found"]) for row in summary["areas"]]


def houses(*places: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    ids = np.zeros((20, 20), np.uint8)
    for top, left, height, width in places:
        ids[top : top + height, left : left + width] = HOUSE
    return ids


def test_the_details_have_every_range() -> None:
    truth = houses((1, 1, 1, 3), (5, 5, 3, 3), (10, 10, 2, 4))
    prediction = houses((5, 5, 3, 3), (10, 10, 1, 3))
    assert summary_of(truth, prediction) == {
        "class": "house",
        "overlap": 0.5,
        "unit": "px",
        "cut": 0,
        "areas": [
            {"from": 0.0, "to": 4.0, "objects": 1, "found": 0, "recall": 0.0},
            {"from": 4.0, "to": 10.0, "objects": 2, "found": 1, "recall": 0.5},
            {"from": 10.0, "to": None, "objects": 0, "found": 0, "recall": None},
        ],
    }


@pytest.mark.parametrize(("width", "found"), [(0, 0), (1, 0), (2, 1), (4, 1)])
def test_half_of_an_object_is_enough(width: int, found: int) -> None:
    truth, prediction = houses((5, 5, 2, 4)), houses((5, 5, 2, width))
    assert counts(summary_of(truth, prediction)) == [(0, 0), (1, found), (0, 0)]


def test_it_is_found_only_as_its_own_class() -> None:
    truth = houses((5, 5, 2, 4))
    assert counts(summary_of(truth, truth * 2)) == [(0, 0), (1, 0), (0, 0)]


def test_an_area_at_a_limit_is_in_the_range_above() -> None:
    truth = houses((1, 1, 1, 3), (5, 5, 2, 2), (10, 1, 3, 3), (10, 10, 2, 5))
    assert counts(summary_of(truth, truth)) == [(1, 1), (2, 2), (1, 1)]


@pytest.mark.parametrize(("gsd", "place"), [(0.5, 0), (0.75, 1), (1.0, 2)])
def test_areas_in_square_metres_follow_the_pixel_size(gsd: float, place: int) -> None:
    truth = houses((5, 5, 3, 5))  # 15 px: 3.75, 8.4375 and 15 m2
    summary = summary_of(truth, truth, "m2", gsd)
    assert [row["objects"] for row in summary["areas"]] == [
        int(index == place) for index in range(3)
    ]
    assert summary["unit"] == "m2"


def test_areas_in_pixels_know_no_pixel_size() -> None:
    truth = houses((5, 5, 3, 5))
    assert counts(summary_of(truth, truth, "px", 0.25)) == [(0, 0), (0, 0), (1, 1)]


def test_pixels_that_share_a_corner_are_one_object() -> None:
    truth = houses((5, 5, 2, 2), (7, 7, 2, 2), (7, 12, 1, 1))
    assert counts(summary_of(truth, truth)) == [(1, 1), (1, 1), (0, 0)]


@pytest.mark.parametrize("place", [(0, 5), (18, 5), (5, 0), (5, 18), (0, 0)])
def test_an_object_at_the_edge_is_cut(place: tuple[int, int]) -> None:
    truth = houses((*place, 2, 2), (9, 9, 1, 2))
    summary = summary_of(truth, truth)
    assert (summary["cut"], counts(summary)) == (1, [(1, 1), (0, 0), (0, 0)])


@pytest.mark.parametrize(
    ("unknown", "cut"), [((4, 6), 1), ((4, 4), 1), ((7, 7), 1), ((3, 5), 0), ((5, 8), 0)]
)
def test_an_object_that_touches_an_unknown_pixel_is_cut(unknown: tuple[int, int], cut: int) -> None:
    truth = houses((5, 5, 2, 2))
    truth[unknown] = NO_TRUTH
    summary = summary_of(truth, truth)
    assert (summary["cut"], counts(summary)[1]) == (cut, (1 - cut, 1 - cut))


def test_blocks_are_summed_and_one_without_the_class_adds_nothing() -> None:
    objects = ObjectRecall(HOUSE, LIMITS, "m2")
    house, none = houses((5, 5, 2, 2), (0, 0, 1, 1)), houses()
    for truth, prediction, gsd in ((house, house, 1.0), (house, none, 2.0), (none, house, 1.0)):
        objects.update(block(truth, prediction, gsd))
    summary = objects.summary("house")
    assert (summary["cut"], counts(summary)) == (2, [(0, 0), (1, 1), (1, 0)])


def test_without_limits_there_is_one_range() -> None:
    objects = ObjectRecall(HOUSE, (), "px")
    truth = houses((5, 5, 1, 1), (9, 9, 5, 5))
    objects.update(block(truth, truth, None))
    (row,) = objects.summary("house")["areas"]
    assert row == {"from": 0.0, "to": None, "objects": 2, "found": 2, "recall": 1.0}


@pytest.mark.parametrize("unknown", [0.0, 0.005])
@pytest.mark.parametrize("seed", range(3))
def test_it_agrees_with_scipy_on_random_maps(seed: int, unknown: float) -> None:
    rng = np.random.default_rng(seed)
    truth = random_ids(rng, 150, 180, classes=5, unknown=unknown)
    prediction = random_ids(rng, 150, 180, classes=2)
    labels, number = ndimage.label(truth == HOUSE, np.ones((3, 3)))
    surely = ndimage.binary_erosion(truth != NO_TRUTH, np.ones((3, 3)), border_value=0)
    expected, cut = np.zeros((3, 2), int), 0
    for label in range(1, number + 1):
        pixels = labels == label
        if not surely[pixels].all():
            cut += 1
            continue
        area = np.count_nonzero(pixels)
        place = 0 if area < 2 else 1 if area < 40 else 2
        expected[place] += 1, np.mean(prediction[pixels] == HOUSE) >= 0.5
    objects = ObjectRecall(HOUSE, (2.0, 40.0), "px")
    objects.update(block(truth, prediction, None))
    summary = objects.summary("house")
    assert counts(summary) == [tuple(row) for row in expected.tolist()]
    assert summary["cut"] == cut > 0
    assert expected.min() > 0
