"""The loss on the labelled pixels: its terms, and the heads of deep supervision."""

import math

import pytest
import torch
from torch import Tensor

from partialseg.loss import partial_cross_entropy
from partialseg.training.losses import Terms, labelled_loss, lovasz_softmax, partial_dice

NONE = Terms(dice=0.0, lovasz=0.0)
WEIGHTS = torch.tensor([1.0, 2.0, 3.0])


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
