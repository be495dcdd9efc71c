from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from partialseg.core.classes import NO_TRUTH
from partialseg.evaluation.shown import class_examples
from truth_store import CLASSES, confusions_of, write_truth

SIZE = 20  # 400 px: 0.5 % of them are 2


def examples_of(
    folder: Path, patches: Sequence[tuple[int, int]], count: int
) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """Score patches a_0_0, a_0_1, ...: so many pixels of house, of which so many are predicted."""
    truths, predictions = {}, []
    for column, (pixels, hits) in enumerate(patches):
        truth = np.zeros((SIZE, SIZE), np.uint8)
        truth.flat[:pixels] = 1
        prediction = np.zeros_like(truth)
        prediction.flat[:hits] = 1
        truths[0, column] = truth
        predictions.append(prediction)
    store = write_truth(folder, {"a": truths})
    return class_examples(
        CLASSES, store.patches, confusions_of(store, np.stack(predictions)), count
    )


def names(examples: list[dict[str, Any]]) -> list[str]:
    return [item["patch"] for item in examples]


def test_best_and_worst_come_with_their_iou(tmp_path: Path) -> None:
    patches = [(100, 50), (100, 100), (100, 0), (100, 80), (100, 20)]
    house = examples_of(tmp_path, patches, 2)["house"]
    assert house == {
        "best": [{"patch": "a_0_1", "iou": 1.0}, {"patch": "a_0_3", "iou": 0.8}],
        "worst": [{"patch": "a_0_2", "iou": 0.0}, {"patch": "a_0_4", "iou": 0.2}],
    }


def test_iou_counts_false_positives_too(tmp_path: Path) -> None:
    house = examples_of(tmp_path, [(100, 400)], 1)["house"]
    assert house == {"best": [{"patch": "a_0_0", "iou": 0.25}], "worst": []}


def test_equal_ones_come_by_name_whatever_their_order(tmp_path: Path) -> None:
    truth = np.ones((SIZE, SIZE), np.uint8)
    store = write_truth(tmp_path, {"a": {(0, place): truth for place in (3, 1, 4, 0, 2)}})
    predictions = np.ones((5, SIZE, SIZE), np.uint8)
    house = class_examples(CLASSES, store.patches, confusions_of(store, predictions), 2)["house"]
    assert names(house["best"]) == ["a_0_0", "a_0_1"]
    assert names(house["worst"]) == ["a_0_2", "a_0_3"]


@pytest.mark.parametrize(
    ("patches", "best", "worst"),
    [(1, ["a_0_0"], []), (2, ["a_0_1", "a_0_0"], []), (3, ["a_0_2", "a_0_1"], ["a_0_0"])],
)
def test_of_few_patches_none_is_both(
    tmp_path: Path, patches: int, best: list[str], worst: list[str]
) -> None:
    house = examples_of(tmp_path, [(100, 10 * place) for place in range(patches)], 2)["house"]
    assert (names(house["best"]), names(house["worst"])) == (best, worst)


def test_patches_with_little_of_the_class_are_not_asked(tmp_path: Path) -> None:
    examples = examples_of(tmp_path, [(1, 0), (2, 1), (0, 5)], 3)
    assert examples["house"] == {"best": [{"patch": "a_0_1", "iou": 0.5}], "worst": []}
    assert names(examples["field"]["best"]) == ["a_0_0", "a_0_1", "a_0_2"]
    assert examples["lake"] == {"best": [], "worst": []}


def test_the_share_is_of_the_known_pixels(tmp_path: Path) -> None:
    truth = np.full((SIZE, SIZE), NO_TRUTH, np.uint8)
    truth[0] = [1, *[0] * 19]  # 1 of 20 known pixels, and of 400 in all
    unknown = np.full_like(truth, NO_TRUTH)
    store = write_truth(tmp_path, {"a": {(0, 0): truth, (0, 1): unknown}})
    predictions = np.ones((2, SIZE, SIZE), np.uint8)
    examples = class_examples(CLASSES, store.patches, confusions_of(store, predictions), 1)
    assert examples["house"] == {"best": [{"patch": "a_0_0", "iou": 1 / 20}], "worst": []}
    assert examples["field"] == {"best": [{"patch": "a_0_0", "iou": 0.0}], "worst": []}
