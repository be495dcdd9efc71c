from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from partialseg.core.classes import NO_TRUTH
from partialseg.evaluation.mosaic import Block, join_patches
from partialseg.tiling.patches import PatchStore
from truth_store import write_truth

SIZE = 4


def plain(value: int) -> NDArray[np.uint8]:
    return np.full((SIZE, SIZE), value, np.uint8)


def blocks_of(store: PatchStore, *predicted: int) -> list[Block]:
    predictions = np.stack([plain(value) for value in predicted])
    return list(join_patches(store, store.patches, predictions))


def test_patches_that_share_a_side_become_one_block(tmp_path: Path) -> None:
    # An L of three: place (2, 4) has no patch.
    truths = {"a": {(1, 3): plain(0), (1, 4): plain(1), (2, 3): plain(2)}}
    (block,) = blocks_of(write_truth(tmp_path, truths), 2, 1, 0)
    none = NO_TRUTH
    assert block.truth.tolist() == np.kron([[0, 1], [2, none]], plain(1)).tolist()
    assert block.prediction.tolist() == np.kron([[2, 1], [0, none]], plain(1)).tolist()
    assert block.truth.dtype == block.prediction.dtype == np.uint8
    assert block.gsd == 0.5


def test_the_order_of_the_patches_changes_nothing(tmp_path: Path) -> None:
    truths = {"a": {(2, 3): plain(2), (1, 4): plain(1), (1, 3): plain(0)}}
    store = write_truth(tmp_path, truths)
    (block,) = blocks_of(store, 0, 1, 2)
    assert block.truth[::SIZE, ::SIZE].tolist() == [[0, 1], [2, NO_TRUTH]]
    assert block.prediction[::SIZE, ::SIZE].tolist() == [[2, 1], [0, NO_TRUTH]]


def test_patches_that_share_a_corner_or_nothing_are_blocks_of_their_own(tmp_path: Path) -> None:
    truths = {"a": {(0, 0): plain(0), (1, 1): plain(1), (1, 3): plain(2)}}
    blocks = blocks_of(write_truth(tmp_path, truths), 0, 1, 2)
    assert [block.truth.tolist() for block in blocks] == [
        plain(value).tolist() for value in (0, 1, 2)
    ]


def test_a_group_leaves_a_patch_of_another_in_its_rectangle_out(tmp_path: Path) -> None:
    ring = [(0, 0), (0, 1), (0, 2), (0, 3), (1, 0), (2, 0), (3, 0)]
    truths = {"a": {place: plain(1) for place in ring} | {(2, 2): plain(2)}}
    large, small = blocks_of(write_truth(tmp_path, truths), *[1] * 7, 2)
    assert large.truth.shape == (16, 16)
    assert np.unique(large.truth).tolist() == [1, NO_TRUTH]
    assert np.count_nonzero(large.truth == 1) == 7 * SIZE**2
    assert small.truth.tolist() == plain(2).tolist()


def test_orthophotos_are_never_joined_and_have_their_own_pixel_size(tmp_path: Path) -> None:
    truths = {"a": {(0, 0): plain(0)}, "b": {(0, 1): plain(1)}, "c": {(0, 2): plain(2)}}
    store = write_truth(tmp_path, truths, gsd={"b": 0.25, "c": None})
    blocks = blocks_of(store, 0, 0, 0)
    assert [(block.truth[0, 0], block.gsd) for block in blocks] == [(0, 0.5), (1, 0.25), (2, None)]


def test_a_prediction_counts_only_where_the_truth_is_known(tmp_path: Path) -> None:
    truth = plain(1)
    truth[1, 2] = NO_TRUTH
    store = write_truth(tmp_path, {"a": {(0, 0): truth}})
    (block,) = blocks_of(store, 2)
    expected = plain(2)
    expected[1, 2] = NO_TRUTH
    assert block.prediction.tolist() == expected.tolist()
    assert block.truth.tolist() == truth.tolist()


def test_only_the_given_patches_are_joined(tmp_path: Path) -> None:
    store = write_truth(tmp_path, {"a": {(0, column): plain(column) for column in range(3)}})
    first, _, last = store.patches
    blocks = list(join_patches(store, [last, first], np.stack([plain(1), plain(2)])))
    assert [(block.truth[0, 0], block.prediction[0, 0]) for block in blocks] == [(2, 1), (0, 2)]
    assert all(block.truth.shape == (SIZE, SIZE) for block in blocks)


def test_no_patches_have_no_blocks(tmp_path: Path) -> None:
    store = write_truth(tmp_path, {"a": {(0, 0): plain(0)}})
    assert list(join_patches(store, [], np.zeros((0, SIZE, SIZE), np.uint8))) == []


def test_a_prediction_is_needed_for_every_patch(tmp_path: Path) -> None:
    store = write_truth(tmp_path, {"a": {(0, 0): plain(0)}})
    with pytest.raises(AssertionError, match=r"\(2, 4, 4\)"):
        blocks_of(store, 0, 0)
