"""Pools of small patches for the tests of acquisition."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from partialseg.acquisition.pool import Pool
from partialseg.core.classes import NO_TRUTH
from partialseg.engine.batches import normalise
from partialseg.labelling.labels import LabelOrigin, LabelStore, PatchLabels, write_labels
from partialseg.models.build import build_network
from partialseg.tiling.patches import PatchStore

Mask = NDArray[np.bool_]


def write_visible(
    patches: Path, folder: Path, masks: Sequence[Mask], fraction: float = 0.5
) -> Path:
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
            clicks=None,
            seconds=None,
            short=(0,) * len(class_names),
        )
        for patch, mask in zip(store.of_split("train"), masks, strict=True)
    ]
    folder.mkdir()
    origin = LabelOrigin(pattern="random", fraction=fraction, seed=42)
    write_labels(folder, labels, class_names, store.summary.size, origin)
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


def network_input(patches: Path) -> Tensor:
    """Return the training patches as a network sees them: (P, 3, H, W)."""
    store = PatchStore(patches)
    images = np.stack([store.image(patch) for patch in store.of_split("train")])
    return normalise(torch.from_numpy(images).permute(0, 3, 1, 2))


def evenly_predicting_network(patches: Path) -> nn.Module:
    """Return a U-Net of 8 base channels that predicts each of three classes for many pixels."""
    images = network_input(patches)
    torch.manual_seed(0)
    network = build_network("unet", 3, 3, 8)
    nn.init.normal_(network.head.weight, std=3.0)
    with torch.no_grad():
        for _ in range(9):
            network.train()(images)  # for the running statistics
        network.head.bias -= network.eval()(images).mean(dim=(0, 2, 3))
    return network
