"""The training loop."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.data import DataLoader
from tqdm import tqdm

from partialseg.engine.batches import Batch, TruthPatches, truth_loader
from partialseg.engine.curves import EpochRecord
from partialseg.engine.scoring import Scorer
from partialseg.training.data import EpochBatches, TrainPatches, train_loader
from partialseg.training.learner import Learner, learning_rate_factor
from partialseg.training.params import Train

# The scale starts at 2^16 and halves at each overflow: after so many it is not to blame.
GIVEN_UP = 20


class Health:
    """Watches the steps of an epoch; stops at a loss or a gradient that is not finite.

    It looks at a step when the next one is on its way, so that a GPU never waits for it. Where
    float16 scales gradients, a step with an infinite one was skipped by the scaler: such steps are
    counted, and stop only an epoch of many that has no other.
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
        """Take loss and norm of the gradient of a step, scalars on the device.

        Raises:
            ValueError: those of the step before are not finite.
        """
        self._check()
        self._pending = loss, gradient_norm

    def finish(self) -> None:
        """Check the last step.

        Raises:
            ValueError: it is not finite, or every step of the epoch was skipped.
        """
        self._check()
        if self.skipped == self.steps >= GIVEN_UP:
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
    """Train on after the epochs of history until training is over; yield a record an epoch.

    Raises:
        ValueError: a loss or a gradient is not finite, the batches are too small for the
            processes, or memory does not suffice.
    """
    ranks, records = learner.ranks, list(history)
    visible = train_patches.visible_pixels
    order = EpochBatches(
        visible if params.sampling == "pixels" else [min(count, 1) for count in visible],
        # A method learns from a patch without any label too; partial cross-entropy cannot.
        params.method != "none",
        params.batch_size,
        params.accumulation,
        seed,
        ranks,
    )
    batches = train_loader(train_patches, order, params.workers)
    val_batches = truth_loader(val_patches, params.batch_size, params.workers, ranks)
    scorer = Scorer(
        num_classes=val_patches.num_classes,
        class_weights=learner.class_weights,
        compute=learner.compute,
        ranks=ranks,
    )
    with (
        out_of_memory_named(params),
        tqdm(
            total=params.epochs * len(order),
            initial=len(records) * len(order),
            unit="step",
            disable=None if ranks.first else True,
        ) as progress,
    ):
        while not is_over(records, params):
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
            if not math.isfinite(record.val_loss):  # the step that did it may be the last one
                raise ValueError(
                    f"epoch {order.epoch}: the validation loss is {record.val_loss}; "
                    f"{_advice(params)}"
                )
            records.append(record)
            progress.set_postfix(epoch=order.epoch, val_miou=f"{record.val_miou:.4f}")
            yield record


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What an epoch of training brought: mean loss of a batch, seconds without one, skips."""

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


def is_over(history: Sequence[EpochRecord], params: Train) -> bool:
    """Return whether all epochs are trained, or patience with them is at its end."""
    if len(history) >= params.epochs:
        return True
    if not params.patience or not history:
        return False
    return len(history) - best_epoch(history) >= params.patience


def is_kept(history: Sequence[EpochRecord], params: Train) -> bool:
    """Return whether the weights after these epochs are the ones to keep so far."""
    return params.select == "last" or best_epoch(history) == len(history)


def best_epoch(history: Sequence[EpochRecord]) -> int:
    """Return the epoch of the highest validation mIoU, the first of equals."""
    return max(history, key=lambda record: record.val_miou).epoch


def _advice(params: Train) -> str:
    cause = f"the likely cause is a learning_rate ({params.learning_rate:g}) that is too high"
    if params.precision in ("float32", "bfloat16"):
        return cause
    return f"{cause}, or the range of float16, where precision is that"


@contextmanager
def out_of_memory_named(params: Train) -> Iterator[None]:
    """Turn an exhausted memory into the parameters that need less of it."""
    try:
        yield
    except RuntimeError as error:
        # On CUDA a type of its own; on a CPU the allocator's name tells it.
        if not isinstance(error, torch.OutOfMemoryError) and "DefaultCPUAllocator" not in str(
            error
        ):
            raise
        raise ValueError(
            f"out of memory at batch_size {params.batch_size} with accumulation "
            f"{params.accumulation} and processes {params.processes}: raise accumulation (the "
            "result stays but for BatchNorm, Dice, Lovász and CutMix, which see a part at a time) "
            "or lower batch_size"
        ) from error
