"""The training loop: its epochs, the checks of its steps, and when it stops."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.data import DataLoader
from tqdm import tqdm

from partialseg.engine.batches import Batch, TruthPatches, truth_loader
from partialseg.engine.compute import out_of_memory_named
from partialseg.engine.curves import EpochRecord
from partialseg.engine.scoring import Scorer
from partialseg.models.blocks import STRIDE
from partialseg.training.data import EpochBatches, Shown, TrainPatches, train_loader
from partialseg.training.learner import Learner, learning_rate_factor
from partialseg.training.params import Train

# Steps, all skipped, after which an epoch fails. The scale starts at 2^16 and is halved at each
# overflow: after so many halvings it cannot be the cause.
MAX_SKIPPED = 20


class Health:
    """Watches the steps of an epoch, and fails at a loss or a gradient that is not finite.

    A step is checked only when the next one has been queued, so that a GPU never waits. Where
    gradients are scaled for float16, the scaler skips a step whose gradient is infinite: such steps
    are counted, and the epoch fails only if it has MAX_SKIPPED steps or more and all were skipped.
    """

    def __init__(self, epoch: int, scaled: bool, hint: str) -> None:
        self._where = f"epoch {epoch}, step"
        self._scaled = scaled
        self._hint = hint
        self._pending: tuple[Tensor, Tensor] | None = None
        self._last_loss = math.nan
        self.steps = 0
        self.skipped = 0

    def add(self, loss: Tensor, gradient_norm: Tensor) -> None:
        """Add the loss and the gradient norm of a step, scalars on the device.

        Raises:
            ValueError: those of the previous step are not finite.
        """
        self._check()
        self._pending = loss, gradient_norm

    def finish(self) -> None:
        """Check the last step.

        Raises:
            ValueError: it is not finite, or every step of the epoch was skipped.
        """
        self._check()
        if self.skipped == self.steps >= MAX_SKIPPED:
            raise ValueError(
                f"{self._where}s 1-{self.steps}: every gradient overflowed float16 and was "
                "skipped; take precision bfloat16 or float32"
            )

    def _check(self) -> None:
        if self._pending is None:
            return
        loss, norm = (float(value) for value in self._pending)
        self._pending = None
        self.steps += 1
        if not math.isfinite(loss):
            before = "" if self.steps == 1 else f" (the step before: {self._last_loss:.4g})"
            raise ValueError(
                f"{self._where} {self.steps}: the training loss is {loss}{before}; {self._hint}"
            )
        self._last_loss = loss
        if math.isfinite(norm):
            return
        if not self._scaled:
            raise ValueError(
                f"{self._where} {self.steps}: the loss is {loss:.4g}, but its gradient is not "
                f"finite; {self._hint}"
            )
        self.skipped += 1


def fit(
    learner: Learner,
    train_patches: TrainPatches,
    val_patches: TruthPatches,
    params: Train,
    seed: int,
    history: Sequence[EpochRecord] = (),
) -> Iterator[EpochRecord]:
    """Train after the epochs of history until training is finished; yield a record per epoch.

    Raises:
        ValueError: a loss or a gradient is not finite, the batches are too small for the
            processes, or memory does not suffice.
    """
    ranks, records = learner.ranks, list(history)
    visible = train_patches.visible_pixels
    shown = Shown(
        often=visible if params.sampling == "pixels" else [min(count, 1) for count in visible],
        # A method also learns from patches without any label; partial cross-entropy cannot.
        unlabelled=params.method != "none",
        crops=train_patches.crops_per_patch,
    )
    order = EpochBatches(shown, params.batch_size, params.parts, seed, ranks)
    _check_batchnorm(train_patches.side, order.smallest_part * ranks.count)
    batches = train_loader(train_patches, order, params.workers)
    val_batches = truth_loader(
        val_patches, scored_at_a_time(params, shown.crops), params.workers, ranks
    )
    scorer = Scorer(
        num_classes=val_patches.num_classes,
        class_weights=learner.class_weights,
        compute=learner.compute,
        ranks=ranks,
        parts=params.parts,
    )
    with (
        out_of_memory_named(advice_on_memory(params)),
        tqdm(
            total=params.epochs * len(order),
            initial=len(records) * len(order),
            unit="step",
            disable=None if ranks.first else True,
        ) as progress,
    ):
        while not is_finished(records, params):
            started = time.perf_counter()
            order.epoch = len(records) + 1
            trained = train_epoch(learner, batches, order.epoch, params, progress.update)
            seconds = time.perf_counter() - started
            scores = scorer.score(learner.scored, val_batches)
            record = EpochRecord(
                epoch=order.epoch,
                train_loss=trained.loss,
                val_loss=scores.loss,
                val_miou=scores.confusion.miou(),
                val_accuracy=scores.confusion.accuracy(),
                val_batch_miou=scores.batch_miou,
                seconds=time.perf_counter() - started,
                images_per_second=len(train_patches) / seconds,
                loader_share=trained.loader_seconds / seconds,
                skipped_steps=trained.skipped_steps,
                peak_memory_mib=learner.compute.peak_memory_mib(),
            )
            if not math.isfinite(record.val_loss):  # not seen above if caused by the last step
                raise ValueError(
                    f"epoch {order.epoch}: the validation loss is {record.val_loss}; "
                    f"{_advice(params)}"
                )
            records.append(record)
            progress.set_postfix(epoch=order.epoch, val_miou=f"{record.val_miou:.4f}")
            yield record


def scored_at_a_time(params: Train, crops: int) -> int:
    """Return how many whole patches are in a batch of the validation.

    They have about as many pixels as a batch of crops, of which a patch has so many.
    """
    return max(1, params.batch_size // crops)


@dataclass(frozen=True, kw_only=True)
class Trained:
    """An epoch of training: mean loss of a batch, seconds waiting for batches, skipped steps."""

    loss: float
    loader_seconds: float
    skipped_steps: int


def train_epoch(
    learner: Learner,
    batches: DataLoader[Batch],
    epoch: int,
    params: Train,
    on_step: Callable[[], object],
) -> Trained:
    """Train on every batch once; epochs count from 1.

    Raises:
        ValueError: a loss or a gradient is not finite.
    """
    first, steps = (epoch - 1) * len(batches), params.epochs * len(batches)
    health = Health(epoch, learner.scaler.is_enabled(), _advice(params))
    loss_sum = torch.zeros((), device=learner.compute.device)
    waited, waiting_since = 0.0, time.perf_counter()
    for step, (images, labels) in enumerate(batches, start=first):
        waited += time.perf_counter() - waiting_since
        factor = learning_rate_factor(params.schedule, params.warmup, step, steps)
        rate = params.learning_rate * factor
        loss, gradient_norm = learner.step(images, labels, rate, step, steps)
        health.add(loss, gradient_norm)
        loss_sum += loss
        on_step()
        waiting_since = time.perf_counter()
    health.finish()
    return Trained(
        loss=float(loss_sum) / len(batches),
        loader_seconds=waited,
        skipped_steps=health.skipped,
    )


def is_finished(history: Sequence[EpochRecord], params: Train) -> bool:
    """Return whether all epochs are trained, or `patience` epochs brought no improvement."""
    if len(history) >= params.epochs:
        return True
    if not params.patience or not history:
        return False
    return len(history) - best_epoch(history) >= params.patience


def is_kept(history: Sequence[EpochRecord], params: Train) -> bool:
    """Return whether the weights after the last of these epochs are the best so far.

    As soon as pseudo_labels is in its second round, the epochs before it no longer count.
    """
    first_round = 0.0
    if params.method == "pseudo_labels":
        first_round = params.methods.pseudo_labels.first_round * params.epochs
    counted = [record for record in history if record.epoch > first_round] or history
    return params.select == "last" or best_epoch(counted) == len(history)


def best_epoch(history: Sequence[EpochRecord]) -> int:
    """Return the epoch of the highest validation mIoU, the first of equals."""
    return max(history, key=lambda record: record.val_miou).epoch


def _check_batchnorm(side: int, images: int) -> None:
    """Refuse training images of so few px that BatchNorm has one value per channel to normalise."""
    if -(-side // STRIDE) == images == 1:  # the networks pad a side to whole strides
        raise ValueError(
            f"one patch or crop of {side} px alone in a part of a batch has one value per channel "
            "at the lowest level of the network, too few for BatchNorm: raise batch_size, lower "
            f"accumulation, or take patches or crops of more than {STRIDE} px"
        )


def _advice(params: Train) -> str:
    cause = f"the likely cause is a learning_rate ({params.learning_rate:g}) that is too high"
    if params.precision in ("float32", "bfloat16"):
        return cause
    return f"{cause}, or the range of float16, where precision is that"


def advice_on_memory(params: Train) -> str:
    """Return where memory did not suffice, and the parameters to change."""
    return (
        f"at batch_size {params.batch_size} with accumulation {params.accumulation} and processes "
        f"{params.processes}: raise accumulation (the result is the same, except that BatchNorm, "
        "Dice, Lovász and CutMix see one part at a time) or lower batch_size"
    )
