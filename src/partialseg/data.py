"""Patches as tensors: what the networks train on and are scored against."""

import hashlib
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from partialseg.augment import Augment, Augmenter
from partialseg.labels import LabelStore
from partialseg.loss import IGNORE_INDEX
from partialseg.masks import NO_TRUTH
from partialseg.patches import Patch, PatchStore

# Mean and standard deviation of RGB in 0..255: those of ImageNet, as is customary
# (https://github.com/pytorch/vision/blob/main/references/segmentation/presets.py).
MEAN = (123.675, 116.28, 103.53)
STD = (58.395, 57.12, 57.375)

Batch = tuple[Tensor, Tensor]


def normalise(images: Tensor) -> Tensor:
    """Turn images (N, 3, H, W), uint8, into the float32 input of the networks."""
    mean = torch.tensor(MEAN, device=images.device).view(1, 3, 1, 1)
    std = torch.tensor(STD, device=images.device).view(1, 3, 1, 1)
    return (images.float() - mean) / std


def compose_label(truth: NDArray[np.uint8], visible: NDArray[np.bool_]) -> NDArray[np.int16]:
    """Return the truth where it is visible and known, IGNORE_INDEX elsewhere."""
    # Cast first: NumPy would squeeze -1 into the uint8 of the truth.
    return np.where(visible & (truth != NO_TRUTH), truth.astype(np.int16), np.int16(IGNORE_INDEX))


class TrainPatches(Dataset[Batch]):
    """Augmented training patches with their visible labels: uint8 (3, H, W) and int16 (H, W).

    The augmentation of a patch depends on (seed, epoch, patch name) alone.
    """

    def __init__(self, store: PatchStore, labels: LabelStore, augment: Augment, seed: int) -> None:
        self._store = store
        self._labels = labels
        self._patches = store.of_split("train")
        self._augmenter = Augmenter(augment)
        self._seed = seed
        self.epoch = 0

    def __len__(self) -> int:
        return len(self._patches)

    def __getitem__(self, index: int) -> Batch:
        patch = self._patches[index]
        image, truth, visible = self._augmenter(
            self._draw_of(patch),
            self._store.image(patch),
            self._store.truth(patch),
            self._labels.visible(index),
        )
        return _image_tensor(image), torch.from_numpy(compose_label(truth, visible))

    def _draw_of(self, patch: Patch) -> int:
        digest = hashlib.sha256(f"{self._seed}/{self.epoch}/{patch.name}".encode()).digest()
        return int.from_bytes(digest[:8])


class TruthPatches(Dataset[Batch]):
    """Patches as they are with their whole truth: uint8 (3, H, W) and int16 (H, W)."""

    def __init__(self, store: PatchStore, patches: Sequence[Patch]) -> None:
        self._store = store
        self._patches = patches

    def __len__(self) -> int:
        return len(self._patches)

    def __getitem__(self, index: int) -> Batch:
        patch = self._patches[index]
        truth = self._store.truth(patch)
        everywhere = np.ones(truth.shape, np.bool_)
        return _image_tensor(self._store.image(patch)), torch.from_numpy(
            compose_label(truth, everywhere)
        )


def train_loader(
    patches: TrainPatches, batch_size: int, workers: int, seed: int, epoch: int
) -> DataLoader[Batch]:
    """Return the batches of one epoch, shuffled by (seed, epoch)."""
    patches.epoch = epoch
    order = torch.Generator().manual_seed(seed + epoch)
    return _loader(patches, batch_size, workers, generator=order)


def truth_loader(patches: TruthPatches, batch_size: int, workers: int) -> DataLoader[Batch]:
    """Return the batches of a split in the order of the manifest; none is dropped."""
    return _loader(patches, batch_size, workers, generator=None)


def _loader(
    patches: Dataset[Batch], batch_size: int, workers: int, generator: torch.Generator | None
) -> DataLoader[Batch]:
    return DataLoader(
        patches,
        batch_size=batch_size,
        shuffle=generator is not None,
        num_workers=workers,
        pin_memory=torch.cuda.is_available(),
        generator=generator,
    )


def _image_tensor(image: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(image, -1, 0)))
