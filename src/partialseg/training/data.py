"""Training patches: their visible labels, and the batches of an epoch."""

import dataclasses
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from partialseg.core.classes import compose_label
from partialseg.engine.batches import Batch, image_tensor, start_worker
from partialseg.engine.ranks import Ranks
from partialseg.labelling.labels import LabelStore
from partialseg.tiling.patches import PatchStore
from partialseg.training.augment import Augment, Augmenter
from partialseg.training.crops import check_crop, crops_per_patch, random_crop
from partialseg.training.draws import seed_from


class Place(NamedTuple):
    """What is shown at a place of an epoch: a training patch, by its index, or a crop of it.

    time counts how often the patch has been shown in the epoch, from 0.
    """

    epoch: int
    patch: int
    time: int = 0


class TrainPatches(Dataset[Batch]):
    """Augmented training patches with their visible labels: uint8 (3, H, W) and int16 (H, W).

    With crop above 0 an item is a random crop of that side, which is cut before it is augmented:
    what the affine move brings in from outside the crop is black and unlabelled.
    The index of an item is its Place: the draws depend on (seed, epoch, patch name) and the time
    alone, and workers that outlive an epoch need no notice of the next one.

    Raises:
        ValueError: a crop is larger than the patches.
    """

    def __init__(
        self, store: PatchStore, labels: LabelStore, augment: Augment, seed: int, crop: int
    ) -> None:
        size = store.summary.size
        check_crop(crop, size)
        self._store = store
        self._labels = labels
        self._patches = store.of_split("train")
        self._augmenter = Augmenter(augment)
        self._seed = seed
        self._crop = crop
        self.side = crop or size
        self.crops_per_patch = crops_per_patch(size, crop)

    @property
    def visible_pixels(self) -> list[int]:
        """The number of pixels of each patch that have a label."""
        return self._labels.visible_pixels()

    def __len__(self) -> int:
        return len(self._patches)

    def __getitem__(self, place: Place) -> Batch:
        patch = self._patches[place.patch]
        key = f"{self._seed}/{place.epoch}/{patch.name}"
        image, truth = self._store.image(patch), self._store.truth(patch)
        visible = self._labels.visible(place.patch)
        if self._crop or place.time:
            key += f"/{place.time}"
        if self._crop:
            window = random_crop(seed_from(f"{key}/crop"), self._crop, truth, visible)
            # Before anything else: of the image's file only the pixels of the crop are read.
            image, truth = image[window].copy(), truth[window].copy()
            visible = visible[window].copy()
        image, truth, visible = self._augmenter(seed_from(key), image, truth, visible)
        return image_tensor(image), torch.from_numpy(compose_label(truth, visible))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shown:
    """What an epoch shows.

    It has as many places as there are patches, `crops` times, and a patch occurs in proportion to
    its number in `often`: where some have 0, the others occur several times. With `unlabelled`, a
    patch of 0 is added to each place, so that a step has as many labelled patches as without.
    """

    often: Sequence[int]
    unlabelled: bool = False
    crops: int = 1


class EpochBatches(Sampler[list[Place]]):
    """Yields a rank's share of each batch of `epoch`, shuffled by (seed, epoch).

    The batches do not depend on the number of ranks. Their numbers of labelled patches (or crops)
    differ by at most one, so that no step rests on the few that a division leaves over.

    Raises:
        ValueError: no patch has a label, or a batch has fewer patches or crops than there are
            ranks and parts.
    """

    def __init__(
        self, shown: Shown, batch_size: int, accumulation: int, seed: int, ranks: Ranks
    ) -> None:
        patches = len(shown.often)
        if not any(shown.often):
            raise ValueError(f"none of the {patches} training patches has a label")
        self._often = torch.tensor(shown.often)
        self._unlabelled = shown.unlabelled and not all(shown.often)
        self._seed, self._ranks = seed, ranks
        self._places = patches * shown.crops
        self._batches = number_of_batches(self._places, batch_size)
        self.epoch = 1
        smallest = smallest_batch(self._places, batch_size)
        # A share has the unlabelled patches of its places, too.
        in_share = smallest // ranks.count * (2 if self._unlabelled else 1)
        self.smallest_part = in_share // accumulation
        if smallest < ranks.count * accumulation:
            items = "training patches" if shown.crops == 1 else "crops"
            raise ValueError(
                f"batch_size {batch_size}: batches of {smallest} of the {self._places} {items} "
                f"cannot be shared by {ranks.count} processes in {accumulation} parts each; "
                "raise it, or lower accumulation"
            )

    def __len__(self) -> int:
        return self._batches

    def __iter__(self) -> Iterator[list[Place]]:
        draw = torch.Generator().manual_seed(seed_from(f"{self._seed}/{self.epoch}"))
        turns = torch.Generator().manual_seed(seed_from(f"{self._seed}/{self.epoch}/turns"))
        order = [_in_turns(self._often, self._places, draw, turns)]
        if self._unlabelled:
            order.append(_in_turns((self._often == 0).long(), self._places, draw, turns))
        indices = torch.stack(order, dim=1)
        places = torch.stack([indices, _times_before(indices)], dim=2)
        for batch in places.tensor_split(self._batches):
            share = batch[self._ranks.rank :: self._ranks.count].flatten(end_dim=1)
            yield [Place(self.epoch, index, time) for index, time in share.tolist()]


def number_of_batches(places: int, batch_size: int) -> int:
    """Return into how many batches of at most that size the places are divided."""
    return -(-places // batch_size)


def smallest_batch(places: int, batch_size: int) -> int:
    """Return the fewest places of a batch, where the numbers differ by at most one."""
    return places // number_of_batches(places, batch_size)


def _times_before(indices: Tensor) -> Tensor:
    """Return, for each entry of indices, row by row, how often its value has come before."""
    seen: Counter[int] = Counter()
    times = []
    for index in indices.flatten().tolist():
        times.append(seen[index])
        seen[index] += 1
    return torch.tensor(times).view_as(indices)


def _in_turns(often: Tensor, count: int, draw: torch.Generator, turns: torch.Generator) -> Tensor:
    """Return `count` indices, each in proportion to its number in `often`, shuffled by draw.

    The index of the largest number occurs once in each round, that of half of it every other round.
    """
    step = often / often.max()
    turn = torch.rand(len(often), generator=turns)
    order: list[Tensor] = []
    while sum(map(len, order)) < count:
        turn += step
        due = (turn >= 1).nonzero().flatten()
        turn.frac_()
        order.append(due[torch.randperm(len(due), generator=draw)])
    return torch.cat(order)[:count]


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
