import cv2
import numpy as np
import pytest

from partialseg.core.classes import NO_TRUTH
from partialseg.evaluation.boundary import only
from partialseg.evaluation.class_sets import class_sets, count_classes, count_sets, dilations
from truth_store import random_ids


def test_a_set_has_a_bit_for_each_of_eight_classes_from_the_first() -> None:
    ids = np.array([[0, 1, 7], [8, 15, NO_TRUTH]], np.uint8)
    assert class_sets(ids, 0).tolist() == [[1, 2, 128], [0, 0, 0]]
    assert class_sets(ids, 8).tolist() == [[0, 0, 0], [1, 128, 0]]


def test_the_last_class_ids_are_in_a_set_of_fewer_than_eight() -> None:
    assert class_sets(np.array([[249, 250, 254]], np.uint8), 250).tolist() == [[0, 1, 16]]


def test_the_disks_of_a_pixel() -> None:
    """Squares of distances from the pixel in the middle of 5 x 5: 0, 1, 2, 4, 5 and 8."""
    sets = np.zeros((5, 5), np.uint8)
    sets[2, 2] = 4
    united = dilations(sets, [5, 1, 5, 0])
    assert {square: np.count_nonzero(union == 4) for square, union in united.items()} == {
        0: 1,
        1: 5,
        5: 21,
    }
    assert united[1].tolist() == [
        [0, 0, 0, 0, 0],
        [0, 0, 4, 0, 0],
        [0, 4, 4, 4, 0],
        [0, 0, 4, 0, 0],
        [0, 0, 0, 0, 0],
    ]


@pytest.mark.parametrize("shape", [(40, 60), (5, 90), (70, 4), (1, 1), (1, 33)])
@pytest.mark.parametrize("classes", [3, 11])
def test_they_are_the_dilations_of_each_class_by_opencv(
    shape: tuple[int, int], classes: int
) -> None:
    rng = np.random.default_rng(classes)
    ids = random_ids(rng, *shape, classes=classes)
    ids[rng.random(shape) < 0.9] = NO_TRUTH
    squares = [1, 2, 9, 10, 36, 169]
    for first in (0, 8):
        united = dilations(class_sets(ids, first), squares)
        assert united.keys() == set(squares)
        for square, union in united.items():
            reach = np.arange(-13, 14)
            disk = (reach[:, None] ** 2 + reach**2 <= square).astype(np.uint8)
            for bit in range(8):
                mask = (ids == first + bit).view(np.uint8)
                expected = cv2.dilate(mask, disk).reshape(shape)
                np.testing.assert_array_equal((union >> bit) & 1, expected)


def test_counts_of_classes_and_of_sets_are_those_of_bincount() -> None:
    ids = random_ids(np.random.default_rng(2), 30, 50, classes=11, unknown=0.1)
    counts = np.bincount(ids[ids != NO_TRUTH], minlength=11).tolist()
    assert count_classes(ids, 11).tolist() == counts
    assert count_sets(class_sets(ids, 0), 8).tolist() == counts[:8]
    assert count_sets(class_sets(ids, 8), 3).tolist() == counts[8:]


def test_ids_outside_a_mask_are_unknown() -> None:
    ids = np.array([[0, 3, NO_TRUTH, 3]], np.uint8)
    mask = np.array([[True, True, True, False]])
    assert only(ids, mask).tolist() == [[0, 3, NO_TRUTH, NO_TRUTH]]
