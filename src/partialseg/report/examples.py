"""The best and the worst test patches of each class."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from partialseg.patches import PatchStore
from partialseg.report.cells import Detail
from partialseg.report.pictures import ExamplePictures, example_pictures

RANKS: tuple[Literal["best"], Literal["worst"]] = ("best", "worst")


@dataclass(frozen=True, kw_only=True)
class Example:
    """A test patch that is among the best or the worst of a class, by its IoU there."""

    class_name: str
    rank: str
    patch: str
    iou: float
    pictures: ExamplePictures


def examples(
    store: PatchStore, detail: Detail, predictions: Mapping[str, NDArray[np.uint8]]
) -> list[Example]:
    """Return the examples that the details of a run name, in the order of the classes.

    predictions holds class ids (H, W) by the name of the patch. A patch may be shown for several
    classes; its pictures are made once.

    Raises:
        ValueError: a patch is not in the store, or has no prediction of its size.
    """
    patches = {patch.name: patch for patch in store.of_split("test")}
    made: dict[str, ExamplePictures] = {}
    found = []
    for class_name, ranks in detail["test_examples"].items():
        for rank in RANKS:
            for item in ranks[rank]:
                name = item["patch"]
                if name not in patches:
                    raise ValueError(f"{store.folder}: no test patch is named {name!r}")
                truth = store.truth(patches[name])
                if name not in predictions or predictions[name].shape != truth.shape:
                    raise ValueError(f"example patch {name!r}: no prediction of {truth.shape} px")
                if name not in made:
                    made[name] = example_pictures(
                        np.asarray(store.image(patches[name])),
                        np.asarray(truth),
                        predictions[name],
                        store.summary.palette,
                    )
                found.append(
                    Example(
                        class_name=class_name,
                        rank=rank,
                        patch=name,
                        iou=item["iou"],
                        pictures=made[name],
                    )
                )
    return found
