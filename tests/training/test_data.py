import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from partialseg.engine.batches import Batch, image_tensor
from partialseg.engine.ranks import ALONE, Ranks
from partialseg.labelling.label import label
from partialseg.labelling.labels import (
    LabelOrigin,
    LabelStore,
    LabelSummary,
    PatchLabels,
    write_labels,
)
from partialseg.tiling.patches import PatchStore
from partialseg.training.augment import Augment
from partialseg.training.data import EpochBatches, Place, Shown, TrainPatches, train_loader
from small_labels import label_params
from small_run import LIVELY, STILL

Make = Callable[..., TrainPatches]
COLUMNS = 7
THREE_OF_EIGHT = [0, 0, 1, 0, 0, 1, 0, 1]  # the patches 2, 5 and 7 are labelled


@pytest.fixture
def folder(make_patches: Callable[..., Path]) -> Path:
    return make_patches(columns=COLUMNS)


@pytest.fixture
def summary(folder: Path, tmp_path: Path) -> LabelSummary:
    return label(folder, tmp_path / "labels", 0.25, 42, label_params())


@pytest.fixture
def make(folder: Path, summary: LabelSummary, tmp_path: Path) -> Make:
    def train_patches(augment: Augment = STILL, seed: int = 1) -> TrainPatches:
        store = PatchStore(folder)
        names = [patch.name for patch in store.of_split("train")]
        return TrainPatches(store, LabelStore(tmp_path / "labels", names), augment, seed, 0)

    return train_patches


def epoch_of(patches: TrainPatches, epoch: int = 1, workers: int = 0, seed: int = 1) -> list[Batch]:
    batches = EpochBatches(Shown(often=[1] * len(patches)), 2, 1, seed, ALONE)
    batches.epoch = epoch
    return list(train_loader(patches, batches, workers))


def images_of(batches: list[Batch]) -> list[bytes]:
    return [image.numpy().tobytes() for images, _ in batches for image in images]


def equal(first: list[Batch], second: list[Batch]) -> bool:
    return len(first) == len(second) and all(
        torch.equal(a, b)
        for left, right in zip(first, second, strict=True)
        for a, b in zip(left, right, strict=True)
    )


@pytest.mark.slow
def test_batches_do_not_depend_on_the_workers_or_on_earlier_passes(make: Make) -> None:
    used = make(LIVELY)
    for epoch in (1, 2):
        expected = epoch_of(make(LIVELY), epoch)
        assert equal(epoch_of(used, epoch, workers=2), expected)
        assert equal(epoch_of(used, epoch, workers=0), expected)
    assert equal(epoch_of(used, 1), epoch_of(make(LIVELY), 1))


def test_whole_patches_are_drawn_as_before_there_were_crops(make: Make) -> None:
    digest = hashlib.sha256()
    for epoch in (1, 2):
        for images, labels in epoch_of(make(FLIPS), epoch):
            digest.update(images.numpy().tobytes())
            digest.update(labels.numpy().tobytes())
    assert digest.hexdigest()[:16] == "cf5ba4724ca61411"


def test_a_whole_patch_has_other_draws_each_time_it_comes(make: Make) -> None:
    patches = make(LIVELY)
    shown = {patches[Place(1, 0, time)][0].numpy().tobytes() for time in range(6)}
    assert len(shown) == 6
    first, again = patches[Place(1, 0, 1)], patches[Place(1, 0, 1)]
    assert equal([first], [again])


def test_epochs_differ_in_order_and_in_augmentation(make: Make) -> None:
    still, lively = make(STILL), make(LIVELY)
    orders = {tuple(images_of(epoch_of(still, epoch))) for epoch in range(1, 6)}
    assert len(orders) == 5
    moves = {images_of(epoch_of(lively, epoch))[0] for epoch in range(1, 6)}
    assert len(moves) == 5
    seen = {lively[Place(epoch, 0)][0].numpy().tobytes() for epoch in range(1, 9)}
    assert len(seen) >= 4  # of eight draws among eight poses


def test_seeds_differ_in_order_and_in_augmentation(make: Make) -> None:
    still = make(STILL)
    assert images_of(epoch_of(still, seed=1)) != images_of(epoch_of(still, seed=2))
    lively = [make(LIVELY, seed) for seed in (1, 2)]
    pairs = zip(*([p[Place(1, place)][0] for place in range(COLUMNS)] for p in lively), strict=True)
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


FLIPS = replace(STILL, horizontal_flip=0.5, vertical_flip=0.5, rotate90=0.5)


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
        image, label_ = patches[Place(1, place)]
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


def places_of(batches: EpochBatches) -> list[list[int]]:
    return [[place.patch for place in batch] for batch in batches]


def test_workers_that_live_on_learn_of_the_next_epoch(make: Make) -> None:
    patches = make(LIVELY)
    batches = EpochBatches(Shown(often=[1] * len(patches)), 2, 1, 1, ALONE)
    loader = train_loader(patches, batches, workers=2)
    for epoch in (1, 2, 3):
        batches.epoch = epoch
        assert equal(list(loader), epoch_of(make(LIVELY), epoch))


@pytest.mark.parametrize(
    ("patches", "batch_size", "sizes"),
    [(7, 2, [2, 2, 2, 1]), (5, 4, [3, 2]), (65, 32, [22, 22, 21]), (6, 3, [3, 3]), (3, 8, [3])],
)
def test_sizes_of_batches_differ_by_one_at_most(
    patches: int, batch_size: int, sizes: list[int]
) -> None:
    batches = EpochBatches(Shown(often=[1] * patches), batch_size, 1, 1, ALONE)
    assert [len(batch) for batch in batches] == sizes
    assert len(batches) == len(sizes)


def test_the_ranks_share_the_batches_of_one(make: Make) -> None:
    whole = places_of(EpochBatches(Shown(often=[1] * 11), 4, 1, 1, ALONE))
    ranks = [Ranks(rank=rank, count=3) for rank in range(3)]
    shares = [places_of(EpochBatches(Shown(often=[1] * 11), 4, 1, 1, rank)) for rank in ranks]
    assert [len(batch) for batch in whole] == [4, 4, 3]
    assert [[len(batch) for batch in share] for share in shares] == [
        [2, 2, 1],
        [1, 1, 1],
        [1, 1, 1],
    ]
    for place, batch in enumerate(whole):
        assert sorted(batch) == sorted(index for share in shares for index in share[place])


@pytest.mark.parametrize(("count", "accumulation"), [(3, 1), (1, 3), (2, 2)])
def test_batches_too_small_to_be_shared_are_refused(count: int, accumulation: int) -> None:
    EpochBatches(Shown(often=[1] * 4), 2, 1, 1, Ranks(count=2))
    message = (
        rf"batch_size 2: batches of 2 of the 4 .* by {count} processes in {accumulation} parts"
    )
    with pytest.raises(ValueError, match=message):
        EpochBatches(Shown(often=[1] * 4), 2, accumulation, 1, Ranks(count=count))


def test_labelled_patches_fill_the_epoch_where_others_have_no_label() -> None:
    batches = EpochBatches(Shown(often=THREE_OF_EIGHT), 2, 1, 1, ALONE)
    places = [index for batch in places_of(batches) for index in batch]
    assert len(batches) == 4
    for first in (0, 3):  # all of them before one comes again
        assert sorted(places[first : first + 3]) == [2, 5, 7]
    assert len(places) == 8 and set(places[6:]) < {2, 5, 7}


def test_patches_come_in_proportion_to_their_numbers() -> None:
    often = [40, 20, 10, 10, 0]
    batches = EpochBatches(Shown(often=often), 2, 1, 1, ALONE)
    seen: list[int] = []
    for epoch in range(1, 161):
        batches.epoch = epoch
        places = [index for batch in places_of(batches) for index in batch]
        assert len(places) == 5
        # Rounds of the first patch: it comes once in each, the second in every other at most.
        assert places.count(0) >= 2 and places.count(1) <= 2
        seen += places
    assert [seen.count(index) for index in range(5)] == pytest.approx(
        [400, 200, 100, 100, 0], abs=30
    )


def test_equal_numbers_give_the_same_batches_whatever_they_are() -> None:
    ones = places_of(EpochBatches(Shown(often=THREE_OF_EIGHT, unlabelled=True), 2, 1, 1, ALONE))
    sevens = [7 * one for one in THREE_OF_EIGHT]
    assert places_of(EpochBatches(Shown(often=sevens, unlabelled=True), 2, 1, 1, ALONE)) == ones


def test_all_patches_labelled_leave_none_to_stand_behind() -> None:
    plain = places_of(EpochBatches(Shown(often=[1] * 5), 2, 1, 1, ALONE))
    assert places_of(EpochBatches(Shown(often=[1] * 5, unlabelled=True), 2, 1, 1, ALONE)) == plain


def test_an_epoch_without_any_label_is_refused() -> None:
    with pytest.raises(ValueError, match="none of the 5 training patches has a label"):
        EpochBatches(Shown(often=[0] * 5, unlabelled=True), 2, 1, 1, ALONE)


def test_behind_each_labelled_patch_stands_an_unlabelled_one() -> None:
    unlabelled = [0, 1, 3, 4, 6]
    batches = EpochBatches(Shown(often=THREE_OF_EIGHT, unlabelled=True), 2, 1, 1, ALONE)
    seen = []
    for epoch in range(1, 7):
        batches.epoch = epoch
        of_epoch = places_of(batches)
        assert [len(batch) for batch in of_epoch] == [4] * 4
        seen += [index for batch in of_epoch for index in batch[1::2]]
        assert all({*batch[::2]} <= {2, 5, 7} for batch in of_epoch)
    assert set(seen) == set(unlabelled)
    assert max(map(seen.count, unlabelled)) - min(map(seen.count, unlabelled)) <= 6


def test_unlabelled_patches_change_no_place_of_a_labelled_one() -> None:
    plain = places_of(EpochBatches(Shown(often=THREE_OF_EIGHT), 2, 1, 1, ALONE))
    beside = places_of(EpochBatches(Shown(often=THREE_OF_EIGHT, unlabelled=True), 2, 1, 1, ALONE))
    assert [batch[::2] for batch in beside] == plain


def test_the_ranks_share_pairs_of_labelled_and_unlabelled_patches() -> None:
    shown = Shown(often=THREE_OF_EIGHT, unlabelled=True)
    whole = places_of(EpochBatches(shown, 4, 1, 1, ALONE))
    ranks = [Ranks(rank=rank, count=2) for rank in range(2)]
    shares = [places_of(EpochBatches(shown, 4, 1, 1, rank)) for rank in ranks]
    for batch, first, second in zip(whole, *shares, strict=True):
        pairs = list(zip(batch[::2], batch[1::2], strict=True))
        assert list(zip(first[::2], first[1::2], strict=True)) == pairs[::2]
        assert list(zip(second[::2], second[1::2], strict=True)) == pairs[1::2]


def test_visible_pixels_are_counted_patch_by_patch(make_patches: Callable[..., Path]) -> None:
    store = PatchStore(make_patches(columns=4))
    names = [patch.name for patch in store.of_split("train")]
    side = store.summary.size
    shown = [side**2, 0, 9, 1]
    bits = [np.packbits(np.arange(side**2) < count) for count in shown]
    folder = store.folder.parent / "some-labels"
    folder.mkdir()
    labels = [
        PatchLabels(
            name=name,
            bits=bit,
            visible=count,
            counts=(1, 1, 1),
            clicks=None,
            seconds=None,
            short=(0, 0, 0),
        )
        for name, bit, count in zip(names, bits, shown, strict=True)
    ]
    origin = LabelOrigin(pattern="patches", fraction=0.5, seed=1)
    write_labels(folder, labels, store.summary.class_names, side, origin)
    patches = TrainPatches(store, LabelStore(folder, names), STILL, 1, 0)
    assert patches.visible_pixels == shown
