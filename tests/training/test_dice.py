import pytest
import torch
from torch import Tensor

from partialseg.training.losses import partial_dice

# Class probabilities of three pixels, as logits their logarithms.
PROBABILITIES = ((0.5, 0.25, 0.25), (0.125, 0.75, 0.125), (0.25, 0.25, 0.5))


def three_pixels() -> Tensor:
    """Return logits (1, 3, 1, 3) of PROBABILITIES."""
    return torch.tensor(PROBABILITIES).log().T[None, :, None, :]


def labels_of(*ids: int) -> Tensor:
    return torch.tensor(ids)[None, None, :]


@pytest.mark.parametrize(
    ("ids", "coefficients"),
    [
        # 2 * p[y] / (sum of p + pixels of y), one coefficient a class that is present
        ((0, -1, -1), [2 * 0.5 / (0.5 + 1)]),
        ((0, -1, 1), [2 * 0.5 / (0.5 + 0.25 + 1), 2 * 0.25 / (0.25 + 0.25 + 1)]),
        ((-1, 1, 1), [2 * (0.75 + 0.25) / (0.75 + 0.25 + 2)]),
        ((0, 0, 1), [2 * (0.5 + 0.125) / (0.875 + 2), 2 * 0.25 / (1.25 + 1)]),
        ((0, 1, 2), [2 * 0.5 / (0.875 + 1), 2 * 0.75 / (1.25 + 1), 2 * 0.5 / (0.875 + 1)]),
    ],
)
def test_the_loss_is_that_of_the_hand_computed_table(
    ids: tuple[int, ...], coefficients: list[float]
) -> None:
    loss = partial_dice(three_pixels(), labels_of(*ids))
    assert loss.shape == ()
    assert float(loss) == pytest.approx(1 - sum(coefficients) / len(coefficients), rel=1e-6)


def test_all_images_of_a_batch_share_the_sums() -> None:
    logits = torch.cat([three_pixels(), three_pixels()])
    labels = torch.cat([labels_of(0, -1, -1), labels_of(-1, 0, -1)])
    # 2 * (0.5 + 0.125) / (0.625 + 2); the images' own coefficients are 2 / 3 and 2 / 9.
    assert float(partial_dice(logits, labels)) == pytest.approx(1 - 1.25 / 2.625)


def test_the_gradient_is_that_of_the_hand_computed_table() -> None:
    logits = three_pixels().requires_grad_()
    partial_dice(logits, labels_of(0, -1, -1)).backward()
    assert logits.grad is not None
    # The loss of one pixel is 1 - 2 p / (p + 1): its slope in p is -2 / (p + 1)^2, and that of
    # p = 0.5 in the logits is p (1 - p) for its own, -p q for the others.
    slope = -2 / 1.5**2
    expected = torch.zeros(3, 3)
    expected[0] = torch.tensor([slope * 0.25, -slope * 0.125, -slope * 0.125])
    torch.testing.assert_close(logits.grad[0, :, 0].T, expected)


def test_gradients_are_finite_where_an_absent_class_has_no_probability_left() -> None:
    logits = torch.tensor([200.0, 0.0, -200.0])[None, :, None, None].requires_grad_()
    partial_dice(logits, torch.tensor([[[0]]])).backward()
    assert logits.grad is not None
    assert torch.equal(logits.grad, torch.zeros_like(logits))
