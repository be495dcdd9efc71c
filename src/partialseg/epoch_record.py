"""What training reports after each epoch."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class EpochRecord:
    """What one epoch brought: losses, scores on the whole validation split, seconds, images/s.

    loader_share is the part of the training, without the scoring, in which it waited for patches;
    skipped_steps those whose gradient overflowed float16; peak_memory_mib the most memory held so
    far by the (first) process, on CUDA by its tensors on the device.
    """

    epoch: int
    train_loss: float
    val_loss: float
    val_miou: float
    val_accuracy: float
    val_batch_miou: float
    seconds: float
    images_per_second: float
    loader_share: float
    skipped_steps: int
    peak_memory_mib: float
