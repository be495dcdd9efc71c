import math

import numpy as np
import pytest
import torch
from torch import Tensor

from partialseg.confusion import ConfusionMatrix

TRUTH = torch.tensor([0, 0, 0, 1, 1, 2, -1, -1])
PREDICTION = torch.tensor([0, 0, 1, 1, 2, 2, 0, 1])


def confusion_of(prediction: Tensor, truth: Tensor, num_classes: int = 4) -> ConfusionMatrix:
    matrix = ConfusionMatrix(num_classes)
    matrix.update(prediction, truth)
    return matrix


def test_truth_is_the_row_and_prediction_the_column() -> None:
    matrix = confusion_of(PREDICTION, TRUTH)
    expected = [[2, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 0], [0, 0, 0, 0]]
    assert matrix.counts.tolist() == expected
    assert matrix.counts.dtype == torch.int64


def test_scores_are_those_of_the_hand_computed_table() -> None:
    matrix = confusion_of(PREDICTION, TRUTH)
    assert matrix.iou().tolist()[:3] == pytest.approx([2 / 3, 1 / 3, 1 / 2])
    assert matrix.f1().tolist()[:3] == pytest.approx([4 / 5, 2 / 4, 2 / 3])
    assert matrix.accuracy() == pytest.approx(4 / 6)


def test_an_absent_class_is_named_and_left_out_of_the_means() -> None:
    matrix = confusion_of(PREDICTION, TRUTH)
    assert matrix.absent() == [3]
    assert math.isnan(matrix.iou()[3]) and math.isnan(matrix.f1()[3])
    assert matrix.miou() == pytest.approx((2 / 3 + 1 / 3 + 1 / 2) / 3)
    assert matrix.mean_f1() == pytest.approx((4 / 5 + 2 / 4 + 2 / 3) / 3)


def test_a_class_that_occurs_on_one_side_only_counts_as_zero() -> None:
    only_predicted = confusion_of(torch.tensor([0, 1]), torch.tensor([0, 0]), 2)
    only_true = confusion_of(torch.tensor([0, 0]), torch.tensor([0, 1]), 2)
    for matrix in (only_predicted, only_true):
        assert matrix.absent() == []
        assert matrix.iou().tolist() == [0.5, 0.0]
        assert matrix.miou() == 0.25


def test_without_a_pixel_every_score_is_nan_and_every_class_absent() -> None:
    matrix = confusion_of(torch.tensor([0, 2]), torch.tensor([-1, -1]), 3)
    assert matrix.counts.sum() == 0
    assert matrix.absent() == [0, 1, 2]
    scores = (
        matrix.miou(),
        matrix.frequency_weighted_iou(),
        matrix.mean_f1(),
        matrix.accuracy(),
    )
    assert all(math.isnan(score) for score in scores)


def test_frequency_weighted_iou_weighs_each_class_by_its_pixels_in_the_truth() -> None:
    # IoU 2/3 of 3 pixels, 1/3 of 2, 1/2 of 1; class 3 is absent.
    matrix = confusion_of(PREDICTION, TRUTH)
    expected = (3 * 2 / 3 + 2 * 1 / 3 + 1 * 1 / 2) / 6
    assert matrix.frequency_weighted_iou() == pytest.approx(expected)
    only_predicted = confusion_of(torch.tensor([0, 0, 1]), torch.tensor([0, 0, 0]), 2)
    assert only_predicted.frequency_weighted_iou() == pytest.approx(2 / 3)
    only_true = confusion_of(torch.tensor([0, 0, 0]), torch.tensor([0, 0, 1]), 2)
    assert only_true.frequency_weighted_iou() == pytest.approx((2 * 2 / 3 + 0) / 3)


@pytest.mark.parametrize("seed", range(4))
def test_frequency_weighted_iou_agrees_with_masks_of_each_class(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.choice([-1, 0, 1, 2, 3], (2, 17, 19), p=[0.1, 0.6, 0.2, 0.08, 0.02])
    prediction = np.where(rng.random(truth.shape) < 0.7, truth, rng.integers(0, 4, truth.shape))
    prediction[prediction < 0] = 0
    known = truth != -1
    expected = 0.0
    for name in range(4):
        true, predicted = (truth == name) & known, (prediction == name) & known
        iou = (true & predicted).sum() / (true | predicted).sum()
        expected += iou * true.sum() / known.sum()
    matrix = confusion_of(torch.from_numpy(prediction), torch.from_numpy(truth), 6)
    assert matrix.absent() == [4, 5]
    assert matrix.frequency_weighted_iou() == pytest.approx(expected)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.int32, torch.int64])
def test_ids_may_have_any_shape_and_integer_type(dtype: torch.dtype) -> None:
    signed = torch.int16 if dtype == torch.uint8 else dtype
    matrix = confusion_of(
        PREDICTION.reshape(2, 2, 2).to(dtype), TRUTH.reshape(2, 2, 2).to(signed), 4
    )
    assert torch.equal(matrix.counts, confusion_of(PREDICTION, TRUTH).counts)


def test_a_prediction_at_an_ignored_pixel_may_be_anything() -> None:
    matrix = confusion_of(torch.tensor([0, 99]), torch.tensor([0, -1]), 2)
    assert matrix.counts.tolist() == [[1, 0], [0, 0]]


def test_counts_do_not_overflow_small_types() -> None:
    ids = torch.full((70_000,), 254, dtype=torch.uint8)
    matrix = confusion_of(ids, ids.to(torch.int16), 255)
    assert matrix.counts[254, 254] == 70_000


def test_merged_and_successive_updates_equal_one_joint_update() -> None:
    joint = confusion_of(PREDICTION, TRUTH)
    first = confusion_of(PREDICTION[:3], TRUTH[:3])
    second = confusion_of(PREDICTION[3:], TRUTH[3:])
    successive = confusion_of(PREDICTION[:3], TRUTH[:3])
    successive.update(PREDICTION[3:], TRUTH[3:])
    first.merge(second)
    assert torch.equal(first.counts, joint.counts)
    assert torch.equal(successive.counts, joint.counts)


def test_merging_leaves_the_other_matrix_as_it_was() -> None:
    first, second = confusion_of(PREDICTION, TRUTH), confusion_of(PREDICTION, TRUTH)
    first.merge(second)
    first.merge(second)
    assert first.counts.sum() == 18
    assert second.counts.sum() == 6


@pytest.mark.parametrize("seed", range(4))
def test_it_agrees_with_a_loop_over_all_pixels(seed: int) -> None:
    rng = np.random.default_rng(seed)
    classes = 5
    truth = rng.integers(-1, classes - 1, (2, 11, 13))  # class 4 only predicted
    prediction = np.where(rng.random(truth.shape) < 0.6, truth, rng.integers(0, classes, (11, 13)))
    prediction[prediction < 0] = 0
    matrix = confusion_of(torch.from_numpy(prediction), torch.from_numpy(truth), classes)
    iou, right, known = [], 0, 0
    for name in range(classes):
        both = either = 0
        for true, predicted in zip(truth.flat, prediction.flat, strict=True):
            if true != -1:
                both += true == name and predicted == name
                either += true == name or predicted == name
        iou.append(both / either)
        right += both
    known = int((truth != -1).sum())
    assert matrix.iou().tolist() == pytest.approx(iou)
    assert matrix.miou() == pytest.approx(sum(iou) / classes)
    assert matrix.accuracy() == pytest.approx(right / known)
    assert int(matrix.counts.sum()) == known


@pytest.mark.parametrize(
    ("prediction", "truth", "message"),
    [
        ([0, 1], [0, 1, 1], r"shapes differ: \(2,\), \(3,\)"),
        ([0, 1], [0, 3], r"truth: class ids 0\.\.3, allowed are 0\.\.2"),
        ([0, 1], [0, -2], r"truth: class ids -2\.\.0, allowed are 0\.\.2"),
        ([0, 4], [0, 1], r"prediction: class ids 0\.\.4, allowed are 0\.\.2"),
        ([-1, 1], [0, 1], r"prediction: class ids -1\.\.1, allowed are 0\.\.2"),
    ],
)
def test_ids_out_of_range_and_other_shapes_are_refused(
    prediction: list[int], truth: list[int], message: str
) -> None:
    matrix = ConfusionMatrix(3)
    with pytest.raises(ValueError, match=message):
        matrix.update(torch.tensor(prediction), torch.tensor(truth))
    assert matrix.counts.sum() == 0
