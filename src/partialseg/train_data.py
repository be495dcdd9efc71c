"""Training patches as tensors, augmented, with their visible labels; and their batches."""

import hashlib
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
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

    @property
    def labelled(self) -> list[int]:
        """The indices of the patches with a labelled pixel."""
        return [index for index, visible in enumerate(self._labels.labelled()) if visible]

    @property
    def unlabelled(self) -> list[int]:
        """The indices of the others."""
        return [index for index, visible in enumerate(self._labels.labelled()) if not visible]

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

    An epoch has as many places as there are patches. Where some patches have no label, the
    labelled ones come several times; if unlabelled ones are given, one of them stands behind each,
    so that a step has as many labels with them as without. The batches are those of any number of
    ranks. They differ by at most one labelled patch, so that no step rests on the few patches that
    a division leaves over.

    Raises:
        ValueError: no patch has a label, or a batch has fewer patches than there are ranks and
            parts.
    """

    def __init__(
        self,
        labelled: Sequence[int],
        unlabelled: Sequence[int],
        patches: int,
        batch_size: int,
        accumulation: int,
        seed: int,
        ranks: Ranks,
    ) -> None:
        if not labelled:
            raise ValueError(f"none of the {patches} training patches has a label")
        self._labelled, self._unlabelled, self._patches = labelled, unlabelled, patches
        self._seed, self._ranks = seed, ranks
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
        kinds = [kind for kind in (self._labelled, self._unlabelled) if kind]
        order = torch.stack([_cycled(kind, self._patches, draw) for kind in kinds], dim=1)
        for batch in order.tensor_split(self._batches):
            share = batch[self._ranks.rank :: self._ranks.count].flatten()
            yield [(self.epoch, index) for index in share.tolist()]


def _cycled(items: Sequence[int], count: int, draw: torch.Generator) -> Tensor:
    """Return so many of the items, shuffled anew each time that all have come."""
    rounds = -(-count // len(items))
    order = [torch.randperm(len(items), generator=draw) for _ in range(rounds)]
    return torch.tensor(items)[torch.cat(order)[:count]]


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
