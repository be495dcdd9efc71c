"""Scores of a split that need the places of the pixels: borders, objects, orthophotos."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Annotated, Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import AfterValidator, PositiveFloat
from pydantic.dataclasses import dataclass

from partialseg.border_distance import BorderDistance
from partialseg.boundary import BoundaryScores, Tolerance, boundary_distance
from partialseg.confusion import ConfusionMatrix
from partialseg.mosaic import join_patches
from partialseg.objects import ObjectRecall
from partialseg.params import STRICT
from partialseg.patch_confusion import patch_confusions
from partialseg.patches import Patch, PatchStore


def _ascending(values: tuple[float, ...]) -> tuple[float, ...]:
    if any(low >= high for low, high in pairwise(values)):
        raise ValueError("should be strictly ascending")
    return values


Ascending = Annotated[tuple[PositiveFloat, ...], AfterValidator(_ascending)]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Spatial:
    """What is scored of borders and objects.

    boundary_ratio is the distance of Boundary IoU as a share of a patch's diagonal; tolerances are
    those of the boundary F1 score; objects is the class whose single objects are counted ('':
    none), and object_areas the limits of their areas in m2, or in px where the size of a pixel is
    unknown.
    """

    boundary_ratio: PositiveFloat
    tolerances_px: Ascending
    tolerances_m: Ascending
    objects: str
    object_areas: Ascending

    def object_class(self, class_names: Sequence[str]) -> int | None:
        """Return the id of the class whose objects are counted, None for none.

        Raises:
            ValueError: there is no such class.
        """
        if not self.objects:
            return None
        if self.objects not in class_names:
            raise ValueError(
                f"objects: should be one of the classes {', '.join(class_names)}, or '' for none, "
                f"got {self.objects!r}"
            )
        return list(class_names).index(self.objects)


def spatial_scores(
    store: PatchStore, patches: Sequence[Patch], predictions: NDArray[np.uint8], params: Spatial
) -> dict[str, Any]:
    """Return `orthophotos`, `boundary`, `objects` and `border_distance` of a split's details.

    predictions are the class ids (K, size, size) of the patches in their order. Where the pixel
    size of a patch is unknown, there are no tolerances in metres, and areas are in px.

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
        "orthophotos": _orthophotos(patches, patch_confusions(store, patches, predictions)),
        "boundary": boundary.summary(names),
        "objects": objects.summary(params.objects) if objects else None,
        "border_distance": border_distance.summary(),
    }


def _orthophotos(
    patches: Sequence[Patch], confusions: Iterable[NDArray[np.int64]]
) -> dict[str, dict[str, Any]]:
    """Return the scores of each orthophoto; None where no pixel of one is known."""
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
