"""Training patches as tensors: augmented, with their visible labels."""

import hashlib

import torch
from torch.utils.data import DataLoader, Dataset

from partialseg.augment import Augment, Augmenter
from partialseg.data import Batch, compose_label, image_tensor
from partialseg.labels import LabelStore
from partialseg.patches import Patch, PatchStore


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
        return image_tensor(image), torch.from_numpy(compose_label(truth, visible))

    def _draw_of(self, patch: Patch) -> int:
        return _draw(f"{self._seed}/{self.epoch}/{patch.name}")


def train_loader(
    patches: TrainPatches, batch_size: int, workers: int, seed: int, epoch: int
) -> DataLoader[Batch]:
    """Return the batches of one epoch, shuffled by (seed, epoch)."""
    patches.epoch = epoch
    order = torch.Generator().manual_seed(_draw(f"{seed}/{epoch}"))
    return DataLoader(
        patches,
        batch_size,
        shuffle=True,
        num_workers=workers,
        pin_memory=torch.cuda.is_available(),
        generator=order,
    )


def _draw(key: str) -> int:
    """Return the seed of a draw, 63 bits: unlike a sum, other keys give unrelated seeds."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]) >> 1
