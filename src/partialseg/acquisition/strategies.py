"""Which pixels each strategy chooses, by windows or one by one."""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from partialseg.acquisition.by_pixel import (
    balanced_pixels,
    core_set_pixels,
    random_pixels,
    uncertain_pixels,
)
from partialseg.acquisition.by_region import (
    Windows,
    balanced_order,
    core_set_order,
    find_windows,
    random_order,
    take_fitting,
    uncertain_order,
    window_pixels,
)
from partialseg.acquisition.params import Acquire
from partialseg.acquisition.pool import Pool
from partialseg.acquisition.prediction import Predictor, entropy, margin

Masks = Iterator[NDArray[np.bool_]]


def choose(
    pool: Pool, predictor: Predictor | None, params: Acquire, budget: int, folder: Path
) -> Masks:
    """Return the new pixels (H, W) of each training patch; large scratch files lie in `folder`."""
    if params.unit == "pixel":
        return choose_pixels(pool, predictor, params, budget, folder)
    windows = find_windows(pool, params.region)
    taken = take_fitting(windows, order_windows(pool, windows, predictor, params), budget)
    return window_pixels(pool, windows, taken)


def choose_pixels(
    pool: Pool, predictor: Predictor | None, params: Acquire, budget: int, folder: Path
) -> Masks:
    """Return the new pixels (H, W) of each training patch, chosen one by one."""
    if predictor is None:
        return random_pixels(pool, budget)
    if params.strategy == "core_set":
        return core_set_pixels(pool, predictor.pixel_features(), budget)
    probabilities = predictor.probabilities()
    if params.strategy == "class_balanced":
        return balanced_pixels(pool, probabilities, budget, folder)
    if params.strategy == "entropy":
        highest = math.log(len(pool.store.summary.class_names))
        return uncertain_pixels(pool, map(entropy, probabilities), highest, budget, folder)
    assert params.strategy == "margin"
    return uncertain_pixels(pool, map(margin, probabilities), 1.0, budget, folder)


def order_windows(
    pool: Pool, windows: Windows, predictor: Predictor | None, params: Acquire
) -> Iterator[int]:
    """Yield the windows that hold an unlabelled pixel, the most wanted first."""
    if predictor is None:
        return random_order(windows)
    if params.strategy == "core_set":
        return core_set_order(pool, windows, predictor.deepest_features())
    probabilities = predictor.probabilities()
    if params.strategy == "class_balanced":
        return balanced_order(pool, windows, probabilities)
    score = entropy if params.strategy == "entropy" else margin
    return uncertain_order(pool, windows, map(score, probabilities))
