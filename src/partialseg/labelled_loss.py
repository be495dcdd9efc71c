"""The loss on the labelled pixels: partial cross-entropy, and what is added to it."""

import torch
from pydantic import NonNegativeFloat
from pydantic.dataclasses import dataclass
from torch import Tensor

from partialseg.dice import partial_dice
from partialseg.loss import partial_cross_entropy
from partialseg.lovasz import lovasz_softmax
from partialseg.params import STRICT


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Terms:
    """The weights of the terms that are added to partial cross-entropy (0: not computed)."""

    dice: NonNegativeFloat
    lovasz: NonNegativeFloat


def labelled_loss(
    heads: tuple[Tensor, ...], labels: Tensor, class_weights: Tensor | None, terms: Terms
) -> Tensor:
    """Return the loss of labels (N, H, W), the mean over the logits (N, C, H, W) of the heads."""
    return torch.stack([_of_head(head, labels, class_weights, terms) for head in heads]).mean()


def _of_head(logits: Tensor, labels: Tensor, class_weights: Tensor | None, terms: Terms) -> Tensor:
    loss = partial_cross_entropy(logits, labels, class_weights)
    if terms.dice:
        loss = loss + terms.dice * partial_dice(logits, labels)
    if terms.lovasz:
        loss = loss + terms.lovasz * lovasz_softmax(logits, labels)
    return loss
