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
    def visible_pixels(self) -> list[int]:
        """The number of pixels of each patch that have a label."""
        return self._labels.visible_pixels()

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

    An epoch has as many places as there are patches, and a patch comes in proportion to its number
    in `often`: where some have 0, the others come several times. With `unlabelled`, a patch of 0
    stands behind each of the others, so that a step has as many labels with them as without. The
    batches are those of any number of ranks. They differ by at most one labelled patch, so that no
    step rests on the few patches that a division leaves over.

    Raises:
        ValueError: no patch has a label, or a batch has fewer patches than there are ranks and
            parts.
    """

    def __init__(
        self,
        often: Sequence[int],
        unlabelled: bool,
        batch_size: int,
        accumulation: int,
        seed: int,
        ranks: Ranks,
    ) -> None:
        patches = len(often)
        if not any(often):
            raise ValueError(f"none of the {patches} training patches has a label")
        self._often, self._unlabelled = torch.tensor(often), unlabelled and not all(often)
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
        turns = torch.Generator().manual_seed(_draw(f"{self._seed}/{self.epoch}/turns"))
        order = [_in_turns(self._often, draw, turns)]
        if self._unlabelled:
            order.append(_in_turns((self._often == 0).long(), draw, turns))
        for batch in torch.stack(order, dim=1).tensor_split(self._batches):
            share = batch[self._ranks.rank :: self._ranks.count].flatten()
            yield [(self.epoch, index) for index in share.tolist()]


def _in_turns(often: Tensor, draw: torch.Generator, turns: torch.Generator) -> Tensor:
    """Return as many indices as there are, each in proportion to its number, shuffled by draw.

    In each round the index of the largest number comes once, one of half of it every other round.
    """
    step = often / often.max()
    turn = torch.rand(len(often), generator=turns)
    order: list[Tensor] = []
    while sum(map(len, order)) < len(often):
        turn += step
        due = (turn >= 1).nonzero().flatten()
        turn.frac_()
        order.append(due[torch.randperm(len(due), generator=draw)])
    return torch.cat(order)[: len(often)]


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
