"""accumulation: auto, the smallest number of parts in which a step fits on the GPU."""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from partialseg.engine.compute import Compute, out_of_memory
from partialseg.engine.ranks import Ranks
from partialseg.engine.scoring import predict_in_parts
from partialseg.training.data import TrainPatches, smallest_batch
from partialseg.training.learner import Learner
from partialseg.training.params import Train

Trial = Callable[[Train], object]


def with_parts(params: Train, known: int, ranks: Ranks, most: int, trial: Trial) -> Train:
    """Return parameters whose accumulation and processes are numbers; all ranks must call it.

    Args:
        params: those of the training.
        known: the number with which a resumed training began, 0 for a new one.
        ranks: the processes that share a batch.
        most: parts into which a process can divide its share of any batch.
        trial: takes a step by parameters, and fails like torch where memory does not suffice.

    Raises:
        ValueError: the parts do not suit the method.
        RuntimeError: memory does not suffice for the most parts either.
    """
    if params.accumulation != "auto":
        return with_number(params, params.accumulation, ranks)
    parts = known or ranks.largest(
        fewest_parts(most, lambda n: trial(with_number(params, n, ranks)))
    )
    if ranks.first and not known:
        print(f"accumulation: {parts} parts, the fewest that fit in the GPU's memory", flush=True)
    return with_number(params, parts, ranks)


def with_number(params: Train, parts: int, ranks: Ranks) -> Train:
    """Return parameters with numbers of parts and processes, checked anew by their rules."""
    return replace(params, accumulation=parts, processes=ranks.count)


def fewest_parts(most: int, trial: Callable[[int], object]) -> int:
    """Return the first of 1, 2, 4, ... and last `most` parts with which trial has memory enough.

    Raises:
        RuntimeError: memory does not suffice for the last trial either.
    """
    parts = 1
    while True:
        try:
            trial(parts)
            return parts
        except RuntimeError as error:
            if parts >= most or not out_of_memory(error):
                raise
        # Here, where no frame of the failed trial holds its tensors any more.
        torch.cuda.empty_cache()
        parts = min(2 * parts, most)


def most_parts(patches: TrainPatches, params: Train, ranks: Ranks) -> int:
    """Return into how many parts one of the ranks can divide its share of any batch."""
    places = len(patches) * patches.crops_per_patch
    return max(1, smallest_batch(places, params.batch_size) // ranks.count)


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
        RuntimeError: memory does not suffice.
    """
    grey = _grey(images, side)
    labels = torch.zeros(images, side, side, dtype=torch.int16)
    for _ in range(2):
        # Late in a training, when a method adds its term.
        learner.step(grey, labels, learning_rate=0.0, step=999, steps=1000)


@torch.inference_mode()
def try_scoring(learner: Learner, side: int, images: int, parts: int) -> None:
    """Predict a batch of grey images of side x side px in so many parts, as the validation does.

    Raises:
        RuntimeError: memory does not suffice.
    """
    learner.scored.eval()
    predict_in_parts(learner.scored, _grey(images, side), learner.compute, parts)


def _grey(images: int, side: int) -> Tensor:
    return torch.full((images, 3, side, side), 128, dtype=torch.uint8)


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
