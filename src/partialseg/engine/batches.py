"""Patches as tensors: the input of the networks, and the truth they are scored against."""

import signal
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from partialseg.core.classes import compose_label
from partialseg.engine.ranks import ALONE, Ranks
from partialseg.tiling.patches import Patch, PatchStore

# Mean and standard deviation of RGB in 0..255: those of ImageNet, as is customary
# (https://github.com/pytorch/vision/blob/main/references/segmentation/presets.py).
MEAN = (123.675, 116.28, 103.53)
STD = (58.395, 57.12, 57.375)

Batch = tuple[Tensor, Tensor]
Triple = tuple[float, float, float]


def normalise(images: Tensor, mean: Triple = MEAN, std: Triple = STD) -> Tensor:
    """Turn images (N, 3, H, W), uint8, into the float32 input of the networks."""
    centre = torch.tensor(mean, device=images.device).view(1, 3, 1, 1)
    spread = torch.tensor(std, device=images.device).view(1, 3, 1, 1)
    return images.float().sub_(centre).div_(spread)


class TruthPatches(Dataset[Batch]):
    """Patches without augmentation and their full truth: uint8 (3, H, W) and int16 (H, W)."""

    def __init__(self, store: PatchStore, patches: Sequence[Patch]) -> None:
        self._store = store
        self._patches = patches

    @property
    def num_classes(self) -> int:
        """The number of classes of the truth."""
        return len(self._store.summary.class_names)

    def __len__(self) -> int:
        return len(self._patches)

    def __getitem__(self, index: int) -> Batch:
        patch = self._patches[index]
        truth = self._store.truth(patch)
        everywhere = np.ones(truth.shape, np.bool_)
        return image_tensor(self._store.image(patch)), torch.from_numpy(
            compose_label(truth, everywhere)
        )


def truth_loader(
    patches: TruthPatches, batch_size: int, workers: int, ranks: Ranks = ALONE
) -> DataLoader[Batch]:
    """Return a rank's batches of a split in the order of the manifest; no patch is dropped.

    The workers live on from one pass to the next.
    """
    starts = range(0, len(patches), batch_size)
    batches = [range(start, min(start + batch_size, len(patches))) for start in starts]
    return DataLoader(
        patches,
        batch_sampler=[list(batch) for batch in batches[ranks.rank :: ranks.count]],
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=torch.cuda.is_available(),
        worker_init_fn=start_worker,
    )


def start_worker(_: int) -> None:
    """Let a worker ignore signals, which a terminal sends to all: the parent ends its workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def image_tensor(image: NDArray[np.uint8]) -> Tensor:
    """Return an image (H, W, 3) as a tensor (3, H, W)."""
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(image, -1, 0)))
