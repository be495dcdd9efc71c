"""Truth and prediction of neighbouring patches, joined into blocks.

So borders and objects are not cut where patches meet.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from partialseg.core.classes import NO_TRUTH
from partialseg.tiling.patches import Patch, PatchStore


@dataclass(frozen=True, kw_only=True)
class Block:
    """Truth and prediction of connected patches: class ids (H, W), uint8.

    Both are NO_TRUTH at the same pixels: where the truth is unknown, and between the patches. gsd
    is the size of a pixel on the ground in metres (None: unknown).
    """

    truth: NDArray[np.uint8]
    prediction: NDArray[np.uint8]
    gsd: float | None


def join_patches(
    store: PatchStore, patches: Sequence[Patch], predictions: NDArray[np.uint8]
) -> Iterator[Block]:
    """Yield the bounding rectangle of each group of patches that are connected by their sides.

    predictions are the class ids (K, size, size) of the patches in their order. One block at a time
    is in memory: a few patches where they were drawn at random, else up to a whole orthophoto.
    """
    assert predictions.shape == (len(patches), *[store.summary.size] * 2), predictions.shape
    of_orthophoto = defaultdict(list)
    for index, patch in enumerate(patches):
        of_orthophoto[patch.orthophoto].append(index)
    for indices in of_orthophoto.values():
        for group in _connected(patches, indices):
            yield _join(store, patches, predictions, group)


def _connected(patches: Sequence[Patch], indices: Sequence[int]) -> list[list[int]]:
    """Return the connected groups of an orthophoto's patches, as lists of their indices."""
    places = [(patches[index].row, patches[index].column) for index in indices]
    grid = np.zeros(np.max(places, axis=0) + 1, np.uint8)
    grid[tuple(np.transpose(places))] = 1
    _, groups = cv2.connectedComponents(grid, connectivity=4)
    members = defaultdict(list)
    for index, place in zip(indices, places, strict=True):
        members[groups[place]].append(index)
    return list(members.values())


def _join(
    store: PatchStore,
    patches: Sequence[Patch],
    predictions: NDArray[np.uint8],
    group: Sequence[int],
) -> Block:
    size = store.summary.size
    places = np.array([(patches[index].row, patches[index].column) for index in group])
    corner = places.min(axis=0)
    height, width = (places.max(axis=0) - corner + 1) * size
    truth = np.full((height, width), NO_TRUTH, np.uint8)
    prediction = truth.copy()
    for index, (top, left) in zip(group, (places - corner) * size, strict=True):
        square = slice(top, top + size), slice(left, left + size)
        truth[square] = store.truth(patches[index])
        prediction[square] = predictions[index]
    prediction[truth == NO_TRUTH] = NO_TRUTH
    return Block(truth=truth, prediction=prediction, gsd=patches[group[0]].gsd)
