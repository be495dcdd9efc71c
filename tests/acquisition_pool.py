"""Pools of small patches for the tests of acquisition."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from partialseg.acquisition.pool import Pool
from partialseg.labels import LabelStore, PatchLabels, write_labels
from partialseg.patches import PatchStore
from partialseg.truth import NO_TRUTH

Mask = NDArray[np.bool_]


def write_visible(patches: Path, folder: Path, masks: Sequence[Mask], fraction: float = 0.5) -> Path:
    """Write a label store in which the training patches show these pixels (H, W)."""
    store = PatchStore(patches)
    class_names = store.summary.class_names
    labels = [
        PatchLabels(
            name=patch.name,
            bits=np.packbits(mask),
            visible=int(mask.sum()),
            counts=tuple(
                np.bincount(store.truth(patch)[mask], minlength=NO_TRUTH + 1)[: len(class_names)]
                .astype(int)
                .tolist()
            ),
        )
        for patch, mask in zip(store.of_split("train"), masks, strict=True)
    ]
    folder.mkdir()
    write_labels(folder, labels, class_names, store.summary.size, fraction, 42)
    return folder


def pool_of(patches: Path, labels: Path, seed: int = 42) -> Pool:
    """Return the pool of a patch store and a label store."""
    store = PatchStore(patches)
    train = store.of_split("train")
    label_store = LabelStore(labels, [patch.name for patch in train])
    return Pool(store=store, patches=train, labels=label_store, seed=seed)


def labelled(pool: Pool) -> NDArray[np.bool_]:
    """Return the labelled pixels (P, H, W) of a pool."""
    return np.stack([~pool.unlabelled(place) for place in range(len(pool.patches))])
