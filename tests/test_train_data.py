from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from label import label
from partialseg.augment import Augment
from partialseg.data import Batch, image_tensor
from partialseg.labels import LabelStore, LabelSummary
from partialseg.patches import PatchStore
from partialseg.train_data import TrainPatches, train_loader
from small_run import LIVELY, STILL

Make = Callable[..., TrainPatches]
COLUMNS = 7


@pytest.fixture
def folder(make_patches: Callable[..., Path]) -> Path:
    return make_patches(columns=COLUMNS)


@pytest.fixture
def summary(folder: Path, tmp_path: Path) -> LabelSummary:
    return label(folder, tmp_path / "labels", 0.25, 42)


@pytest.fixture
def make(folder: Path, summary: LabelSummary, tmp_path: Path) -> Make:
    def train_patches(augment: Augment = STILL, seed: int = 1) -> TrainPatches:
        store = PatchStore(folder)
        names = [patch.name for patch in store.of_split("train")]
        return TrainPatches(store, LabelStore(tmp_path / "labels", names), augment, seed)

    return train_patches


def epoch_of(patches: TrainPatches, epoch: int = 1, workers: int = 0, seed: int = 1) -> list[Batch]:
    return list(train_loader(patches, 2, workers, seed, epoch))


def images_of(batches: list[Batch]) -> list[bytes]:
    return [image.numpy().tobytes() for images, _ in batches for image in images]


def equal(first: list[Batch], second: list[Batch]) -> bool:
    return len(first) == len(second) and all(
        torch.equal(a, b)
        for left, right in zip(first, second, strict=True)
        for a, b in zip(left, right, strict=True)
    )


def test_batches_do_not_depend_on_the_workers_or_on_earlier_passes(make: Make) -> None:
    used = make(LIVELY)
    for epoch in (1, 2):
        expected = epoch_of(make(LIVELY), epoch)
        assert equal(epoch_of(used, epoch, workers=2), expected)
        assert equal(epoch_of(used, epoch, workers=0), expected)
    assert equal(epoch_of(used, 1), epoch_of(make(LIVELY), 1))


def test_epochs_differ_in_order_and_in_augmentation(make: Make) -> None:
    still, lively = make(STILL), make(LIVELY)
    orders = {tuple(images_of(epoch_of(still, epoch))) for epoch in range(1, 6)}
    assert len(orders) == 5
    moves = {images_of(epoch_of(lively, epoch))[0] for epoch in range(1, 6)}
    assert len(moves) == 5
    seen = set()
    for lively.epoch in range(1, 9):
        seen.add(lively[0][0].numpy().tobytes())
    assert len(seen) >= 4  # of eight draws among eight poses


def test_seeds_differ_in_order_and_in_augmentation(make: Make) -> None:
    still = make(STILL)
    assert images_of(epoch_of(still, seed=1)) != images_of(epoch_of(still, seed=2))
    lively = [make(LIVELY, seed) for seed in (1, 2)]
    for patches in lively:
        patches.epoch = 1
    pairs = zip(*([p[place][0] for place in range(COLUMNS)] for p in lively), strict=True)
    assert any(not torch.equal(a, b) for a, b in pairs)


def test_an_epoch_holds_every_training_patch_once_and_no_other(make: Make, folder: Path) -> None:
    store = PatchStore(folder)
    expected = [image_tensor(store.image(p)).numpy().tobytes() for p in store.of_split("train")]
    assert len(set(expected)) == len(make()) == COLUMNS
    batches = epoch_of(make())
    assert [len(images) for images, _ in batches] == [2, 2, 2, 1]
    assert sorted(images_of(batches)) == sorted(expected)


def test_the_order_is_shuffled(make: Make, folder: Path) -> None:
    store = PatchStore(folder)
    manifest = [image_tensor(store.image(p)).numpy().tobytes() for p in store.of_split("train")]
    assert all(images_of(epoch_of(make(), epoch)) != manifest for epoch in (1, 2, 3))


def class_counts(batches: list[Batch]) -> list[int]:
    labels = torch.cat([labels.flatten() for _, labels in batches])
    return [int((labels == name).sum()) for name in range(3)]


FLIPS = Augment(
    horizontal_flip=0.5,
    vertical_flip=0.5,
    rotate90=0.5,
    shift_scale_rotate=STILL.shift_scale_rotate,
)


@pytest.mark.parametrize("augment", [STILL, FLIPS])
def test_labels_are_the_visible_pixels_and_no_others(
    make: Make, summary: LabelSummary, augment: Augment
) -> None:
    batches = epoch_of(make(augment))
    labelled = sum(int((labels != -1).sum()) for _, labels in batches)
    assert labelled == summary.visible == COLUMNS * 256
    assert class_counts(batches) == list(summary.counts.values())


def test_each_patch_has_its_own_labels(make: Make, folder: Path, tmp_path: Path) -> None:
    store, patches = PatchStore(folder), make()
    train = store.of_split("train")
    labels = LabelStore(tmp_path / "labels", [patch.name for patch in train])
    for place, patch in enumerate(train):
        image, label_ = patches[place]
        truth = torch.from_numpy(store.truth(patch).astype("int16"))
        visible = torch.from_numpy(labels.visible(place).copy())
        expected = torch.where(visible, truth, torch.tensor(-1, dtype=torch.int16))
        assert torch.equal(image, image_tensor(store.image(patch)))
        assert torch.equal(label_, expected)
        assert label_.dtype == torch.int16


def red_class(image: Tensor) -> Tensor:
    """Return the class of each pixel, which the fixture writes as steps of 80 in the image."""
    return image[0].long() // 80


def test_augmented_labels_stay_on_their_pixels(make: Make) -> None:
    batches = epoch_of(make(FLIPS))
    for images, labels in batches:
        for image, label_ in zip(images, labels, strict=True):
            known = label_ != -1
            assert torch.equal(label_[known].long(), red_class(image)[known])
