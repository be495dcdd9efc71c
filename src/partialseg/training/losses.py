"""The loss on the labelled pixels: partial cross-entropy, the terms added to it, class weights."""

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import NonNegativeFloat
from pydantic.dataclasses import dataclass
from torch import Tensor

from partialseg.core.classes import IGNORE_INDEX
from partialseg.core.params import STRICT
from partialseg.loss import partial_cross_entropy

ClassWeights = Literal["auto", "none"] | tuple[float, ...]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Terms:
    """Weights of the terms that are added to partial cross-entropy (0: not computed)."""

    dice: NonNegativeFloat
    lovasz: NonNegativeFloat


def labelled_loss(
    heads: tuple[Tensor, ...], labels: Tensor, class_weights: Tensor | None, terms: Terms
) -> Tensor:
    """Return the mean over the heads, logits (N, C, H, W), of their loss on labels (N, H, W)."""
    return torch.stack([_of_head(head, labels, class_weights, terms) for head in heads]).mean()


def _of_head(logits: Tensor, labels: Tensor, class_weights: Tensor | None, terms: Terms) -> Tensor:
    loss = partial_cross_entropy(logits, labels, class_weights)
    if terms.dice:
        loss = loss + terms.dice * partial_dice(logits, labels)
    if terms.lovasz:
        loss = loss + terms.lovasz * lovasz_softmax(logits, labels)
    return loss


def partial_dice(logits: Tensor, labels: Tensor) -> Tensor:
    """Return one minus the mean soft Dice coefficient of the classes that have labelled pixels.

    The coefficient of a class is 2 * sum(p * y) / (sum(p) + sum(y)), with sums over the labelled
    pixels of the whole batch. A class without a labelled pixel is left out, since its coefficient
    would be 0 for any prediction. Without any labelled pixel the loss is 0, with zero gradients.
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
    # Selected before the division: 0 / 0 of an absent class would make all gradients NaN.
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
    # Stable, so that pixels of equal error always come in the same order.
    errors, order = errors.sort(dim=1, descending=True, stable=True)
    losses = (errors * jaccard_steps(truth.gather(1, order)).to(errors)).sum(dim=1)
    return losses.sum() / present.sum().clamp(min=1)


def jaccard_steps(truth: Tensor) -> Tensor:
    """Return by how much 1 - IoU grows (K, P) when the pixels become wrong one after the other.

    truth (K, P), bool, tells which pixels are of the class. With i pixels wrong, m of them of the
    class, which has G > 0, 1 - IoU is i / (G + i - m). The steps are computed in closed form: as
    differences of neighbours they would lose most digits to rounding where there are many pixels.
    """
    wrong = torch.arange(1, truth.shape[1] + 1, device=truth.device)
    missed = truth.cumsum(dim=1)
    of_class = truth.sum(dim=1, keepdim=True)
    union = of_class + wrong - missed
    # A missed pixel leaves the union unchanged; a false one enlarges it by one.
    missed_step = 1 / union
    false_step = (of_class - missed) / (union * (union - 1)).clamp(min=1)
    return torch.where(truth, missed_step, false_step)


def resolve_class_weights(
    wanted: ClassWeights, visible_counts: Mapping[str, int]
) -> tuple[float, ...] | None:
    """Return one weight per class, in the order of visible_counts, or None for equal weights.

    Raises:
        ValueError: a list of another length or with a weight that is not positive.
    """
    match wanted:
        case "none":
            return None
        case "auto":
            return inverse_root_frequency(visible_counts)
        case _:
            return _checked(wanted, len(visible_counts))


def inverse_root_frequency(visible_counts: Mapping[str, int]) -> tuple[float, ...]:
    """Return weights in proportion to 1 / sqrt(frequency) among the visible pixels.

    They are scaled so that the mean weight of a visible pixel is 1, which keeps the loss on the
    scale of the unweighted one. The root moderates plain inverse frequency, whose large weights
    make a network overpredict rare classes (cf. arXiv:1805.00932, section 2.2). A class without a
    visible pixel, which no step can teach, has weight 0; otherwise the validation loss would be
    that of such a class alone.
    """
    total = sum(visible_counts.values())
    shares = [count / total for count in visible_counts.values()]
    mean = sum(math.sqrt(share) for share in shares)  # sum of share * 1 / sqrt(share)
    return tuple(1 / math.sqrt(share) / mean if share else 0.0 for share in shares)


def _checked(weights: Sequence[float], num_classes: int) -> tuple[float, ...]:
    if len(weights) != num_classes or min(weights) <= 0:
        raise ValueError(
            f"class_weights: needs {num_classes} positive weights, one per class, "
            f"got {list(weights)}"
        )
    return tuple(weights)
