"""The loss on the labelled pixels: its terms, and the heads of deep supervision."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from sklearn.metrics import f1_score, jaccard_score
from torch import Tensor

from partialseg.loss import partial_cross_entropy
from partialseg.training.losses import Terms, labelled_loss, lovasz_softmax, partial_dice

NONE = Terms(dice=0.0, lovasz=0.0)
WEIGHTS = torch.tensor([1.0, 2.0, 3.0])
Term = Callable[[Tensor, Tensor], Tensor]
ADDED: list[Term] = [partial_dice, lovasz_softmax]


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    return partial_cross_entropy(logits, labels, None)


def weighted_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    return partial_cross_entropy(logits, labels, torch.tensor([0.5, 1.0, 2.0, 4.0]))


# What holds for every term of the loss; values of each by hand are in its own file.
every_term = pytest.mark.parametrize("term", [cross_entropy, weighted_cross_entropy, *ADDED])
half_precision = pytest.mark.parametrize("half", [torch.float16, torch.bfloat16])


@pytest.fixture
def example() -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    return torch.randn(2, 3, 4, 4), torch.randint(-1, 3, (2, 4, 4))


def test_the_loss_of_deep_supervision_is_the_mean_over_the_heads() -> None:
    labels = torch.tensor([[[0, -1]]])
    probabilities = [(0.5, 0.5), (0.25, 0.75), (0.125, 0.875), (0.5, 0.5)]
    heads = tuple(
        torch.tensor(pair).log()[None, :, None, None].expand(1, 2, 1, 2) for pair in probabilities
    )
    ln2 = math.log(2)
    loss = labelled_loss(heads, labels, torch.tensor([2.0, 1.0]), NONE)
    assert float(loss) == pytest.approx(2 * (ln2 + 2 * ln2 + 3 * ln2 + ln2) / 4)


def test_the_loss_of_one_head_is_the_partial_cross_entropy(example: tuple[Tensor, Tensor]) -> None:
    logits, labels = example
    expected = partial_cross_entropy(logits, labels, WEIGHTS)
    assert torch.equal(labelled_loss((logits,), labels, WEIGHTS, NONE), expected)


def test_terms_are_added_by_their_weights(example: tuple[Tensor, Tensor]) -> None:
    logits, labels = example
    parts = {
        "cross-entropy": float(partial_cross_entropy(logits, labels, WEIGHTS)),
        "dice": float(partial_dice(logits, labels)),
        "lovasz": float(lovasz_softmax(logits, labels)),
    }
    assert len(set(parts.values())) == 3 and min(parts.values()) > 0
    for terms in (
        Terms(dice=0.5, lovasz=0.0),
        Terms(dice=0.0, lovasz=2.0),
        Terms(dice=3, lovasz=1),
    ):
        expected = (
            parts["cross-entropy"] + terms.dice * parts["dice"] + terms.lovasz * parts["lovasz"]
        )
        loss = labelled_loss((logits,), labels, WEIGHTS, terms)
        assert float(loss) == pytest.approx(expected, rel=1e-6)


def test_a_term_of_weight_0_is_not_computed(
    example: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Tensor) -> Tensor:
        raise AssertionError

    monkeypatch.setattr("partialseg.training.losses.partial_dice", refuse)
    monkeypatch.setattr("partialseg.training.losses.lovasz_softmax", refuse)
    assert float(labelled_loss((example[0],), example[1], None, NONE)) > 0
    with pytest.raises(AssertionError):
        labelled_loss((example[0],), example[1], None, Terms(dice=0.1, lovasz=0.0))


def random_batch(classes: int = 4) -> tuple[Tensor, Tensor]:
    """Return logits (2, classes, 9, 7) and labels of which a part is unlabelled."""
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(2, classes, 9, 7, generator=generator)
    return logits, torch.randint(-1, classes, (2, 9, 7), generator=generator)


@every_term
def test_without_a_labelled_pixel_loss_and_gradients_are_zero(term: Term) -> None:
    logits, labels = random_batch()
    logits.requires_grad_()
    loss = term(logits, torch.full_like(labels, -1))
    loss.backward()
    assert loss.item() == 0.0
    assert logits.grad is not None
    assert torch.equal(logits.grad, torch.zeros_like(logits))


@every_term
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_gradients_are_exactly_zero_at_unlabelled_pixels_and_nowhere_else(
    term: Term, dtype: torch.dtype
) -> None:
    logits, labels = random_batch()
    logits = logits.to(dtype).requires_grad_()
    term(logits, labels).backward()
    assert logits.grad is not None
    of_pixels = logits.grad.movedim(1, -1)  # (N, H, W, C)
    assert (labels == -1).any() and (labels != -1).any()
    assert (of_pixels[labels == -1] == 0.0).all()
    of_labelled = of_pixels[labels != -1] != 0.0
    assert of_labelled.any(dim=-1).all()
    assert term in ADDED or of_labelled.all()  # the cross-entropy moves every class


@pytest.mark.parametrize(
    ("term", "values"),
    [
        *((term, (-1e4, 1e4, 3.0, 0.0)) for term in (cross_entropy, weighted_cross_entropy)),
        *((term, (-1e4, math.inf, math.nan, 0.0)) for term in ADDED),
    ],
)
def test_logits_of_unlabelled_pixels_do_not_matter(term: Term, values: tuple[float, ...]) -> None:
    logits, labels = random_batch()
    before = term(logits, labels)
    logits = torch.where((labels == -1)[:, None], torch.tensor(values)[None, :, None, None], logits)
    logits.requires_grad_()
    loss = term(logits, labels)
    loss.backward()
    assert torch.equal(loss, before)
    assert logits.grad is not None
    assert (logits.grad.movedim(1, -1)[labels == -1] == 0.0).all()
    assert logits.grad.isfinite().all()


@every_term
def test_a_sure_and_right_prediction_costs_nothing(term: Term) -> None:
    _, labels = random_batch()
    right = torch.nn.functional.one_hot(labels.clamp(min=0), 4).movedim(-1, 1)
    losses = [float(term(sure * right.float(), labels)) for sure in (1, 3, 10, 200)]
    assert losses == sorted(losses, reverse=True)
    assert losses[0] > 0.1 and losses[-1] == 0.0


@pytest.mark.parametrize(
    ("term", "score"), [(partial_dice, f1_score), (lovasz_softmax, jaccard_score)]
)
def test_of_hard_predictions_it_is_one_minus_the_score_that_it_stands_for(
    term: Term, score: Callable[..., Any]
) -> None:
    logits, labels = random_batch()
    labels[labels == 2] = -1  # predicted, but not among the labels
    predicted = logits.argmax(dim=1)
    hard = 1e4 * torch.nn.functional.one_hot(predicted, 4).movedim(-1, 1).float()
    known = labels != -1
    scores = score(labels[known], predicted[known], labels=[0, 1, 3], average=None)
    assert scores.min() > 0
    assert float(term(hard, labels)) == pytest.approx(1 - scores.mean(), rel=1e-6)


@every_term
@half_precision
def test_half_precision_logits_give_the_loss_of_their_float32_values(
    term: Term, half: torch.dtype
) -> None:
    logits, labels = random_batch()
    logits = logits.to(half)
    loss = term(logits, labels)
    assert loss.dtype == torch.float32
    assert torch.equal(loss, term(logits.float(), labels))
