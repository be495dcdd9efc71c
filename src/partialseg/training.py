"""The training loop."""

import math
import time
from collections.abc import Callable, Iterator

import torch
from pydantic import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from pydantic.dataclasses import dataclass
from torch import Tensor, nn
from torch.utils.data import DataLoader
from tqdm import tqdm

from partialseg.augment import Augment
from partialseg.class_weights import ClassWeights
from partialseg.compute import Compute, Precision
from partialseg.data import Batch, TruthPatches, truth_loader
from partialseg.epoch_record import EpochRecord
from partialseg.loss import partial_cross_entropy
from partialseg.params import STRICT
from partialseg.scoring import score
from partialseg.train_data import TrainPatches, train_loader


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Train:
    """How a network is trained: Adam with a constant learning rate on partial cross-entropy.

    base_channels is the width of the first level; deep_supervision concerns UNet++ alone;
    workers are processes that load patches (0: none beside the training itself).
    """

    base_channels: PositiveInt
    deep_supervision: bool
    epochs: PositiveInt
    batch_size: PositiveInt
    learning_rate: PositiveFloat
    weight_decay: NonNegativeFloat
    class_weights: ClassWeights
    precision: Precision
    workers: NonNegativeInt
    augment: Augment


def fit(
    network: nn.Module,
    train_patches: TrainPatches,
    val_patches: TruthPatches,
    num_classes: int,
    class_weights: Tensor | None,
    params: Train,
    seed: int,
    compute: Compute,
) -> Iterator[EpochRecord]:
    """Train a network that lies on compute's device, and yield a record after each epoch.

    Raises:
        ValueError: the training loss is not finite.
    """
    optimizer = torch.optim.Adam(
        network.parameters(), lr=params.learning_rate, weight_decay=params.weight_decay
    )
    scaler = compute.grad_scaler()
    val_batches = truth_loader(val_patches, params.batch_size, params.workers)
    images = len(train_patches)
    with tqdm(total=params.epochs * images, unit="img", disable=None) as progress:
        for epoch in range(1, params.epochs + 1):
            started = time.perf_counter()
            batches = train_loader(train_patches, params.batch_size, params.workers, seed, epoch)
            train_loss = train_epoch(
                network, batches, class_weights, optimizer, scaler, compute, progress.update
            )
            if not math.isfinite(train_loss):
                raise ValueError(
                    f"epoch {epoch}: the training loss is {train_loss}; lower learning_rate "
                    f"({params.learning_rate})"
                )
            trained = time.perf_counter()
            scores = score(network, val_batches, num_classes, class_weights, compute)
            record = EpochRecord(
                epoch=epoch,
                train_loss=train_loss,
                val_loss=scores.loss,
                val_miou=scores.confusion.miou(),
                val_accuracy=scores.confusion.accuracy(),
                val_batch_miou=scores.batch_miou,
                seconds=time.perf_counter() - started,
                images_per_second=images / (trained - started),
            )
            progress.set_postfix(epoch=epoch, val_miou=f"{record.val_miou:.4f}")
            yield record


def train_epoch(
    network: nn.Module,
    batches: DataLoader[Batch],
    class_weights: Tensor | None,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
    compute: Compute,
    on_images: Callable[[int], object],
) -> float:
    """Train on every batch once; return the mean loss of a batch, and report images as done."""
    network.train()
    loss_sum = torch.zeros((), device=compute.device)
    for images, labels in batches:
        with compute.autocast():
            outputs = network(compute.to_input(images))
        loss = training_loss(outputs, compute.to_labels(labels), class_weights)
        optimizer.zero_grad(set_to_none=True)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        loss_sum += loss.detach()
        on_images(len(images))
    return float(loss_sum) / len(batches)


def training_loss(
    outputs: Tensor | tuple[Tensor, ...], labels: Tensor, class_weights: Tensor | None
) -> Tensor:
    """Return the partial cross-entropy, or its mean over the heads of deep supervision."""
    heads = outputs if isinstance(outputs, tuple) else (outputs,)
    losses = [partial_cross_entropy(logits, labels, class_weights) for logits in heads]
    return torch.stack(losses).mean()
