"""The partial cross-entropy by hand; what holds for every term is in training/test_losses.py."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from partialseg.core.classes import IGNORE_INDEX
from partialseg.loss import partial_cross_entropy

LN2 = math.log(2)
# Class probabilities of three pixels. As logits their logarithms give a loss of -log p.
PROBABILITIES = ((0.5, 0.25, 0.25), (0.125, 0.75, 0.125), (0.25, 0.25, 0.5))
WEIGHTS = (1.0, 3.0, 5.0)


def three_pixels() -> Tensor:
    """Return logits (1, 3, 1, 3) of PROBABILITIES."""
    return torch.tensor(PROBABILITIES).log().T[None, :, None, :]


def labels_of(*ids: int) -> Tensor:
    return torch.tensor(ids)[None, None, :]


@pytest.mark.parametrize(
    ("ids", "weights", "expected"),
    [
        ((0, -1, -1), None, LN2),
        ((0, -1, 1), None, (LN2 + 2 * LN2) / 2),
        ((0, 0, 1), None, (LN2 + 3 * LN2 + 2 * LN2) / 3),
        ((0, -1, -1), WEIGHTS, 1 * LN2),
        ((-1, -1, 2), WEIGHTS, 5 * LN2),
        ((-1, -1, 1), WEIGHTS, 3 * 2 * LN2),
        ((0, -1, 1), WEIGHTS, (1 * LN2 + 3 * 2 * LN2) / 2),
        ((1, 0, 2), WEIGHTS, (3 * 2 * LN2 + 1 * 3 * LN2 + 5 * LN2) / 3),
    ],
)
def test_the_loss_is_the_weighted_sum_over_the_number_of_labelled_pixels(
    ids: tuple[int, ...], weights: tuple[float, ...] | None, expected: float
) -> None:
    class_weights = None if weights is None else torch.tensor(weights)
    loss = partial_cross_entropy(three_pixels(), labels_of(*ids), class_weights)
    assert loss.shape == ()
    assert float(loss) == pytest.approx(expected, rel=1e-6)


def test_it_is_not_divided_by_the_sum_of_the_weights() -> None:
    logits, labels, weights = three_pixels(), labels_of(0, -1, 1), torch.tensor(WEIGHTS)
    by_weights = F.cross_entropy(logits, labels, weights, ignore_index=IGNORE_INDEX)
    assert float(by_weights) == pytest.approx(7 * LN2 / 4)
    assert float(partial_cross_entropy(logits, labels, weights)) == pytest.approx(7 * LN2 / 2)


def test_all_images_of_a_batch_share_one_count() -> None:
    logits = torch.cat([three_pixels(), three_pixels()])
    labels = torch.cat([labels_of(0, 0, -1), labels_of(-1, -1, 1)])
    # The mean of the two images' own means would be 2 ln 2.
    assert float(partial_cross_entropy(logits, labels, None)) == pytest.approx(6 * LN2 / 3)


def test_the_gradient_is_that_of_the_hand_computed_table() -> None:
    logits = three_pixels().requires_grad_()
    partial_cross_entropy(logits, labels_of(0, -1, 1), torch.tensor(WEIGHTS)).backward()
    assert logits.grad is not None
    # w[y] * (softmax - one-hot) / 2, a row a pixel
    expected = torch.tensor(
        [
            [1 * (0.5 - 1) / 2, 1 * 0.25 / 2, 1 * 0.25 / 2],
            [0.0, 0.0, 0.0],
            [3 * 0.25 / 2, 3 * (0.25 - 1) / 2, 3 * 0.5 / 2],
        ]
    )
    torch.testing.assert_close(logits.grad[0, :, 0].T, expected)


@pytest.mark.parametrize("share", [0.01, 0.5, 1.0])
def test_without_weights_it_is_the_mean_of_torch(share: float) -> None:
    generator = torch.Generator().manual_seed(2)
    logits = torch.randn(3, 5, 16, 16, generator=generator)
    labels = torch.randint(0, 5, (3, 16, 16), generator=generator)
    labels[torch.rand(3, 16, 16, generator=generator) >= share] = IGNORE_INDEX
    expected = F.cross_entropy(logits, labels, ignore_index=IGNORE_INDEX, reduction="mean")
    torch.testing.assert_close(partial_cross_entropy(logits, labels, None), expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_logits_are_summed_in_float32(dtype: torch.dtype) -> None:
    logits = torch.zeros(1, 2, 128, 128, dtype=dtype)
    logits[:, 1] = 20.0
    labels = torch.zeros(1, 128, 128, dtype=torch.int64)
    # 20 a pixel, 327,680 in sum: more than float16 can hold (65,504).
    loss = partial_cross_entropy(logits, labels, None)
    assert loss.dtype == torch.float32
    assert float(loss) == pytest.approx(20.0, abs=1e-4)
