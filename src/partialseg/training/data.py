"""Training patches: their augmentation, their visible labels, and the batches of an epoch."""

import hashlib
import os
import random
from collections.abc import Iterator, Sequence
from typing import Annotated

import albumentations as A  # noqa: N812
import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from partialseg.core.classes import compose_label
from partialseg.core.params import STRICT, Share
from partialseg.engine.batches import Batch, image_tensor, start_worker
from partialseg.engine.ranks import Ranks
from partialseg.labelling.labels import LabelStore
from partialseg.tiling.patches import Patch, PatchStore

Place = tuple[int, int]  # epoch and index of a training patch

# On import, albumentations would go online to look for a newer version.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")


@dataclass(frozen=True, kw_only=True, config=STRICT)
class ShiftScaleRotate:
    """Limits of an affine move: shift in patch sides, scale as 1 +- scale, rotate in degrees."""

    probability: Share
    shift: Share
    scale: Annotated[float, Field(ge=0, lt=1)]
    rotate: Annotated[float, Field(ge=0, le=180)]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Augment:
    """Probabilities of the flips and of a rotation by a multiple of 90 degrees; the affine move."""

    horizontal_flip: Share
    vertical_flip: Share
    rotate90: Share
    shift_scale_rotate: ShiftScaleRotate


def moves(params: Augment) -> list[A.BasicTransform]:
    """Return the transforms in the order in which they are applied to a patch."""
    affine = params.shift_scale_rotate
    return [
        A.HorizontalFlip(p=params.horizontal_flip),
        A.VerticalFlip(p=params.vertical_flip),
        A.RandomRotate90(p=params.rotate90),
        # Pixels from outside the patch are black and, with a visibility of 0, unlabelled.
        A.Affine(
            translate_percent=(-affine.shift, affine.shift),
            scale=(1 - affine.scale, 1 + affine.scale),
            keep_ratio=True,
            rotate=(-affine.rotate, affine.rotate),
            p=affine.probability,
        ),
    ]


class Augmenter:
    """Applies random flips, rotations and an affine move alike to all arrays of a patch."""

    def __init__(self, params: Augment) -> None:
        self._transform = A.Compose(moves(params))

    def __call__(
        self,
        seed: int,
        image: NDArray[np.uint8],
        truth: NDArray[np.uint8],
        visible: NDArray[np.bool_],
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.bool_]]:
        """Transform image (H, W, 3), truth (H, W) and visible (H, W) by the draws of a seed."""
        # Seeded for each patch, so that the draws do not depend on the number of workers.
        self._transform.set_random_state(np.random.default_rng(seed), random.Random(seed))
        moved = self._transform(image=image, masks=[truth, visible.view(np.uint8)])
        truth, visible = moved["masks"]
        return moved["image"], truth, visible.view(np.bool_)


class TrainPatches(Dataset[Batch]):
    """Augmented training patches with their visible labels: uint8 (3, H, W) and int16 (H, W).

    The index of an item is (epoch, index of the patch): its augmentation depends on (seed, epoch,
    patch name) alone, and workers that outlive an epoch need no notice of the next one.
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
    """Yields a rank's share of each batch of `epoch`, shuffled by (seed, epoch).

    An epoch has as many places as there are patches, and a patch occurs in proportion to its number
    in `often`: where some have 0, the others occur several times. With `unlabelled`, a patch of 0
    is added to each place, so that a step has as many labelled patches as without. The batches do
    not depend on the number of ranks. Their numbers of labelled patches differ by at most one, so
    that no step rests on the few patches that a division leaves over.

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
    """Return len(often) indices, each in proportion to its number in `often`, shuffled by draw.

    The index of the largest number occurs once in each round, that of half of it every other round.
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
    """Return the seed of a draw, 63 bits; unlike sums, hashes of different keys are unrelated."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]) >> 1
