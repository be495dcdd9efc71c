"""The learning rate over the steps of a training, as a factor of params' learning_rate."""

import math
from typing import Literal

Schedule = Literal["constant", "cosine", "one_cycle"]

# Where the one-cycle policy starts and ends, as parts of its peak, as in torch and fastai.
ONE_CYCLE_START = 1 / 25
ONE_CYCLE_END = ONE_CYCLE_START / 1e4


def learning_rate_factor(schedule: Schedule, warmup: float, step: int, steps: int) -> float:
    """Return the factor, 0..1, of step 0, 1, ..., steps - 1.

    It rises over the first share `warmup` of the steps, then stays 1 (constant) or falls by half a
    cosine: to 0 (cosine: Loshchilov and Hutter 2017, arXiv:1608.03983) or nearly so (one_cycle:
    Smith and Topin 2018, arXiv:1708.07120, which rises by a cosine too).
    """
    if steps == 1:
        return 1.0
    rise = warmup * steps
    match schedule:
        case "one_cycle":
            peak = rise - 1  # the last step of the rise has the peak, as in torch
            if step <= peak:
                return _cosine(ONE_CYCLE_START, 1.0, step / peak if peak else 1.0)
            return _cosine(1.0, ONE_CYCLE_END, (step - peak) / (steps - 1 - peak))
        case "constant" | "cosine" if step < rise:
            return min(1.0, (step + 1) / rise)  # not step / rise: the first step trains already
        case "constant":
            return 1.0
        case "cosine":
            return _cosine(1.0, 0.0, (step - rise) / (steps - rise))


def _cosine(start: float, end: float, share: float) -> float:
    """Go from start to end by half a cosine; share is 0..1."""
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2
