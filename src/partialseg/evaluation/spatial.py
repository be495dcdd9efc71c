"""Scores of a split that depend on where pixels are: orthophotos, borders, objects."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from partialseg.confusion import ConfusionMatrix
from partialseg.evaluation.boundary import (
    BorderDistance,
    BoundaryScores,
    Tolerance,
    boundary_distance,
)
from partialseg.evaluation.mosaic import join_patches
from partialseg.evaluation.objects import ObjectRecall
from partialseg.evaluation.params import Spatial
from partialseg.tiling.patches import Patch, PatchStore


def spatial_scores(
    store: PatchStore, patches: Sequence[Patch], predictions: NDArray[np.uint8], params: Spatial
) -> dict[str, Any]:
    """Return `boundary`, `objects` and `border_distance` of a split's details.

    predictions are the class ids (K, size, size) of the patches in their order. Where the pixel
    size of any patch is unknown, tolerances in metres are left out, and areas are in px.

    Raises:
        ValueError: the class of the objects is unknown.
    """
    names = store.summary.class_names
    metric = all(patch.gsd is not None for patch in patches)
    tolerances = [Tolerance(value=value, unit="px") for value in params.tolerances_px]
    if metric:
        tolerances += [Tolerance(value=value, unit="m") for value in params.tolerances_m]
    distance = boundary_distance(params.boundary_ratio, store.summary.size)
    boundary = BoundaryScores(len(names), distance, tolerances)
    border_distance = BorderDistance()
    object_class = params.object_class(names)
    objects = (
        None
        if object_class is None
        else ObjectRecall(object_class, params.object_areas, "m2" if metric else "px")
    )
    for block in join_patches(store, patches, predictions):
        boundary.update(block)
        border_distance.update(block)
        if objects:
            objects.update(block)
    return {
        "boundary": boundary.summary(names),
        "objects": objects.summary(params.objects) if objects else None,
        "border_distance": border_distance.summary(),
    }


def orthophoto_scores(
    patches: Sequence[Patch], confusions: Sequence[NDArray[np.int64]]
) -> dict[str, dict[str, Any]]:
    """Return the scores of each orthophoto; None where none of its pixels is known.

    confusions are the matrices counts[t, p], int64 (C, C), of the patches in their order.
    """
    matrices: dict[str, ConfusionMatrix] = {}
    counts: dict[str, int] = {}
    for patch, confusion in zip(patches, confusions, strict=True):
        matrix = matrices.setdefault(patch.orthophoto, ConfusionMatrix(len(confusion)))
        matrix.counts += torch.from_numpy(confusion)
        counts[patch.orthophoto] = counts.get(patch.orthophoto, 0) + 1
    return {
        name: {
            "patches": counts[name],
            "miou": matrix.miou() if matrix.counts.any() else None,
            "accuracy": matrix.accuracy() if matrix.counts.any() else None,
            "confusion": matrix.counts.tolist(),
        }
        for name, matrix in matrices.items()
    }
