"""Partial cross-entropy: the loss on the labelled pixels alone."""

import torch.nn.functional as F
from torch import Tensor

from partialseg.core.classes import IGNORE_INDEX


def partial_cross_entropy(logits: Tensor, labels: Tensor, class_weights: Tensor | None) -> Tensor:
    """Return the class-weighted cross-entropy of the labelled pixels over their number.

    sum over labelled pixels of w[y] * -log softmax(logits)[y], divided by the count of labelled
    pixels (not by the sum of their weights). Without any it is 0, with zero gradients. Computed
    in float32.
    Source: shared definition of partial supervision, e.g. Tang et al. 2018, arXiv:1803.09569.

    Args:
        logits: (N, C, H, W), float.
        labels: (N, H, W), int64, IGNORE_INDEX where unlabelled.
        class_weights: (C,), or None for equal weights of 1.
    """
    # Summed here: CUDA's own sum over the pixels adds in changing order.
    losses = F.cross_entropy(
        logits.float(), labels, class_weights, ignore_index=IGNORE_INDEX, reduction="none"
    )
    labelled = (labels != IGNORE_INDEX).sum()
    return losses.sum() / labelled.clamp(min=1)
