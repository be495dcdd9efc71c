import pytest
import torch
from sklearn.metrics import f1_score
from torch import Tensor

from partialseg.training.losses import partial_dice

# Class probabilities of three pixels, as logits their logarithms.
PROBABILITIES = ((0.5, 0.25, 0.25), (0.125, 0.75, 0.125), (0.25, 0.25, 0.5))


def three_pixels() -> Tensor:
    """Return logits (1, 3, 1, 3) of PROBABILITIES."""
    return torch.tensor(PROBABILITIES).log().T[None, :, None, :]


def labels_of(*ids: int) -> Tensor:
    return torch.tensor(ids)[None, None, :]


def random_batch(classes: int = 4) -> tuple[Tensor, Tensor]:
    """Return logits (2, classes, 9, 7) and labels of which a part is unlabelled."""
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(2, classes, 9, 7, generator=generator)
    return logits, torch.randint(-1, classes, (2, 9, 7), generator=generator)


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


def test_without_a_labelled_pixel_loss_and_gradients_are_zero() -> None:
    logits = three_pixels().requires_grad_()
    loss = partial_dice(logits, labels_of(-1, -1, -1))
    loss.backward()
    assert loss.item() == 0.0
    assert logits.grad is not None
    assert torch.equal(logits.grad, torch.zeros_like(logits))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_gradients_are_exactly_zero_at_unlabelled_pixels_and_nowhere_else(
    dtype: torch.dtype,
) -> None:
    logits, labels = random_batch()
    logits = logits.to(dtype).requires_grad_()
    partial_dice(logits, labels).backward()
    assert logits.grad is not None
    of_pixels = logits.grad.movedim(1, -1)  # (N, H, W, C)
    assert (labels == -1).any() and (labels != -1).any()
    assert (of_pixels[labels == -1] == 0.0).all()
    assert (of_pixels[labels != -1] != 0.0).any(dim=-1).all()


def test_logits_of_unlabelled_pixels_do_not_matter() -> None:
    logits, labels = three_pixels(), labels_of(0, -1, 1)
    before = partial_dice(logits, labels)
    logits[..., 1] = torch.tensor([-1e4, float("inf"), float("nan")])[None, :, None]
    logits.requires_grad_()
    loss = partial_dice(logits, labels)
    loss.backward()
    assert torch.equal(loss, before)
    assert logits.grad is not None
    assert torch.equal(logits.grad[..., 1], torch.zeros(1, 3, 1))


def test_a_sure_and_right_prediction_costs_nothing() -> None:
    _, labels = random_batch()
    right = torch.nn.functional.one_hot(labels.clamp(min=0), 4).movedim(-1, 1)
    losses = [float(partial_dice(sure * right.float(), labels)) for sure in (1, 3, 10, 200)]
    assert losses == sorted(losses, reverse=True)
    assert losses[0] > 0.1 and losses[-1] == 0.0


def test_gradients_are_finite_where_an_absent_class_has_no_probability_left() -> None:
    logits = torch.tensor([200.0, 0.0, -200.0])[None, :, None, None].requires_grad_()
    partial_dice(logits, torch.tensor([[[0]]])).backward()
    assert logits.grad is not None
    assert torch.equal(logits.grad, torch.zeros_like(logits))


def test_of_hard_predictions_it_is_one_minus_the_f1_score() -> None:
    logits, labels = random_batch()
    labels[labels == 2] = -1  # predicted, but not among the labels
    predicted = logits.argmax(dim=1)
    hard = 1e4 * torch.nn.functional.one_hot(predicted, 4).movedim(-1, 1).float()
    known = labels != -1
    scores = f1_score(labels[known], predicted[known], labels=[0, 1, 3], average=None)
    assert float(partial_dice(hard, labels)) == pytest.approx(1 - scores.mean(), rel=1e-6)


def test_bfloat16_logits_give_the_loss_of_their_float32_values() -> None:
    logits, labels = random_batch()
    half = logits.bfloat16()
    loss = partial_dice(half, labels)
    assert loss.dtype == torch.float32
    assert torch.equal(loss, partial_dice(half.float(), labels))
