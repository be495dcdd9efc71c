"""Acquisition pixel by pixel: each function yields the new pixels (H, W) of each patch."""

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from partialseg.acquisition.core_set import k_centre
from partialseg.acquisition.pool import Pool
from partialseg.acquisition.selection import (
    Orders,
    Spool,
    best_first,
    equal_shares,
    fill_level,
    find_limit,
    score_levels,
)

Mask = NDArray[np.bool_]

CANDIDATES = 16  # pixels drawn for each that a core-set then chooses among them


def random_pixels(pool: Pool, budget: int) -> Iterator[Mask]:
    """Take the next pixels in the order of their keys, by which visible_pixels draws.

    fill_up gives the number of each patch.

    Raises:
        ValueError: the budget is less than a pixel for each patch that has the fewest.
    """
    for place, wanted in enumerate(fill_up(pool, budget)):
        yield _smallest(pool.keys(place), pool.unlabelled(place), wanted)


def core_set_pixels(
    pool: Pool, features: Iterable[NDArray[np.float32]], budget: int
) -> Iterator[Mask]:
    """Take the pixels of each patch by greedy k-centre on its features (D, H, W).

    fill_up gives the number of each patch, whose labelled pixels are the centres to begin with.
    The candidates are the first pixels in the order of the keys, CANDIDATES for each that is
    wanted, as every centre takes a step over all of them.

    Raises:
        ValueError: the budget is less than a pixel for each patch that has the fewest.
    """
    for place, (wanted, of_patch) in enumerate(zip(fill_up(pool, budget), features, strict=True)):
        yield _centres(of_patch, pool.keys(place), pool.unlabelled(place), wanted)


def fill_up(pool: Pool, budget: int) -> list[int]:
    """Return how many new pixels each patch gets if all are to have equally many labels.

    All are filled up to one number of labelled pixels, the largest within the budget: of patches
    that were labelled alike, less than one pixel per patch of the budget is left.

    Raises:
        ValueError: the budget is less than a pixel for each patch that has the fewest.
    """
    places = range(len(pool.patches))
    labelled = pool.side**2 - np.array([pool.unlabelled(place).sum() for place in places])
    wanted = np.maximum(fill_level(labelled, pool.side**2, budget) - labelled, 0)
    if not wanted.any():
        raise ValueError(
            f"acquire: this strategy chooses alike in all patches, and a budget of {budget} new "
            f"pixels is less than one for each of {len(pool.patches)}; take a larger fraction"
        )
    return [int(count) for count in wanted]


def uncertain_pixels(
    pool: Pool, scores: Iterable[NDArray[np.floating]], highest: float, budget: int, folder: Path
) -> Iterator[Mask]:
    """Take exactly the budget of pixels with the highest scores (H, W), each in 0..highest.

    Scores are rounded to 65,536 levels; among equals, seeded keys decide. The levels lie in a
    file in `folder`, two bytes a pixel.

    Raises:
        ValueError: there are not so many unlabelled pixels.
    """
    places = len(pool.patches)
    with Spool(folder, (pool.side, pool.side), np.uint16) as levels:
        for score in scores:
            levels.append(score_levels(score, highest))

        def orders(place: int) -> Orders:
            return best_first(levels[place], pool.keys(place))

        limit = find_limit(lambda place: orders(place)[pool.unlabelled(place)], places, budget)
        for place in range(places):
            yield pool.unlabelled(place) & limit.holds(orders(place), place)


def balanced_pixels(
    pool: Pool, probabilities: Iterable[NDArray[np.float32]], budget: int, folder: Path
) -> Iterator[Mask]:
    """Take exactly the budget of pixels, equally many of each predicted class, drawn by keys.

    A class with too few pixels gives all it has, and the others the rest; the classes with the
    fewest labelled pixels get what cannot be shared equally. The predictions (of probabilities
    (C, H, W)) lie in a file in `folder`, a byte a pixel.

    Raises:
        ValueError: there are not so many unlabelled pixels.
    """
    places, classes = len(pool.patches), len(pool.store.summary.class_names)
    available = np.zeros(classes, np.int64)
    with Spool(folder, (pool.side, pool.side), np.uint8) as predicted:
        for place, of_patch in enumerate(probabilities):
            ids = of_patch.argmax(axis=0).astype(np.uint8)
            available += np.bincount(ids[pool.unlabelled(place)], minlength=classes)
            predicted.append(ids)

        def of_class(place: int, index: int) -> Mask:
            return pool.unlabelled(place) & (predicted[place] == index)

        def keys(place: int, index: int) -> Orders:
            return pool.keys(place)[of_class(place, index)]

        shares = equal_shares(available.tolist(), pool.rarest_first(), budget)
        limits = {
            index: find_limit(partial(keys, index=index), places, share)
            for index, share in enumerate(shares)
            if share
        }
        for place in range(places):
            mask = np.zeros((pool.side, pool.side), np.bool_)
            for index, limit in limits.items():
                mask |= of_class(place, index) & limit.holds(pool.keys(place), place)
            yield mask


def _smallest(keys: NDArray[np.uint64], unlabelled: Mask, count: int) -> Mask:
    """Return the `count` unlabelled pixels (H, W) with the smallest keys."""
    if count == 0:
        return np.zeros_like(unlabelled)
    limit = np.partition(keys[unlabelled], count - 1)[count - 1]
    return unlabelled & (keys <= limit)


def _centres(
    features: NDArray[np.float32], keys: NDArray[np.uint64], unlabelled: Mask, count: int
) -> Mask:
    """Return `count` unlabelled pixels (H, W) by greedy k-centre on their features (D, H, W)."""
    chosen = np.zeros_like(unlabelled)
    if count == 0:
        return chosen
    drawn = min(CANDIDATES * count, int(unlabelled.sum()))
    candidates = np.flatnonzero(_smallest(keys, unlabelled, drawn))
    candidates = candidates[keys.ravel()[candidates].argsort()]  # the keys decide among equals
    labelled = np.flatnonzero(~unlabelled)
    pixels = np.concatenate([labelled, candidates])
    vectors = features.reshape(len(features), -1).T[pixels]
    centres = k_centre(vectors, np.arange(len(pixels)) < len(labelled), count)
    chosen.ravel()[pixels[centres]] = True
    return chosen
