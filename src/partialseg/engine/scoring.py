"""Scores of a network on a fully labelled split."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from partialseg.confusion import ConfusionMatrix
from partialseg.core.classes import IGNORE_INDEX
from partialseg.engine.batches import Batch
from partialseg.engine.compute import Compute
from partialseg.engine.ranks import ALONE, Ranks
from partialseg.loss import partial_cross_entropy

Observer = Callable[[Tensor, Tensor], object]


@dataclass(frozen=True, kw_only=True)
class Scores:
    """The confusion matrix of a split, its loss, and the mean of the mIoU of its batches.

    batch_miou depends on the batch size, because each batch leaves out the classes it lacks. It is
    reported since published tables of this experiment used it; nothing is selected by it.
    """

    confusion: ConfusionMatrix
    loss: float
    batch_miou: float


@dataclass(frozen=True, kw_only=True)
class Scorer:
    """Scores networks against the truth of fully labelled patches.

    class_weights (C,), on compute's device, are those of the loss (None: equal ones). Where several
    ranks score, each one passes its own batches and gets the scores of them all. The network sees a
    batch in so many parts, which takes less memory; scores are those of the batch.
    """

    num_classes: int
    class_weights: Tensor | None
    compute: Compute
    ranks: Ranks = ALONE
    parts: int = 1

    @torch.inference_mode()
    def score(
        self, network: nn.Module, batches: DataLoader[Batch], observers: Sequence[Observer] = ()
    ) -> Scores:
        """Score a network in evaluation mode on all pixels of a split that have a truth.

        Each observer is called with the logits (N, C, H, W) and labels (N, H, W) of every batch.

        Raises:
            ValueError: no pixel has a truth.
        """
        network.eval()
        whole = ConfusionMatrix(self.num_classes)
        loss_sum, pixels = 0.0, 0
        batch_mious: list[float] = []
        for images, labels in batches:
            logits = predict_in_parts(network, images, self.compute, self.parts)
            truth = self.compute.to_labels(labels)
            for observe in observers:
                observe(logits, truth)
            known = int((truth != IGNORE_INDEX).sum())
            loss_sum += float(partial_cross_entropy(logits, truth, self.class_weights)) * known
            pixels += known
            of_batch = ConfusionMatrix(self.num_classes)
            # Not argmax(), which takes seven times as long on a CPU.
            of_batch.update(logits.max(dim=1).indices, truth)
            if known:
                batch_mious.append(of_batch.miou())
            whole.merge(of_batch)
        # Summed over the ranks as counts: a mean of the ranks' scores would be another quantity.
        whole.counts = self.ranks.sum(whole.counts)
        sums = [loss_sum, pixels, sum(batch_mious), len(batch_mious)]
        loss_sum, pixels, batch_miou_sum, batches_with_truth = self.ranks.sum(
            torch.tensor(sums, dtype=torch.float64)
        ).tolist()
        if not pixels:
            raise ValueError("no pixel of the split that is scored has a truth")
        return Scores(
            confusion=whole,
            loss=loss_sum / pixels,
            batch_miou=batch_miou_sum / batches_with_truth,
        )


def predict_in_parts(network: nn.Module, images: Tensor, compute: Compute, parts: int) -> Tensor:
    """Return the logits of a batch that the network sees in so many parts, as predict_logits."""
    if parts == 1:
        return predict_logits(network, images, compute)
    shown = images.tensor_split(min(parts, len(images)))
    return torch.cat([predict_logits(network, part, compute) for part in shown])


def predict_logits(network: nn.Module, images: Tensor, compute: Compute) -> Tensor:
    """Return the logits (N, C, H, W), float32, of uint8 images (N, 3, H, W)."""
    with compute.autocast():
        logits: Tensor = network(compute.to_input(images))
    return logits.float()
