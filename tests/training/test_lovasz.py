import itertools

import numpy as np
import pytest
import torch
from torch import Tensor

from partialseg.training.losses import jaccard_steps, lovasz_of_probabilities, lovasz_softmax

# Probability of class 0 of four pixels; that of class 1 is the rest.
CLASS_0 = (0.75, 0.625, 0.25, 0.5)


def four_pixels() -> Tensor:
    """Return logits (1, 2, 1, 4) of CLASS_0."""
    first = torch.tensor(CLASS_0)
    return torch.stack([first, 1 - first]).log()[None, :, None, :]


def labels_of(*ids: int) -> Tensor:
    return torch.tensor(ids)[None, None, :]


def random_batch(classes: int = 4) -> tuple[Tensor, Tensor]:
    """Return logits (2, classes, 9, 7) and labels of which a part is unlabelled."""
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(2, classes, 9, 7, generator=generator)
    return logits, torch.randint(-1, classes, (2, 9, 7), generator=generator)


def one_minus_iou(truth: np.ndarray, wrong: np.ndarray) -> float:
    """Return 1 - IoU of a class of which the prediction is wrong at these pixels."""
    predicted = truth ^ wrong
    return 1 - (truth & predicted).sum() / (truth | predicted).sum()


@pytest.mark.parametrize(
    ("ids", "losses"),
    [
        # One pixel of the class: its error is the loss.
        ((0, -1, -1, -1), [0.25]),
        # Both are of the class: the first that is missed costs half the IoU, the second the rest.
        ((0, 0, -1, -1), [0.375 / 2 + 0.25 / 2]),
        # Class 0: errors 0.625 (false), 0.5, 0.25 (missed); 1 - IoU: 1/3, 2/3, 3/3.
        # Class 1: errors 0.625 (missed), 0.5, 0.25 (false); 1 - IoU: 1, 1, 1.
        ((0, 1, -1, 0), [(0.625 + 0.5 + 0.25) / 3, 0.625]),
        # Class 0: 0.625, 0.5 (false), 0.25 (missed); 1 - IoU: 1/2, 2/3, 3/3.
        # Class 1: 0.625, 0.5 (missed), 0.25 (false); 1 - IoU: 1/2, 1, 1.
        ((0, 1, -1, 1), [0.625 / 2 + 0.5 / 6 + 0.25 / 3, 0.625 / 2 + 0.5 / 2]),
        # Class 0: 0.5 (missed), 0.25 (false); 1 - IoU: 1, 1.
        # Class 1: 0.5 (false), 0.25 (missed); 1 - IoU: 1/2, 1.
        ((-1, -1, 1, 0), [0.5, 0.5 / 2 + 0.25 / 2]),
    ],
)
def test_the_loss_is_that_of_the_hand_computed_table(
    ids: tuple[int, ...], losses: list[float]
) -> None:
    loss = lovasz_softmax(four_pixels(), labels_of(*ids))
    assert loss.shape == ()
    assert float(loss) == pytest.approx(sum(losses) / len(losses), rel=1e-6)


def test_all_images_of_a_batch_count_as_one() -> None:
    logits = torch.cat([four_pixels(), four_pixels()])
    labels = torch.cat([labels_of(0, -1, -1, -1), labels_of(-1, 1, -1, 1)])
    # The line of (0, 1, -1, 1) above; the mean of the images' own losses would be 0.40625.
    expected = (0.625 / 2 + 0.5 / 6 + 0.25 / 3 + 0.625 / 2 + 0.5 / 2) / 2
    assert float(lovasz_softmax(logits, labels)) == pytest.approx(expected)


def test_the_gradient_is_that_of_the_hand_computed_table() -> None:
    logits = four_pixels().requires_grad_()
    lovasz_softmax(logits, labels_of(-1, -1, 1, 0)).backward()
    assert logits.grad is not None
    # Steps of the third pixel: 0 in class 0, 1/2 in class 1; of the fourth: 1 and 1/2. Both
    # classes' errors have the slope -p q in the logit of the pixel's class; the mean is of two.
    third, fourth = 0.25 * 0.75 * (1 / 2) / 2, 0.5 * 0.5 * (1 + 1 / 2) / 2
    expected = torch.tensor([[0.0, 0.0, third, -fourth], [0.0, 0.0, -third, fourth]])
    torch.testing.assert_close(logits.grad[0, :, 0], expected)


@pytest.mark.parametrize("seed", range(5))
def test_it_is_the_integral_of_one_minus_iou_over_thresholds_of_the_error(seed: int) -> None:
    """The Lovász extension as a Choquet integral: no sorting, no steps."""
    generator = torch.Generator().manual_seed(seed)
    probabilities = torch.rand(12, 3, generator=generator, dtype=torch.float64)
    probabilities /= probabilities.sum(dim=1, keepdim=True)
    labels = torch.randint(0, 2, (12,), generator=generator)  # class 2 is absent
    expected = []
    for index in range(2):
        truth = labels.numpy() == index
        errors = np.abs(truth - probabilities[:, index].numpy())
        levels = np.unique([0, *errors])
        expected.append(
            sum(
                (high - low) * one_minus_iou(truth, errors >= high)
                for low, high in itertools.pairwise(levels)
            )
        )
    loss = lovasz_of_probabilities(probabilities, labels)
    assert float(loss) == pytest.approx(np.mean(expected), rel=1e-6)


def test_the_slopes_are_those_of_finite_differences() -> None:
    logits, labels = random_batch()
    of_pixels = logits.movedim(1, -1)[0, :3].reshape(-1, 4).double().requires_grad_()
    ids = labels[0, :3].flatten().clamp(min=0)
    assert torch.autograd.gradcheck(
        lambda values: lovasz_of_probabilities(values.softmax(dim=-1), ids), of_pixels, atol=1e-6
    )


def test_steps_of_many_pixels_keep_their_digits() -> None:
    truth = torch.arange(300_000) % 3 == 0
    wrong = torch.arange(1, 300_001)
    levels = wrong.double() / (100_000 + wrong - truth.cumsum(0))
    expected = levels.diff(prepend=torch.zeros(1))
    steps = jaccard_steps(truth[None])[0]
    assert steps.dtype == torch.float32
    torch.testing.assert_close(steps.double(), expected, rtol=1e-5, atol=1e-13)
    # Differences in float32 are off by more than a tenth at one pixel of twenty or more.
    differences = levels.float().diff(prepend=torch.zeros(1))
    assert ((differences - steps).abs() > 0.1 * steps).float().mean() > 0.05


def test_pixels_of_equal_error_take_their_steps_in_their_own_order() -> None:
    truth = torch.arange(40_000).remainder(3) == 0
    probabilities = torch.full((40_000, 2), 0.5, requires_grad=True)
    lovasz_of_probabilities(probabilities, truth.long()).backward()
    assert probabilities.grad is not None
    steps = jaccard_steps(torch.stack([~truth, truth])).T / 2  # the mean is of two classes
    own = torch.stack([~truth, truth], dim=1)
    torch.testing.assert_close(probabilities.grad, torch.where(own, -steps, steps))
