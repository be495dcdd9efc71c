import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from partialseg.core.classes import NO_TRUTH
from partialseg.evaluation.boundary import BoundaryScores, Tolerance, boundary_distance, contours
from partialseg.evaluation.mosaic import Block
from truth_store import CLASSES, random_ids

Ids = NDArray[np.uint8]
CROSS = ndimage.generate_binary_structure(2, 1)


def square(top: int, left: int, side: int = 10, shape: tuple[int, int] = (30, 30)) -> Ids:
    ids = np.zeros(shape, np.uint8)
    ids[top : top + side, left : left + side] = 1
    return ids


def block(truth: Ids, prediction: Ids, gsd: float | None = 0.5) -> Block:
    prediction = np.where(truth == NO_TRUTH, NO_TRUTH, prediction).astype(np.uint8)
    return Block(truth=truth, prediction=prediction, gsd=gsd)


def pixels(*values: float) -> list[Tolerance]:
    return [Tolerance(value=value, unit="px") for value in values]


def summary_of(
    *blocks: Block, distance: int = 1, tolerances: list[Tolerance] | None = None
) -> dict[str, Any]:
    scores = BoundaryScores(
        len(CLASSES), distance, pixels(1.0) if tolerances is None else tolerances
    )
    for item in blocks:
        scores.update(item)
    return scores.summary(CLASSES)


# Contours


def test_both_sides_of_a_border_are_contour_and_corners_are_not() -> None:
    edges = contours(square(1, 1, 3, (5, 5)))
    assert edges.tolist() == [
        [False, True, True, True, False],
        [True, True, True, True, True],
        [True, True, False, True, True],
        [True, True, True, True, True],
        [False, True, True, True, False],
    ]


def test_neither_the_outer_edge_nor_unknown_pixels_make_a_contour() -> None:
    ids = np.array([[2, 2, NO_TRUTH, 0, 0], [2, 2, NO_TRUTH, 0, 1]], np.uint8)
    expected = [[False, False, False, False, True], [False, False, False, True, True]]
    assert contours(ids).tolist() == expected


# Boundary IoU


def test_equal_maps_have_a_boundary_iou_of_one_for_their_classes_alone() -> None:
    ids = square(5, 5)
    iou = summary_of(block(ids, ids), distance=2)["iou"]
    assert iou == {"distance_px": 2, "mean": 1.0, "classes": {"field": 1.0, "house": 1.0}}


def test_boundary_iou_of_a_square_shifted_by_a_pixel() -> None:
    """The region is a ring of 36 px: two of them share 9 px of the upper and of the lower side."""
    shared = 2 * 9
    iou = summary_of(block(square(5, 5), square(5, 6)), distance=1)["iou"]
    assert iou["classes"]["house"] == pytest.approx(shared / (36 + 36 - shared))
    # Around it a ring of 44 px, corners and all, with sides of 12 px.
    shared = 2 * 11
    assert iou["classes"]["field"] == pytest.approx(shared / (44 + 44 - shared))
    assert iou["mean"] == pytest.approx((18 / 54 + 22 / 66) / 2)


def test_a_boundary_region_wider_than_the_object_is_all_of_it() -> None:
    iou = summary_of(block(square(8, 8), square(8, 10)), distance=5)["iou"]
    assert iou["classes"]["house"] == pytest.approx(80 / 120)


def test_the_edge_of_a_block_bounds_no_class() -> None:
    """A square in the corner has two borders only: its right and lower side, 2 px wide."""
    truth, prediction = square(0, 0), square(0, 0, 11)
    iou = summary_of(block(truth, prediction), distance=2)["iou"]
    # Rows and columns 8..9 of 10 x 10, and 9..10 of 11 x 11: they share row and column 9.
    shared = 10 + 9
    assert iou["classes"]["house"] == pytest.approx(shared / ((100 - 64) + (121 - 81) - shared))


def test_unknown_pixels_bound_no_class() -> None:
    truth = np.ones((9, 9), np.uint8)
    truth[4, 4] = NO_TRUTH
    assert summary_of(block(truth, truth), distance=3)["iou"]["classes"] == {}


def test_without_any_border_there_is_no_score() -> None:
    plain = np.zeros((6, 6), np.uint8)
    nothing = {"mean": None, "classes": {}}
    assert summary_of(block(plain, plain), distance=2) == {
        "iou": {"distance_px": 2, **nothing},
        "f1": [{"tolerance": 1.0, "unit": "px", **nothing}],
    }


@pytest.mark.parametrize(("size", "distance"), [(384, 11), (512, 14), (32, 1), (10, 1)])
def test_the_distance_is_a_share_of_the_diagonal_of_a_patch(size: int, distance: int) -> None:
    assert boundary_distance(0.02, size) == distance == max(1, round(0.02 * math.hypot(size, size)))


# Boundary F1


@pytest.mark.parametrize(("shift", "f1"), [(1, 1.0), (2, 20 / 36)])
def test_boundary_f1_of_a_shifted_square(shift: int, f1: float) -> None:
    """Within 1 px all of a ring shifted by 1 px is met; shifted by 2 px, of its 36 px 20 are.

    Of the upper side, the true columns 0..9 against the predicted 2..11, 9 px are met, of the
    lower side as many; and of the column that lies inside the other square the pixels next to
    these sides.
    """
    (row,) = summary_of(block(square(5, 5), square(5, 5 + shift)))["f1"]
    assert row["classes"]["house"] == pytest.approx(f1)


def test_precision_and_recall_are_of_the_contour_pixels() -> None:
    """Two true squares of which one is predicted: precision 1, recall 1/2."""
    truth = square(2, 2, 5) | square(15, 15, 5)
    (row,) = summary_of(block(truth, square(2, 2, 5)))["f1"]
    assert row["classes"]["house"] == pytest.approx(2 * 1 * 0.5 / 1.5)


def test_distances_are_euclidean() -> None:
    """Single pixels a knight's move apart: met from sqrt(5) = 2.236 px on."""
    maps = square(5, 5, 1), square(6, 7, 1)
    rows = summary_of(block(*maps), tolerances=pixels(2.0, 2.2, 2.24, 3.0))["f1"]
    assert [row["classes"]["house"] for row in rows] == [0.0, 0.0, 1.0, 1.0]
    assert [(row["tolerance"], row["unit"]) for row in rows] == [
        (2.0, "px"),
        (2.2, "px"),
        (2.24, "px"),
        (3.0, "px"),
    ]


def test_contours_of_different_classes_do_not_meet() -> None:
    truth = square(5, 5)
    (row,) = summary_of(block(truth, truth * 2))["f1"]
    assert row["classes"] == {"field": 1.0, "house": 0.0, "lake": 0.0}
    assert row["mean"] == pytest.approx(1 / 3)


def test_tolerances_in_metres_follow_the_pixel_size_of_each_block() -> None:
    """Shifts by 2 px are met within 1 m at 0.5 m a pixel, and not at 1 m a pixel."""
    fine, coarse = (block(square(5, 5), square(5, 7), gsd) for gsd in (0.5, 1.0))
    metre = [Tolerance(value=1.0, unit="m")]

    def f1(*blocks: Block) -> float:
        (row,) = summary_of(*blocks, tolerances=metre)["f1"]
        assert (row["tolerance"], row["unit"]) == (1.0, "m")
        return float(row["classes"]["house"])

    assert f1(fine) == 1.0
    assert f1(coarse) == pytest.approx(20 / 36)
    assert f1(fine, coarse) == pytest.approx((36 + 20) / 72)


def test_a_rounded_pixel_size_costs_no_pixel() -> None:
    """2 m at 0.666667 m are 2.9999985 px, and mean three."""
    rounded = block(square(5, 5), square(5, 8), gsd=0.666667)
    (row,) = summary_of(rounded, tolerances=[Tolerance(value=2.0, unit="m")])["f1"]
    assert row["classes"]["house"] == 1.0


def test_counts_are_summed_over_blocks_before_scores() -> None:
    good = block(square(5, 5), square(5, 5))
    bad = block(square(3, 3, 4), square(20, 20, 4))  # rings of 12 px, none met
    result = summary_of(good, bad)
    assert result["f1"][0]["classes"]["house"] == pytest.approx(36 / 48)
    assert result["iou"]["classes"]["house"] == pytest.approx(36 / (36 + 24))


# Against scipy


def scipy_contour(ids: Ids, index: int) -> NDArray[np.bool_]:
    others = (ids != NO_TRUTH) & (ids != index)
    return (ids == index) & ndimage.binary_dilation(others, CROSS)


def scipy_region(ids: Ids, index: int, distance: int) -> NDArray[np.bool_]:
    """The class less what is left of it, joined with the unknown, by erosions."""
    inside = ndimage.binary_erosion(
        (ids == index) | (ids == NO_TRUTH), np.ones((3, 3)), distance, border_value=1
    )
    return (ids == index) & ~inside


def scipy_met(contour: NDArray[np.bool_], other: NDArray[np.bool_], tolerance: float) -> int:
    if not other.any():
        return 0
    return int(np.count_nonzero(contour & (ndimage.distance_transform_edt(~other) <= tolerance)))


@pytest.mark.parametrize("unknown", [0.0, 0.01])
@pytest.mark.parametrize("seed", range(3))
def test_it_agrees_with_scipy_on_random_maps(seed: int, unknown: float) -> None:
    rng = np.random.default_rng(seed)
    blocks = [
        block(random_ids(rng, *shape, unknown=unknown), random_ids(rng, *shape))
        for shape in ((61, 40), (35, 90))
    ]
    distance, tolerances = 3, (1.0, 2.5, 5.0)
    result = summary_of(*blocks, distance=distance, tolerances=pixels(*tolerances))
    for index, name in enumerate(CLASSES):
        regions = [
            [scipy_region(ids, index, distance) for ids in (item.truth, item.prediction)]
            for item in blocks
        ]
        shared = sum(np.count_nonzero(truth & predicted) for truth, predicted in regions)
        either = sum(np.count_nonzero(truth | predicted) for truth, predicted in regions)
        assert shared > 100
        assert result["iou"]["classes"][name] == pytest.approx(shared / either, rel=1e-12)
        edges = [
            [scipy_contour(ids, index) for ids in (item.truth, item.prediction)] for item in blocks
        ]
        for row, tolerance in zip(result["f1"], tolerances, strict=True):
            recall, precision = (
                sum(scipy_met(pair[side], pair[1 - side], tolerance) for pair in edges)
                / sum(np.count_nonzero(pair[side]) for pair in edges)
                for side in (0, 1)
            )
            f1 = 2 * precision * recall / (precision + recall)
            assert row["classes"][name] == pytest.approx(f1, rel=1e-12)
            assert row["mean"] == pytest.approx(sum(row["classes"].values()) / 3)
    assert result["iou"]["mean"] == pytest.approx(sum(result["iou"]["classes"].values()) / 3)


def test_the_highest_class_id_is_told_from_unknown() -> None:
    truth = square(5, 5) * 254
    truth[0, 0] = NO_TRUTH
    scores = BoundaryScores(255, 1, pixels(1.0))
    scores.update(block(truth, truth))
    names = [str(index) for index in range(255)]
    assert scores.summary(names)["iou"]["classes"] == {"0": 1.0, "254": 1.0}
