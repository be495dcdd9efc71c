import numpy as np
import pytest
import torch
from torch import Tensor

from partialseg.confusion import ConfusionMatrix
from partialseg.evaluation.pixels import (
    PixelCounts,
    class_planes,
    pixel_losses,
)
from partialseg.loss import partial_cross_entropy


def random_batch(seed: int, classes: int) -> tuple[Tensor, Tensor]:
    """Return logits (3, C, 20, 30), laid out as a network returns them, and truth with gaps."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(3, classes, 20, 30, generator=generator)
    truth = torch.randint(-1, classes, (3, 20, 30), generator=generator, dtype=torch.int16)
    return logits.contiguous(memory_format=torch.channels_last), truth


def test_every_patch_has_its_own_matrix_of_truth_by_prediction() -> None:
    one_hot = torch.nn.functional.one_hot
    predicted = torch.tensor([[[0, 1], [2, 0]], [[2, 2], [0, 1]]])
    truth = torch.tensor([[[0, 1], [1, -1]], [[2, 2], [2, 2]]], dtype=torch.int16)
    counts = PixelCounts(3, 5)
    ids = counts.update(one_hot(predicted, 3).permute(0, 3, 1, 2).float(), truth)
    assert ids.dtype == np.uint8
    assert ids.tolist() == predicted.tolist()
    assert [matrix.tolist() for matrix in counts.confusions] == [
        [[1, 0, 0], [0, 1, 1], [0, 0, 0]],
        [[0, 0, 0], [0, 0, 0], [1, 1, 2]],
    ]


@pytest.mark.parametrize("classes", [2, 5, 40])
def test_they_agree_with_the_confusion_matrix_of_a_split(classes: int) -> None:
    counts, expected = PixelCounts(classes, 15), ConfusionMatrix(classes)
    for seed in range(2):
        logits, truth = random_batch(seed, classes)
        ids = counts.update(logits, truth)
        np.testing.assert_array_equal(ids, logits.max(dim=1).indices.numpy())
        expected.update(torch.from_numpy(ids), truth)
    assert len(counts.confusions) == 6
    assert sum(counts.confusions).tolist() == expected.counts.tolist()


def test_sums_of_confidence_are_those_of_a_search_to_the_last_bit() -> None:
    logits, truth = random_batch(3, 5)
    counts = PixelCounts(5, 15)
    counts.update(2 * logits, truth)
    known = truth >= 0
    confidence = (2 * logits).softmax(dim=1).amax(dim=1)[known]
    limits = torch.linspace(0, 1, 16, dtype=torch.float64)
    place = torch.bucketize(confidence, limits[1:-1].float())
    pixels = torch.bincount(place, minlength=15).tolist()
    sums = torch.bincount(place, confidence.double(), minlength=15).tolist()
    bins = counts.calibration()["bins"]
    assert [(row["from"], row["to"]) for row in bins] == [
        *zip(limits[:-1].tolist(), limits[1:].tolist(), strict=True)
    ]
    assert [row["pixels"] for row in bins] == pixels
    assert [row["confidence"] for row in bins] == [
        total / number if number else None for total, number in zip(sums, pixels, strict=True)
    ]


def test_more_bins_than_a_byte_counts() -> None:
    counts = PixelCounts(2, 300)
    counts.update(torch.tensor([500.0, 0.0]).reshape(1, 2, 1, 1), torch.zeros(1, 1, 1))
    assert [row["pixels"] for row in counts.calibration()["bins"]] == [0] * 299 + [1]


@pytest.mark.parametrize("wrong", [3, -2])
def test_ids_out_of_range_are_refused(wrong: int) -> None:
    truth = torch.tensor([[[0, wrong]]], dtype=torch.int16)
    message = rf"truth: class ids {min(wrong, 0)}\.\.{max(wrong, 0)}, allowed are 0\.\.2 and -1"
    with pytest.raises(ValueError, match=message):
        PixelCounts(3, 4).update(torch.zeros(1, 3, 1, 2), truth)


@pytest.mark.parametrize("weights", [None, (0.5, 1.0, 2.5)])
@pytest.mark.parametrize("side", [(20, 30), (7, 11)])
def test_losses_of_pixels_sum_to_partial_cross_entropy_to_the_last_bit(
    weights: tuple[float, ...] | None, side: tuple[int, int]
) -> None:
    generator = torch.Generator().manual_seed(8)
    logits = 5 * torch.randn(4, 3, *side, generator=generator)
    truth = torch.randint(-1, 3, (4, *side), generator=generator)
    class_weights = None if weights is None else torch.tensor(weights)
    losses = torch.stack(
        [pixel_losses(*patch, class_weights) for patch in zip(logits, truth, strict=True)]
    )
    assert losses[truth < 0].unique().tolist() == [0.0]
    mean = losses.sum() / (truth >= 0).sum()
    assert mean.item() == partial_cross_entropy(logits, truth, class_weights).item()


def test_planes_of_classes_hold_the_same_logits_in_the_order_of_memory() -> None:
    logits, _ = random_batch(4, 6)
    assert not logits[0].is_contiguous()
    for patch in (logits[0], logits[0].contiguous(), logits[0].transpose(1, 2)):
        planes = class_planes(patch)
        assert planes.is_contiguous()
        assert torch.equal(planes, patch)
