import math
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from pydantic import ValidationError
from torch import Tensor

from partialseg.core.classes import IGNORE_INDEX
from partialseg.loss import partial_cross_entropy
from partialseg.training.methods.consistency import (
    Consistency,
    consistency_loss,
    pseudo_labels,
    ramp,
    strong_views,
)
from partialseg.training.methods.strong_views import cutmix_boxes, mix, partners, strong_augment

LN2 = math.log(2)


def params_of(**changes: Any) -> Consistency:
    values: dict[str, Any] = {"weight": 1.0, "threshold": 0.9, "cutmix": 1.0, "ramp_up": 0.1}
    return Consistency(**values | changes)


def row_of(*probabilities: tuple[float, ...]) -> Tensor:
    """Return logits (1, C, 1, W) of the pixels' class probabilities."""
    return torch.tensor(probabilities).log().T[None, :, None, :]


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


SURE, UNSURE, WRONG = (0.02, 0.96, 0.02), (0.2, 0.1, 0.7), (0.98, 0.01, 0.01)


def test_the_teacher_s_class_is_the_target_where_it_is_confident() -> None:
    logits = row_of(SURE, UNSURE, WRONG)
    labels = torch.tensor([[[-1, -1, -1]]])
    targets = pseudo_labels(logits, labels, 0.95)
    assert targets.tolist() == [[[1, -1, 0]]]
    assert targets.dtype == torch.int64
    assert pseudo_labels(logits, labels, 0.97).tolist() == [[[-1, -1, 0]]]
    assert pseudo_labels(logits, labels, 0.6).tolist() == [[[1, 2, 0]]]


def test_a_label_is_kept_whatever_the_teacher_says() -> None:
    logits = row_of(WRONG, UNSURE, SURE, WRONG)
    labels = torch.tensor([[[2, 0, -1, -1]]])
    assert pseudo_labels(logits, labels, 0.95).tolist() == [[[2, 0, 1, 0]]]
    assert labels.tolist() == [[[2, 0, -1, -1]]]


def test_the_threshold_itself_is_confident() -> None:
    logits, labels = torch.zeros(1, 4, 1, 2), torch.full((1, 1, 2), -1)  # exactly a quarter each
    assert (pseudo_labels(logits, labels, 0.25) == 0).all()
    assert (pseudo_labels(logits, labels, float(np.nextafter(np.float32(0.25), 1))) == -1).all()


@pytest.mark.parametrize(("threshold", "share"), [(0.0, 1.0), (1.0, 0.0)])
def test_the_ends_of_the_threshold_take_all_and_nearly_none(threshold: float, share: float) -> None:
    logits = torch.randn(2, 5, 9, 7, generator=seeded(1))
    targets = pseudo_labels(logits, torch.full((2, 9, 7), -1), threshold)
    assert (targets != -1).double().mean() == share


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_confidence_is_that_of_float32(dtype: torch.dtype) -> None:
    logits = 3 * torch.randn(2, 5, 40, 40, generator=seeded(2)).to(dtype)
    labels = torch.full((2, 40, 40), -1)
    expected = pseudo_labels(logits.float(), labels, 0.9)
    assert (expected == -1).any() and (expected != -1).any()
    assert torch.equal(pseudo_labels(logits, labels, 0.9), expected)


def test_a_teacher_that_is_not_finite_is_not_confident() -> None:
    logits = torch.full((1, 3, 1, 2), math.nan)
    assert pseudo_labels(logits, torch.tensor([[[-1, 2]]]), 0.0).tolist() == [[[-1, 2]]]


@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        ((0, -1), LN2 / 2),
        ((0, 1), (LN2 + 2 * LN2) / 2),
        ((-1, 0), math.log(4 / 3) / 2),
        ((-1, -1), 0.0),
    ],
)
def test_the_loss_is_the_sum_over_targets_over_all_pixels(
    targets: tuple[int, ...], expected: float
) -> None:
    loss = consistency_loss(row_of((0.5, 0.5), (0.75, 0.25)), torch.tensor([[targets]]))
    assert loss.shape == ()
    assert float(loss) == pytest.approx(expected, rel=1e-6)


def test_the_gradient_is_that_of_the_hand_computed_table() -> None:
    logits = row_of((0.5, 0.5), (0.75, 0.25)).requires_grad_()
    consistency_loss(logits, torch.tensor([[[-1, 1]]])).backward()
    assert logits.grad is not None
    # (softmax - one-hot) / 2, a row a pixel
    expected = torch.tensor([[0.0, 0.0], [0.75 / 2, (0.25 - 1) / 2]])
    torch.testing.assert_close(logits.grad[0, :, 0].T, expected)
    assert (logits.grad[..., 0] == 0.0).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_gradients_are_exactly_zero_where_there_is_no_target(dtype: torch.dtype) -> None:
    logits = torch.randn(2, 4, 9, 7, generator=seeded(3)).to(dtype).requires_grad_()
    targets = torch.randint(-1, 4, (2, 9, 7), generator=seeded(4))
    consistency_loss(logits, targets).backward()
    assert logits.grad is not None
    of_pixels = logits.grad.movedim(1, -1)
    assert (of_pixels[targets == -1] == 0.0).all()
    assert (of_pixels[targets != -1] != 0.0).all()


def test_without_a_target_loss_and_gradients_are_zero() -> None:
    logits = row_of((0.5, 0.5), (0.75, 0.25)).requires_grad_()
    loss = consistency_loss(logits, torch.tensor([[[-1, -1]]]))
    loss.backward()
    assert loss.item() == 0.0
    assert logits.grad is not None
    assert torch.equal(logits.grad, torch.zeros_like(logits))


def test_it_is_the_partial_cross_entropy_times_the_share_of_targets() -> None:
    logits = torch.randn(2, 4, 9, 7, generator=seeded(5))
    targets = torch.randint(-1, 4, (2, 9, 7), generator=seeded(6))
    share = (targets != IGNORE_INDEX).double().mean()
    assert 0.5 < share < 1
    expected = float(partial_cross_entropy(logits, targets, None)) * share
    assert float(consistency_loss(logits, targets)) == pytest.approx(float(expected))


def test_half_precision_logits_are_summed_in_float32() -> None:
    logits = torch.zeros(1, 2, 128, 128, dtype=torch.float16)
    logits[:, 1] = 20.0
    loss = consistency_loss(logits, torch.zeros(1, 128, 128, dtype=torch.int64))
    assert loss.dtype == torch.float32
    assert float(loss) == pytest.approx(20.0, abs=1e-4)


def test_the_ramp_rises_in_a_line_and_stays() -> None:
    assert [ramp(step, 10, 0.4) for step in range(10)] == [0.0, 0.25, 0.5, 0.75, *[1.0] * 6]
    assert [ramp(step, 4, 1.0) for step in range(4)] == [0.0, 0.25, 0.5, 0.75]
    assert [ramp(step, 3, 0.0) for step in range(3)] == [1.0] * 3


CLASSES = 4


def coded_batch(count: int, height: int = 33, width: int = 21) -> tuple[Tensor, Tensor, Tensor]:
    """Return images whose place in the batch is their grey, sure logits of that class, no labels.

    (Of a grey image the brightness alone changes, by 1 +- 0.5: they stay apart.)
    """
    greys = torch.tensor([4, 28, 120][:count], dtype=torch.uint8)
    images = greys[:, None, None, None].repeat(1, 3, height, width)
    classes = torch.arange(count)[:, None, None].expand(-1, height, width)
    logits = 20 * F.one_hot(classes, CLASSES).movedim(-1, 1).float()
    return images, logits, torch.full((count, height, width), IGNORE_INDEX)


@pytest.mark.parametrize("seed", range(5))
def test_images_and_targets_are_mixed_alike(seed: int) -> None:
    images, logits, labels = coded_batch(3)
    strong, targets = strong_views(images, logits, labels, params_of(), seeded(seed))
    assert strong.shape == images.shape and strong.dtype == torch.uint8
    assert targets.shape == labels.shape and targets.dtype == torch.int64
    shown = (strong[:, 0] > 10).long() + (strong[:, 0] > 50)
    assert torch.equal(shown, targets)
    for place, target in enumerate(targets):
        taken = target == (place + 1) % 3
        assert taken.any() and (target[~taken] == place).all()


def test_a_label_and_an_unsure_pixel_move_with_their_image() -> None:
    images, logits, labels = coded_batch(3)
    labels[:, ::2] = 3  # every other row is labelled
    logits[:, :, 1::4] = 0.0  # half of the other rows are unsure
    _, targets = strong_views(images, logits, labels, params_of(), seeded(1))
    _, own = strong_views(images, logits, labels, params_of(cutmix=0.0), seeded(1))
    row = torch.tensor([3, -1, 3, 0]).repeat(9)[:33]
    assert torch.equal(own[0], row[:, None].expand(33, 21))
    assert (targets[:, ::2] == 3).all() and (targets[:, 1::4] == -1).all()
    sure = targets[:, 3::4]
    assert sure.unique().tolist() == [0, 1, 2]
    assert not torch.equal(targets, own)


def test_the_images_are_mixed_after_they_are_augmented() -> None:
    """Each part of a view has the colours of the image that it comes from."""
    images = torch.randint(0, 256, (3, 3, 24, 24), dtype=torch.uint8, generator=seeded(7))
    _, logits, labels = coded_batch(3, 24, 24)
    view, _ = strong_views(images, logits, labels, params_of(), seeded(8))
    draws = seeded(8)
    strong = strong_augment(images, draws)
    boxes = cutmix_boxes(3, 24, 24, draws)
    assert torch.equal(view, mix(strong, partners(strong), boxes))


def test_the_probability_of_mixing_is_that_of_an_image() -> None:
    images = torch.zeros(400, 3, 16, 16, dtype=torch.uint8)
    labels = torch.arange(400)[:, None, None].expand(-1, 16, 16)
    logits = torch.zeros(400, 2, 16, 16)
    for share, allowed in ((0.0, 0.0), (0.3, 0.1), (1.0, 0.0)):
        _, targets = strong_views(images, logits, labels, params_of(cutmix=share), seeded(9))
        mixed = (targets != labels).flatten(1).any(dim=1).double().mean()
        assert float(mixed) == pytest.approx(share, abs=allowed)


def test_a_batch_of_one_is_augmented_and_not_mixed() -> None:
    images, logits, labels = coded_batch(1, 17, 40)
    labels[:, 3, 4] = 2
    strong, targets = strong_views(images, logits, labels, params_of(), seeded(10))
    assert torch.equal(targets, pseudo_labels(logits, labels, 0.9))
    assert targets[0, 3, 4] == 2
    assert torch.equal(strong, strong_augment(images, seeded(10)))


def test_equal_seeds_give_equal_views() -> None:
    images = torch.randint(0, 256, (3, 3, 20, 30), dtype=torch.uint8, generator=seeded(11))
    logits = 9 * torch.randn(3, CLASSES, 20, 30, generator=seeded(12))
    labels = torch.randint(-1, CLASSES, (3, 20, 30), generator=seeded(13))
    given = [tensor.clone() for tensor in (images, logits, labels)]
    params = params_of(cutmix=0.5)
    first = strong_views(images, logits, labels, params, seeded(14))
    torch.manual_seed(1)
    again = strong_views(images, logits, labels, params, seeded(14))
    other = strong_views(images, logits, labels, params, seeded(15))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0], other[0])
    assert all(torch.equal(a, b) for a, b in zip((images, logits, labels), given, strict=True))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weight": -1.0}, "greater than or equal to 0"),
        ({"threshold": 1.5}, "less than or equal to 1"),
        ({"cutmix": -0.1}, "greater than or equal to 0"),
        ({"ramp_up": 2.0}, "less than or equal to 1"),
        ({"threshold": "0.9"}, "valid number"),
        ({"teacher": 1.0}, "(?i)unexpected keyword argument"),
    ],
)
def test_values_out_of_range_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        params_of(**changes)


def test_a_value_that_is_missing_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"(?i)missing"):
        Consistency(weight=1.0, threshold=0.9, cutmix=0.5)  # type: ignore[call-arg]
