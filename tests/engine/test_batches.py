from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from partialseg.core.classes import NO_TRUTH
from partialseg.engine.batches import TruthPatches, image_tensor, normalise, truth_loader
from partialseg.engine.ranks import Ranks
from partialseg.tiling.patches import PatchStore


def test_normalise_subtracts_the_mean_and_divides_by_the_deviation_of_its_channel() -> None:
    images = torch.zeros(2, 3, 1, 2, dtype=torch.uint8)
    images[1, 0, 0, 1], images[1, 1, 0, 1], images[1, 2, 0, 1] = 255, 100, 10
    done = normalise(images)
    assert done.dtype == torch.float32
    black = [-123.675 / 58.395, -116.28 / 57.12, -103.53 / 57.375]
    assert done[0, :, 0, 0].tolist() == pytest.approx(black)
    coloured = [131.325 / 58.395, -16.28 / 57.12, -93.53 / 57.375]
    assert done[1, :, 0, 1].tolist() == pytest.approx(coloured, rel=1e-5)


def test_image_tensor_puts_the_channels_first() -> None:
    image = np.arange(2 * 4 * 3, dtype=np.uint8).reshape(2, 4, 3)
    tensor = image_tensor(image)
    assert tensor.shape == (3, 2, 4)
    assert all(
        tensor[c, y, x] == image[y, x, c] for c in range(3) for y in range(2) for x in range(4)
    )


def test_truth_patches_hold_image_and_whole_truth_in_order(
    make_patches: Callable[..., Path],
) -> None:
    folder = make_patches()
    file = folder / "masks" / "b_val.npy"
    masks = np.load(file)
    masks[1, :2] = NO_TRUTH
    np.save(file, masks)
    store = PatchStore(folder)
    patches = TruthPatches(store, store.of_split("val"))
    assert len(patches) == 3
    for place, patch in enumerate(store.of_split("val")):
        image, truth = patches[place]
        assert (image.dtype, truth.dtype) == (torch.uint8, torch.int16)
        np.testing.assert_array_equal(image.numpy(), store.image(patch).transpose(2, 0, 1))
        expected = np.where(masks[place] == NO_TRUTH, -1, masks[place].astype(int))
        np.testing.assert_array_equal(truth.numpy(), expected)
    assert (patches[1][1][:2] == -1).all()


def test_changing_a_tensor_leaves_the_store_as_it_is(make_patches: Callable[..., Path]) -> None:
    store = PatchStore(make_patches())
    patches = TruthPatches(store, store.of_split("val"))
    before = store.image(store.of_split("val")[0]).copy()
    image, truth = patches[0]
    image += 1
    truth += 1
    np.testing.assert_array_equal(store.image(store.of_split("val")[0]), before)
    assert int(patches[0][1].max()) == 2


@pytest.mark.parametrize("workers", [0, 2])
def test_the_loader_drops_no_patch_and_keeps_the_order(
    make_patches: Callable[..., Path], workers: int
) -> None:
    store = PatchStore(make_patches(columns=5))
    patches = TruthPatches(store, store.of_split("test"))
    batches = list(truth_loader(patches, 2, workers))
    assert [len(images) for images, _ in batches] == [2, 2, 1]
    images = torch.cat([images for images, _ in batches])
    truths = torch.cat([truths for _, truths in batches])
    for place in range(5):
        assert torch.equal(images[place], patches[place][0])
        assert torch.equal(truths[place], patches[place][1])


@pytest.mark.parametrize("count", [2, 3, 5])
def test_the_ranks_have_every_batch_once(make_patches: Callable[..., Path], count: int) -> None:
    store = PatchStore(make_patches(columns=7))
    patches = TruthPatches(store, store.of_split("val"))
    whole = list(truth_loader(patches, 2, 0))
    shares = [list(truth_loader(patches, 2, 0, Ranks(rank=r, count=count))) for r in range(count)]
    assert [len(share) for share in shares] == [len(range(rank, 4, count)) for rank in range(count)]
    for place, (images, labels) in enumerate(whole):
        own_images, own_labels = shares[place % count][place // count]
        assert torch.equal(own_images, images) and torch.equal(own_labels, labels)
