"""Training patches as tensors, augmented, with their visible labels; and their batches."""

import hashlib
from collections.abc import Iterator

import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from partialseg.augment import Augment, Augmenter
from partialseg.data import Batch, compose_label, image_tensor, start_worker
from partialseg.labels import LabelStore
from partialseg.patches import Patch, PatchStore
from partialseg.ranks import Ranks

Place = tuple[int, int]  # epoch and index of a training patch


class TrainPatches(Dataset[Batch]):
    """Augmented training patches with their visible labels: uint8 (3, H, W) and int16 (H, W).

    A patch is asked for by (epoch, index): its augmentation depends on (seed, epoch, patch name)
    alone, and workers that outlive an epoch need not be told of the next.
    """

    def __init__(self, store: PatchStore, labels: LabelStore, augment: Augment, seed: int) -> None:
        self._store = store
        self._labels = labels
        self._patches = store.of_split("train")
        self._augmenter = Augmenter(augment)
        self._seed = seed

    def __len__(self) -> int:
        return len(self._patches)

    def __getitem__(self, place: Place) -> Batch:
        epoch, index = place
        patch = self._patches[index]
        image, truth, visible = self._augmenter(
            self._draw_of(epoch, patch),
            self._store.image(patch),
            self._store.truth(patch),
            self._labels.visible(index),
        )
        return image_tensor(image), torch.from_numpy(compose_label(truth, visible))

    def _draw_of(self, epoch: int, patch: Patch) -> int:
        return _draw(f"{self._seed}/{epoch}/{patch.name}")


class EpochBatches(Sampler[list[Place]]):
    """The places of each batch of `epoch`, shuffled by (seed, epoch); of each, a rank's share.

    The batches are those of any number of ranks. Their sizes differ by at most one patch, so that
    no step rests on the few patches that a division leaves over.

    Raises:
        ValueError: a batch has fewer patches than there are ranks and parts.
    """

    def __init__(
        self, patches: int, batch_size: int, accumulation: int, seed: int, ranks: Ranks
    ) -> None:
        self._patches, self._seed, self._ranks = patches, seed, ranks
        self._batches = -(-patches // batch_size)
        self.epoch = 1
        smallest = patches // self._batches
        if smallest < ranks.count * accumulation:
            raise ValueError(
                f"batch_size {batch_size}: batches of {smallest} of the {patches} training patches "
                f"cannot be shared by {ranks.count} processes in {accumulation} parts each; "
                "raise it"
            )

    def __len__(self) -> int:
        return self._batches

    def __iter__(self) -> Iterator[list[Place]]:
        draw = torch.Generator().manual_seed(_draw(f"{self._seed}/{self.epoch}"))
        order = torch.randperm(self._patches, generator=draw)
        for batch in order.tensor_split(self._batches):
            share = batch[self._ranks.rank :: self._ranks.count]
            yield [(self.epoch, index) for index in share.tolist()]


def train_loader(patches: TrainPatches, batches: EpochBatches, workers: int) -> DataLoader[Batch]:
    """Return a loader of the batches; its workers live on from epoch to epoch."""
    return DataLoader(
        patches,
        batch_sampler=batches,
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=torch.cuda.is_available(),
        worker_init_fn=start_worker,
    )


def _draw(key: str) -> int:
    """Return the seed of a draw, 63 bits: unlike a sum, other keys give unrelated seeds."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]) >> 1
