"""Patch stores of given truth, for tests of what is scored; images are black."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix

from partialseg.core.classes import NO_TRUTH
from partialseg.tiling.patches import (
    Imagery,
    Patch,
    PatchStore,
    Summary,
    create_arrays,
    open_writer,
    write_manifest,
)

CLASSES = ("field", "house", "lake")
Place = tuple[int, int]  # row and column of a patch


def write_truth(
    folder: Path,
    truths: Mapping[str, Mapping[Place, NDArray[np.uint8]]],
    *,
    gsd: Mapping[str, float | None] | None = None,
    class_names: Sequence[str] = CLASSES,
) -> PatchStore:
    """Write a store of the truth (size, size) of patches: orthophoto -> place -> class ids.

    All are of the split test and have pixels of 0.5 m, where gsd (of an orthophoto) has no other.
    """
    size = len(next(iter(next(iter(truths.values())).values())))
    patches = []
    for orthophoto, of_place in truths.items():
        create_arrays(folder, orthophoto, len(of_place), size)
        with open_writer(folder, orthophoto) as writer:
            for index, ((row, column), truth) in enumerate(of_place.items()):
                writer.append(np.zeros((size, size, 3), np.uint8), truth)
                counts = np.bincount(truth.ravel(), minlength=NO_TRUTH + 1)
                patches.append(
                    Patch(
                        name=f"{orthophoto}_{row}_{column}",
                        orthophoto=orthophoto,
                        index=index,
                        row=row,
                        column=column,
                        split="test",
                        crs="",
                        transform=(1.0, 0.0, 0.0, 0.0, -1.0, 0.0),
                        gsd=(gsd or {}).get(orthophoto, 0.5),
                        counts=tuple(counts[: len(class_names)].tolist()),
                        no_truth=int(counts[NO_TRUTH]),
                    )
                )
    palette = tuple((index, 0, 0) for index in range(len(class_names)))
    summary = Summary(
        size=size,
        source_size=size,
        class_names=tuple(class_names),
        palette=palette,
        imagery=Imagery(),
    )
    write_manifest(folder, summary, patches)
    return PatchStore(folder)


def random_ids(
    rng: np.random.Generator, height: int, width: int, classes: int = 3, unknown: float = 0.0
) -> NDArray[np.uint8]:
    """Return blobs of random classes (H, W), and a share of pixels without truth."""
    coarse = rng.integers(0, classes, (height // 7 + 1, width // 5 + 1))
    ids = np.kron(coarse, np.ones((7, 5), np.int64))[:height, :width]
    ids = np.where(rng.random(ids.shape) < 0.05, rng.integers(0, classes, ids.shape), ids)
    return np.where(rng.random(ids.shape) < unknown, NO_TRUTH, ids).astype(np.uint8)


def confusions_of(
    store: PatchStore, predictions: NDArray[np.uint8], patches: Sequence[Patch] | None = None
) -> list[NDArray[np.int64]]:
    """Return the confusion matrices (C, C) of the patches, all by default, by scikit-learn."""
    classes = range(len(store.summary.class_names))
    matrices = []
    for patch, ids in zip(patches or store.patches, predictions, strict=True):
        truth = store.truth(patch)
        known = truth != NO_TRUTH
        counts = np.zeros((len(classes), len(classes)), np.int64)
        if known.any():
            counts += confusion_matrix(truth[known], ids[known], labels=classes)
        matrices.append(counts)
    return matrices
