"""Lovász-softmax loss: a smooth stand-in for the IoU, on the labelled pixels alone."""

import torch
import torch.nn.functional as F
from torch import Tensor

from partialseg.loss import IGNORE_INDEX


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
