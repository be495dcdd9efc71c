"""Random crops: which windows are cut, how many an epoch has, and trainings on them."""

import hashlib
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from partialseg.core.classes import NO_TRUTH
from partialseg.engine.checkpoint import Checkpoint
from partialseg.engine.ranks import ALONE, Ranks
from partialseg.labelling.label import label
from partialseg.labelling.labels import LabelStore
from partialseg.tiling.patches import PatchStore
from partialseg.training import loop
from partialseg.training.augment import Augment
from partialseg.training.crops import TRIES, Window, crops_per_patch, random_crop
from partialseg.training.data import EpochBatches, Place, Shown, TrainPatches, train_loader
from partialseg.training.learner import Learner
from partialseg.training.train import TrainFolders, train
from small_labels import label_params
from small_run import (
    LIVELY,
    STILL,
    fails_with,
    isolate,
    run_id,
    train_arguments,
    train_params,
    write_params,
)
from train import main

SIZE, CROP = 64, 16
COLUMNS = 7  # training patches
THREE_OF_EIGHT = [0, 0, 1, 0, 0, 1, 0, 1]


@pytest.mark.parametrize(
    ("size", "crop", "count"),
    [
        (384, 0, 1),
        (384, 384, 1),
        (384, 320, 1),
        (384, 256, 2),
        (384, 192, 4),
        (384, 128, 9),
        (384, 64, 36),
        (32, 16, 4),
    ],
)
def test_so_many_crops_have_the_pixels_of_a_patch(size: int, crop: int, count: int) -> None:
    assert crops_per_patch(size, crop) == count


def patch_with(*labelled: tuple[int, int]) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Return truth and visibility (H, W) of a patch of class 1 with these labelled pixels."""
    visible = np.zeros((SIZE, SIZE), np.bool_)
    for pixel in labelled:
        visible[pixel] = True
    return np.ones((SIZE, SIZE), np.uint8), visible


def corner(window: Window) -> tuple[int, int]:
    rows, columns = window
    assert (rows.stop - rows.start, columns.stop - columns.start) == (CROP, CROP)
    return rows.start, columns.start


def draws(seed: int, count: int = TRIES) -> list[tuple[int, int]]:
    """Return the corners of the windows that a seed draws one after the other."""
    rng = np.random.default_rng(seed)
    return [tuple(rng.integers(0, SIZE - CROP, 2, endpoint=True).tolist()) for _ in range(count)]


def test_where_every_crop_or_none_is_labelled_the_first_draw_is_taken() -> None:
    for seed in range(200):
        for visible in (np.ones((SIZE, SIZE), np.bool_), np.zeros((SIZE, SIZE), np.bool_)):
            window = random_crop(seed, CROP, patch_with()[0], visible)
            assert corner(window) == draws(seed, 1)[0]


def test_all_windows_inside_the_patch_occur() -> None:
    truth, visible = patch_with()
    corners = [corner(random_crop(seed, CROP, truth, visible)) for seed in range(1000)]
    for axis in range(2):
        seen = Counter(place[axis] for place in corners)
        assert sorted(seen) == list(range(SIZE - CROP + 1))
        assert max(seen.values()) < 3 * 1000 / 49


def test_a_crop_without_a_label_is_drawn_again() -> None:
    truth, visible = patch_with((30, 30))
    taken = Counter[str]()
    for seed in range(500):
        found = corner(random_crop(seed, CROP, truth, visible))
        holds = [all(0 <= 30 - start < CROP for start in draw) for draw in draws(seed)]
        if True in holds:
            assert found == draws(seed)[holds.index(True)]
            taken["first draw" if holds[0] else "later draw"] += 1
        else:
            assert all(0 <= 30 - start < CROP for start in found)
            taken["around the pixel"] += 1
    # Of 49 x 49 windows 16 x 16 hold the pixel: 0.107, and in ten draws 0.677.
    assert taken["first draw"] == pytest.approx(500 * 0.107, abs=30)
    assert taken["around the pixel"] == pytest.approx(500 * 0.323, abs=45)


def test_a_patch_with_one_labelled_pixel_always_shows_it() -> None:
    truth, visible = patch_with((63, 0))  # a single window holds it
    for seed in range(100):
        assert corner(random_crop(seed, CROP, truth, visible)) == (48, 0)
    truth, visible = patch_with((5, 60))
    corners = [corner(random_crop(seed, CROP, truth, visible)) for seed in range(400)]
    assert {row for row, _ in corners} == set(range(0, 6))
    assert {column for _, column in corners} == set(range(45, 49))


def test_one_of_several_labelled_pixels_is_chosen_at_random() -> None:
    truth, visible = patch_with((0, 0), (0, 63), (63, 0), (63, 63))
    seen = Counter(corner(random_crop(seed, CROP, truth, visible)) for seed in range(400))
    assert seen.keys() == {(0, 0), (0, 48), (48, 0), (48, 48)}
    assert min(seen.values()) > 60


def test_an_annotated_pixel_without_a_truth_is_no_label() -> None:
    truth, visible = patch_with((0, 0), (63, 63))
    truth[0, 0] = NO_TRUTH
    for seed in range(50):
        assert corner(random_crop(seed, CROP, truth, visible)) == (48, 48)
    truth[63, 63] = NO_TRUTH  # now the patch has no label at all: the last draw
    for seed in range(50):
        assert corner(random_crop(seed, CROP, truth, visible)) == draws(seed)[-1]


@pytest.fixture
def folder(make_patches: Callable[..., Path]) -> Path:
    return make_patches(columns=COLUMNS)


Make = Callable[..., TrainPatches]


@pytest.fixture
def make(folder: Path, tmp_path: Path) -> Make:
    label(folder, tmp_path / "labels", 0.25, 42, label_params())

    def train_patches(augment: Augment = STILL, seed: int = 1, crop: int = CROP) -> TrainPatches:
        store = PatchStore(folder)
        names = [patch.name for patch in store.of_split("train")]
        return TrainPatches(store, LabelStore(tmp_path / "labels", names), augment, seed, crop)

    return train_patches


def same(first: tuple[torch.Tensor, ...], second: tuple[torch.Tensor, ...]) -> bool:
    return all(torch.equal(ours, theirs) for ours, theirs in zip(first, second, strict=True))


def test_a_crop_follows_from_seed_epoch_name_and_number(make: Make, folder: Path) -> None:
    store = PatchStore(folder)
    patch = store.of_split("train")[3]
    image, known = make(STILL, seed=5)[Place(2, 3, 1)]
    key = f"5/2/{patch.name}/1/crop".encode()
    seed = int.from_bytes(hashlib.sha256(key).digest()[:8]) >> 1
    top, left = np.random.default_rng(seed).integers(0, 32 - CROP, 2, endpoint=True).tolist()
    rows, columns = slice(top, top + CROP), slice(left, left + CROP)
    expected = store.image(patch)[rows, columns].transpose(2, 0, 1)
    assert torch.equal(image, torch.from_numpy(expected.copy()))
    # Some 64 of the 256 pixels are visible, and have the class of their place.
    labelled = known != -1
    assert 40 < int(labelled.sum()) < 90
    truth = torch.from_numpy(store.truth(patch)[rows, columns].astype(np.int16))
    assert torch.equal(known[labelled], truth[labelled])


def test_crops_differ_by_number_epoch_and_seed_and_by_nothing_else(make: Make) -> None:
    used = make(LIVELY)
    places = [Place(1, 3, 0), Place(1, 3, 1), Place(2, 3, 0)]
    items = [used[place] for place in places] + [make(LIVELY, seed=2)[places[0]]]
    assert len({item[0].numpy().tobytes() for item in items}) == 4
    fresh = make(LIVELY)
    for place, item in zip(reversed(places), reversed(items[:3]), strict=True):
        assert same(fresh[place], item)


def test_crops_are_augmented_after_they_are_cut(make: Make) -> None:
    flipped = replace(STILL, horizontal_flip=1.0)
    for number in range(4):
        plain, mirrored = make()[Place(1, 0, number)], make(flipped)[Place(1, 0, number)]
        assert same(mirrored, tuple(tensor.flip(-1) for tensor in plain))


class OnlyWindows:
    """An array of which only windows can be read."""

    def __init__(self, array: NDArray[np.uint8], shapes: list[tuple[int, ...]]) -> None:
        self._array, self._shapes = array, shapes

    def __getitem__(self, window: Window) -> NDArray[np.uint8]:
        self._shapes.append(self._array[window].shape)
        return self._array[window]


def test_of_the_files_only_the_pixels_of_a_crop_are_read(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    shapes: list[tuple[int, ...]] = []
    for method in ("image", "truth"):
        read = getattr(PatchStore, method)

        def windows(store: PatchStore, patch: Any, read: Any = read) -> Any:
            return OnlyWindows(read(store, patch), shapes)

        monkeypatch.setattr(PatchStore, method, windows)
    image, _ = make()[Place(1, 0, 0)]
    assert image.shape == (3, CROP, CROP)
    assert set(shapes) == {(CROP, CROP, 3), (CROP, CROP)}


def places_of(batches: EpochBatches) -> list[list[Place]]:
    return [list(batch) for batch in batches]


def test_an_epoch_has_as_many_crops_as_have_the_pixels_of_the_patches(make: Make) -> None:
    patches = make()
    assert (len(patches), patches.crops_per_patch) == (COLUMNS, 4)
    shown = Shown(often=[1] * COLUMNS, crops=patches.crops_per_patch)
    batches = EpochBatches(shown, 8, 1, 1, ALONE)
    batches.epoch = 3
    assert len(batches) == 4
    of_epoch = places_of(batches)
    assert [len(batch) for batch in of_epoch] == [7, 7, 7, 7]
    places = [place for batch in of_epoch for place in batch]
    assert sorted(places) == [Place(3, index, crop) for index in range(7) for crop in range(4)]
    for start in range(0, 28, 7):  # all patches before one comes again
        assert sorted(place.patch for place in places[start : start + 7]) == list(range(7))
    (images, labels), *_ = train_loader(patches, batches, 0)
    assert (images.shape, labels.shape) == ((7, 3, CROP, CROP), (7, CROP, CROP))


def test_labelled_patches_share_the_crops_of_the_others() -> None:
    batches = EpochBatches(Shown(often=THREE_OF_EIGHT, crops=4), 8, 1, 1, ALONE)
    places = [place for batch in places_of(batches) for place in batch]
    assert len(set(places)) == len(places) == 32  # no crop comes twice
    counts = Counter(place.patch for place in places)
    assert counts.keys() == {2, 5, 7} and set(counts.values()) == {10, 11}


def test_behind_each_crop_of_a_labelled_patch_stands_one_of_an_unlabelled_one() -> None:
    plain = places_of(EpochBatches(Shown(often=THREE_OF_EIGHT, crops=4), 8, 1, 1, ALONE))
    shown = Shown(often=THREE_OF_EIGHT, unlabelled=True, crops=4)
    beside = places_of(EpochBatches(shown, 8, 1, 1, ALONE))
    assert [batch[::2] for batch in beside] == plain
    others = [place for batch in beside for place in batch[1::2]]
    assert len(set(others)) == len(others) == 32
    assert Counter(place.patch for place in others).keys() == {0, 1, 3, 4, 6}


def test_the_ranks_share_the_crops_of_one() -> None:
    shown = Shown(often=THREE_OF_EIGHT, unlabelled=True, crops=4)
    whole = places_of(EpochBatches(shown, 8, 1, 1, ALONE))
    ranks = [Ranks(rank=rank, count=3) for rank in range(3)]
    shares = [places_of(EpochBatches(shown, 8, 1, 1, rank)) for rank in ranks]
    for number, batch in enumerate(whole):
        assert sorted(batch) == sorted(place for share in shares for place in share[number])


def test_crops_do_not_depend_on_the_workers(make: Make) -> None:
    shown = Shown(often=[1] * COLUMNS, crops=4)
    epochs = []
    for workers in (0, 2):
        order = EpochBatches(shown, 8, 1, 1, ALONE)
        epochs.append(list(train_loader(make(LIVELY), order, workers)))
    assert len(epochs[0]) == len(epochs[1]) == 4
    assert all(same(ours, theirs) for ours, theirs in zip(*epochs, strict=True))


def test_batches_of_too_few_crops_are_refused() -> None:
    message = (
        "batch_size 2: batches of 2 of the 16 crops cannot be shared by 3 processes in 1 parts"
    )
    with pytest.raises(ValueError, match=message):
        EpochBatches(Shown(often=[1] * 4, crops=4), 2, 1, 1, Ranks(count=3))


@pytest.mark.parametrize(
    "changes", [{"crop": 16}, {"crop": 16, "batch_size": 4, "accumulation": 4}]
)
def test_a_crop_of_16_px_alone_in_a_part_is_refused(
    make_patches: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, Any],
) -> None:
    isolate(monkeypatch, tmp_path)
    message = "one patch or crop of 16 px alone .* too few for BatchNorm: raise batch_size"
    with pytest.raises(ValueError, match=message):
        trained(make_patches(rows=2, columns=2), tmp_path / "run", **{"batch_size": 1} | changes)


@pytest.mark.slow
@pytest.mark.parametrize("crop", [17, 31])
def test_a_crop_that_is_padded_to_32_px_trains_alone(
    make_patches: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, crop: int
) -> None:
    isolate(monkeypatch, tmp_path)
    patches = make_patches(rows=2, columns=2)
    made = trained(patches, tmp_path / "run", crop=crop, batch_size=1, epochs=1)
    assert math.isfinite(made.history[0].train_loss)


def trained(patches: Path, out: Path, architecture: str = "unet", **changes: Any) -> Checkpoint:
    """Train on half of the pixels of one of two patches; the other one has no label."""
    labels = out.with_name("labels")
    if not labels.exists():
        label(patches, labels, 0.5, 42, label_params("patches"))
    folders = TrainFolders(
        patches=patches, labels=labels, out=out, resume=out.with_name(f"{out.name}-resume")
    )
    small = {"crop": CROP, "batch_size": 4, "select": "last", "ema_decay": 0.5}
    run = run_id(3, architecture=architecture, labelling="patches")
    return train(run, folders, train_params(**small | changes))


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {"method": "pseudo_labels"},
        {"method": "consistency"},  # with CutMix
        {"method": "gated_crf"},
        {"architecture": "unetplusplus", "deep_supervision": True},
        {"class_weights": "auto", "sampling": "pixels"},
        {"augment": LIVELY, "accumulation": 2},
    ],
    ids=str,
)
def test_trainings_on_crops_repeat_themselves(
    make_patches: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, Any],
) -> None:
    isolate(monkeypatch, tmp_path)
    patches = make_patches(rows=2, columns=2)
    first, again = (trained(patches, tmp_path / name, **changes) for name in ("one", "again"))
    whole = trained(patches, tmp_path / "whole", **changes, crop=0)
    assert all(torch.equal(first.weights[key], again.weights[key]) for key in first.weights)
    assert any(not torch.equal(first.weights[key], whole.weights[key]) for key in first.weights)


@pytest.mark.slow
def test_a_step_takes_batch_size_crops_and_validation_whole_patches(
    make_patches: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    isolate(monkeypatch, tmp_path)
    steps, scored = [], []
    step, loader = Learner.step, loop.truth_loader

    def counted(learner: Learner, images: Any, labels: Any, *rest: Any) -> Any:
        steps.append((*images.shape, *labels.shape))
        return step(learner, images, labels, *rest)

    def noted(patches: Any, batch_size: int, *rest: Any) -> Any:
        scored.append(batch_size)
        return loader(patches, batch_size, *rest)

    monkeypatch.setattr(Learner, "step", counted)
    monkeypatch.setattr(loop, "truth_loader", noted)
    patches = make_patches(columns=6)
    for name, batch_size, expected in (("two", 8, 2), ("one", 3, 1)):
        made = trained(patches, tmp_path / name, batch_size=batch_size)
        assert scored[-1] == expected  # of four crops' pixels each
        assert len(made.history) == 2
    assert steps[:6] == [(8, 3, CROP, CROP, 8, CROP, CROP)] * 6
    assert steps[6:] == [(3, 3, CROP, CROP, 3, CROP, CROP)] * 16


@pytest.mark.parametrize(
    ("crop", "message"),
    [
        (64, "error: crop: must be at most 32, the side in px of the patches, got 64\n"),
        (
            8,
            "error: params.yaml: datasets.sample.train: crop must be 0 (whole patches) or at least "
            "16 px, the least side that the networks take, got 8\n",
        ),
        (
            -1,
            "error: params.yaml: datasets.sample.train.crop: should be greater than or equal to 0, "
            "got -1\n",
        ),
    ],
)
def test_a_crop_of_another_side_is_refused_in_one_line(
    make_patches: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    crop: int,
    message: str,
) -> None:
    isolate(monkeypatch, tmp_path)
    patches = make_patches()
    label(patches, tmp_path / "labels", 0.25, 42, label_params())
    write_params(tmp_path / "params.yaml", crop=crop)
    error = fails_with(monkeypatch, capsys, main, train_arguments(patches))
    assert error == message.format(patches)
    assert not (tmp_path / "run").exists()
