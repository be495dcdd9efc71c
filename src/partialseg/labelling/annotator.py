"""The simulated annotator, who annotates all patches by one pattern, label fraction and seed."""

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from partialseg.core.classes import NO_TRUTH
from partialseg.labelling.labels import PatchLabels
from partialseg.labelling.params import Label
from partialseg.labelling.patterns import blocks, boxes, drawn, patches, points, scribbles
from partialseg.labelling.patterns.budget import Annotation
from partialseg.tiling.patches import Patch, PatchStore
from partialseg.visibility import visible_pixels


class Annotator:
    """Annotates patches by params.pattern, up to a label fraction.

    names are those of all patches: the pattern `patches` chooses among them.

    Raises:
        ValueError: fraction is not in 0 < fraction <= 1, or pays for less than one whole patch.
    """

    def __init__(self, params: Label, fraction: float, seed: int, names: Collection[str]) -> None:
        self._params = params
        self._fraction = fraction
        self._seed = seed
        whole = params.pattern == "patches"
        self._chosen = patches.chosen(names, seed, fraction) if whole else set()

    def annotate(self, name: str, truth: NDArray[np.uint8]) -> Annotation:
        """Annotate one patch, whose class ids are truth (H, W).

        Raises:
            ValueError: fraction is not in 0 < fraction <= 1, or the patch cannot hold what it
                asks for.
        """
        asked = truth, self._seed, name, self._fraction, self._params
        match self._params.pattern:
            case "random":
                height, width = truth.shape
                visible = visible_pixels(self._seed, name, height, width, self._fraction)
                return Annotation(visible=visible, clicks=None, seconds=None)
            case "points":
                return points.draw(*asked)
            case "scribbles":
                return scribbles.draw(*asked)
            case "boxes":
                return boxes.draw(*asked)
            case "blocks":
                return blocks.draw(*asked)
            case "drawn":
                visible = drawn.share(truth, self._seed, name, self._fraction)
                return Annotation(visible=visible, clicks=None, seconds=None)
            case "patches" if name in self._chosen:
                return patches.whole(truth)
            case "patches":
                return Annotation(visible=np.zeros(truth.shape, np.bool_), clicks=0, seconds=0.0)


def label_patch(store: PatchStore, patch: Patch, annotator: Annotator) -> PatchLabels:
    """Annotate one patch of a store and count the classes of its visible pixels.

    Raises:
        ValueError: the patch cannot hold what the label fraction asks for.
    """
    truth = store.truth(patch)
    annotation = annotator.annotate(patch.name, truth)
    classes = len(patch.counts)
    counts = np.bincount(truth[annotation.visible], minlength=NO_TRUTH + 1)[:classes]
    return PatchLabels(
        name=patch.name,
        bits=np.packbits(annotation.visible),
        visible=int(annotation.visible.sum()),
        counts=tuple(counts.tolist()),
        clicks=annotation.clicks,
        seconds=annotation.seconds,
        short=tuple(annotation.short.get(class_id, 0) for class_id in range(classes)),
    )
