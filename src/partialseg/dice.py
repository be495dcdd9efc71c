"""Partial Dice loss: the overlap of classes on the labelled pixels alone."""

import torch.nn.functional as F
from torch import Tensor

from partialseg.loss import IGNORE_INDEX


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
