"""accumulation: auto, the smallest number of parts in which a step fits on the GPU."""

from collections.abc import Callable
from dataclasses import replace

import torch

from partialseg.engine.compute import Compute
from partialseg.engine.ranks import Ranks
from partialseg.training.data import TrainPatches
from partialseg.training.learner import Learner
from partialseg.training.params import Train

Trial = Callable[[Train], object]


def with_parts(params: Train, known: int, ranks: Ranks, images: int, trial: Trial) -> Train:
    """Return parameters whose accumulation is a number; all ranks must call it.

    Args:
        params: those of the training.
        known: the number with which a resumed training began, 0 for a new one.
        ranks: the processes that share a batch.
        images: how many of a batch are this process's, at most.
        trial: takes a step by parameters, and fails like torch where memory does not suffice.

    Raises:
        ValueError: the parts do not suit the method.
        torch.OutOfMemoryError: a part of a single image is too large.
    """
    if params.accumulation != "auto":
        return params
    parts = known or ranks.largest(
        fewest_parts(images, lambda n: trial(with_number(params, n, ranks)))
    )
    if ranks.first and not known:
        print(f"accumulation: {parts} parts, the fewest that fit in the GPU's memory", flush=True)
    return with_number(params, parts, ranks)


def with_number(params: Train, parts: int, ranks: Ranks) -> Train:
    """Return parameters with numbers of parts and processes, checked anew by their rules."""
    return replace(params, accumulation=parts, processes=ranks.count)


def fewest_parts(images: int, trial: Callable[[int], object]) -> int:
    """Return the first of 1, 2, 4, ... and last `images` parts with which trial has memory enough.

    Raises:
        torch.OutOfMemoryError: that of the last trial.
    """
    parts = 1
    while True:
        try:
            trial(parts)
            return parts
        except torch.OutOfMemoryError:
            if parts >= images:
                raise
        # Here, where no frame of the failed trial holds its tensors any more.
        torch.cuda.empty_cache()
        parts = min(2 * parts, images)


def most_images(patches: TrainPatches, params: Train, ranks: Ranks) -> int:
    """Return how many images of a batch, at most, one of the ranks computes."""
    places = len(patches) * patches.crops_per_patch
    share = -(-min(params.batch_size, places) // ranks.count)
    # A method adds an unlabelled patch to each labelled one.
    both = params.method != "none" and not all(patches.visible_pixels)
    return share * 2 if both else share


def try_step(learner: Learner, side: int, images: int) -> None:
    """Take two steps on grey images of side x side px, fully labelled, that teach nothing.

    Two, since the optimiser has its own memory from the second one on.

    Raises:
        torch.OutOfMemoryError: memory does not suffice.
    """
    grey = torch.full((images, 3, side, side), 128, dtype=torch.uint8)
    labels = torch.zeros(images, side, side, dtype=torch.int16)
    for _ in range(2):
        # Late in a training, when a method adds its term.
        learner.step(grey, labels, learning_rate=0.0, step=999, steps=1000)


def check_auto(params: Train, compute: Compute) -> None:
    """Check that accumulation can be found out on a device.

    Raises:
        ValueError: it is auto, and the device is a CPU.
    """
    if params.accumulation == "auto" and compute.device.type == "cpu":
        raise ValueError(
            "accumulation: auto fits a step into the memory of a GPU, and this is a CPU; give a "
            "number"
        )
