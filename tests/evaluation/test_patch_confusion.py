from pathlib import Path

import numpy as np
import pytest
import torch

from partialseg.confusion import ConfusionMatrix
from partialseg.core.classes import NO_TRUTH
from partialseg.evaluation.mosaic import patch_confusions
from truth_store import random_ids, write_truth


def test_every_patch_has_its_own_matrix_of_truth_by_prediction(tmp_path: Path) -> None:
    truths = {
        "a": {(0, 0): np.array([[0, 1], [1, NO_TRUTH]], np.uint8)},
        "b": {(0, 0): np.array([[2, 2], [2, 2]], np.uint8)},
    }
    store = write_truth(tmp_path, truths)
    predictions = np.array([[[0, 1], [2, 0]], [[2, 2], [0, 1]]], np.uint8)
    assert patch_confusions(store, store.patches, predictions).tolist() == [
        [[1, 0, 0], [0, 1, 1], [0, 0, 0]],
        [[0, 0, 0], [0, 0, 0], [1, 1, 2]],
    ]


def test_they_agree_with_the_confusion_matrix_of_a_split(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    truths = {"a": {(0, place): random_ids(rng, 32, 32, unknown=0.1) for place in range(4)}}
    store = write_truth(tmp_path, truths)
    chosen = store.patches[::-1][:3]
    predictions = np.stack([random_ids(rng, 32, 32) for _ in chosen])
    matrices = patch_confusions(store, chosen, predictions)
    for patch, prediction, matrix in zip(chosen, predictions, matrices, strict=True):
        truth = store.truth(patch).astype(np.int16)
        expected = ConfusionMatrix(3)
        expected.update(
            torch.from_numpy(prediction), torch.from_numpy(np.where(truth == NO_TRUTH, -1, truth))
        )
        assert matrix.tolist() == expected.counts.tolist()


def test_predictions_of_other_classes_are_refused(tmp_path: Path) -> None:
    store = write_truth(tmp_path, {"a": {(0, 0): np.zeros((2, 2), np.uint8)}})
    with pytest.raises(AssertionError, match="a_0_0"):
        patch_confusions(store, store.patches, np.full((1, 2, 2), 3, np.uint8))
