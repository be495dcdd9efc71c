"""The loss on the labelled pixels: partial cross-entropy, and what is added to it."""

import torch
import torch.nn.functional as F
from pydantic import NonNegativeFloat
from pydantic.dataclasses import dataclass
from torch import Tensor

from partialseg.core.classes import IGNORE_INDEX
from partialseg.core.params import STRICT
from partialseg.loss import partial_cross_entropy


def partial_dice(logits: Tensor, labels: Tensor) -> Tensor:
    """Return one minus the mean soft Dice coefficient of the classes that have labelled pixels.

    The coefficient of a class is 2 * sum(p * y) / (sum(p) + sum(y)), with sums over the labelled
    pixels of the whole batch. A class without a labelled pixel is left out: its coefficient would
    be 0 for any prediction. Without any labelled pixel the loss is 0, with zero gradients.
    Computed in float32.
    Source: Milletari et al. 2016, arXiv:1606.04797 (there with squares in the denominator).

    Args:
        logits: (N, C, H, W), float.
        labels: (N, H, W), int64, IGNORE_INDEX where unlabelled.
    """
    labelled = labels != IGNORE_INDEX
    probabilities = logits.movedim(1, -1)[labelled].float().softmax(dim=-1)  # (P, C)
    truth = F.one_hot(labels[labelled], probabilities.shape[-1])
    overlap = (probabilities * truth).sum(dim=0)
    total = probabilities.sum(dim=0) + truth.sum(dim=0)
    # Chosen before the division: 0 / 0 of an absent class would make all gradients NaN.
    present = truth.any(dim=0)
    losses = 1 - 2 * overlap[present] / total[present]
    return losses.sum() / present.sum().clamp(min=1)


def lovasz_softmax(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the mean Lovász extension of 1 - IoU over the classes that have labelled pixels.

    All labelled pixels of the batch count as one image, and a class without any is left out.
    Without a labelled pixel the loss is 0, with zero gradients. Computed in float32.
    Source: Berman et al. 2018, arXiv:1705.08790.

    Args:
        logits: (N, C, H, W), float.
        labels: (N, H, W), int64, IGNORE_INDEX where unlabelled.
    """
    labelled = labels != IGNORE_INDEX
    probabilities = logits.movedim(1, -1)[labelled].float().softmax(dim=-1)
    return lovasz_of_probabilities(probabilities, labels[labelled])


def lovasz_of_probabilities(probabilities: Tensor, labels: Tensor) -> Tensor:
    """Return the Lovász-softmax loss of class probabilities (P, C) and class ids (P,)."""
    truth = F.one_hot(labels, probabilities.shape[-1]).bool().T  # (C, P)
    present = truth.any(dim=1)
    truth, of_class = truth[present], probabilities.T[present]
    errors = torch.where(truth, 1 - of_class, of_class)
    # Stable: pixels of equal error share the gradient in an order that is always the same.
    errors, order = errors.sort(dim=1, descending=True, stable=True)
    losses = (errors * jaccard_steps(truth.gather(1, order)).to(errors)).sum(dim=1)
    return losses.sum() / present.sum().clamp(min=1)


def jaccard_steps(truth: Tensor) -> Tensor:
    """Return by how much 1 - IoU grows (K, P) when the pixels become wrong one after the other.

    truth (K, P), bool, tells which pixels are of the class. With i pixels wrong, m of them of the
    class, which has G > 0, 1 - IoU is i / (G + i - m). Its steps are written out: as differences of
    neighbours they would lose most of their digits to rounding where pixels are many.
    """
    wrong = torch.arange(1, truth.shape[1] + 1, device=truth.device)
    missed = truth.cumsum(dim=1)
    of_class = truth.sum(dim=1, keepdim=True)
    union = of_class + wrong - missed
    # A missed pixel leaves the union as it is; a false one makes it larger by one.
    missed_step = 1 / union
    false_step = (of_class - missed) / (union * (union - 1)).clamp(min=1)
    return torch.where(truth, missed_step, false_step)


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
