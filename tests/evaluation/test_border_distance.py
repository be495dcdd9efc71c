import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from partialseg.core.classes import NO_TRUTH
from partialseg.evaluation.boundary import BorderDistance
from partialseg.evaluation.mosaic import Block
from truth_store import random_ids

RANGES = [(0, 1), (1, 2), (2, 4), (4, 8), (8, 16), (16, 32), (32, None)]
CROSS = ndimage.generate_binary_structure(2, 1)


def block(truth: NDArray[np.uint8], prediction: NDArray[np.uint8]) -> Block:
    prediction = np.where(truth == NO_TRUTH, NO_TRUTH, prediction).astype(np.uint8)
    return Block(truth=truth, prediction=prediction, gsd=None)


def counts_of(*blocks: Block) -> list[tuple[int, float | None]]:
    distances = BorderDistance()
    for item in blocks:
        distances.update(item)
    rows = distances.summary()
    assert [(row["from_px"], row["to_px"]) for row in rows] == RANGES
    assert all(row.keys() == {"from_px", "to_px", "pixels", "accuracy"} for row in rows)
    return [(row["pixels"], row["accuracy"]) for row in rows]


def halves(width: int) -> NDArray[np.uint8]:
    ids = np.zeros((2, width), np.uint8)
    ids[:, width // 2 :] = 1
    return ids


def test_columns_beside_a_straight_border() -> None:
    """Of 40 columns a side, 1, 1, 2, 4, 8, 16 and 8 lie in the ranges; two rows, two sides."""
    truth = halves(80)
    prediction = truth.copy()
    prediction[0, 39] = 1  # at distance 1: one of 4
    prediction[0, 36:38] = 1  # at 3 and 4: two of 8
    assert counts_of(block(truth, prediction)) == [
        (4, 0.75),
        (4, 1.0),
        (8, 0.75),
        (16, 1.0),
        (32, 1.0),
        (64, 1.0),
        (32, 1.0),
    ]


def test_distances_are_euclidean() -> None:
    """The contour of a single pixel is it and its 4 neighbours; a corner of 5 x 5 is sqrt(5) off.

    9 pixels but the 5 are 1 px from the contour, so in 1-2; of the 16 of the outer ring, the 4
    middles are 1 px off (1-2), 8 are sqrt(2) and the 4 corners sqrt(5) off (both in 2-4).
    """
    truth = np.zeros((5, 5), np.uint8)
    truth[2, 2] = 1
    assert [pixels for pixels, _ in counts_of(block(truth, truth))] == [5, 8, 12, 0, 0, 0, 0]


def test_without_a_border_all_pixels_are_in_the_last_range() -> None:
    truth = np.zeros((4, 5), np.uint8)
    truth[2, 2] = NO_TRUTH  # no border either
    prediction = truth.copy()
    prediction[0] = 1
    assert counts_of(block(truth, prediction)) == [(0, None)] * 6 + [(19, 14 / 19)]


def test_blocks_are_summed() -> None:
    truth = halves(4)
    rows = counts_of(block(truth, truth), block(truth, 1 - truth), block(truth, truth))
    assert rows == [(12, 2 / 3), (12, 2 / 3)] + [(0, None)] * 5


@pytest.mark.parametrize("seed", range(3))
def test_it_agrees_with_scipy_on_random_maps(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = np.kron(random_ids(rng, 60, 30), np.ones((4, 5))).astype(np.uint8)
    truth[150:170, 20:90] = NO_TRUTH
    truth[:100, 60:] = 2  # far from any border
    item = block(truth, np.where(rng.random(truth.shape) < 0.3, 0, truth).astype(np.uint8))
    known = truth != NO_TRUTH
    edges = np.zeros_like(known)
    for index in range(3):
        others = known & (truth != index)
        edges |= (truth == index) & ndimage.binary_dilation(others, CROSS)
    distance = 1 + ndimage.distance_transform_edt(~edges)
    rows = counts_of(item)
    for (low, high), (pixels, accuracy) in zip(RANGES, rows, strict=True):
        chosen = known & (distance > low) & (distance <= (np.inf if high is None else high))
        assert pixels == np.count_nonzero(chosen) > 0
        assert accuracy == pytest.approx(np.mean(item.prediction[chosen] == truth[chosen]))
    assert sum(pixels for pixels, _ in rows) == np.count_nonzero(known)
