import pytest
import torch
from scipy.stats import kstest
from torch import Tensor

from partialseg.training.methods.strong_views import AREA, ASPECT, cutmix_boxes, mix, partners


def boxes_of(count: int, height: int, width: int, seed: int = 1) -> Tensor:
    return cutmix_boxes(count, height, width, torch.Generator().manual_seed(seed))


def sides(boxes: Tensor) -> tuple[Tensor, Tensor]:
    """Return heights and widths (N,) of boxes."""
    return boxes.any(dim=2).sum(dim=1), boxes.any(dim=1).sum(dim=1)


@pytest.mark.parametrize("size", [(384, 384), (33, 47), (16, 1000), (1000, 16), (1, 1), (2, 3)])
def test_each_image_has_one_rectangle(size: tuple[int, int]) -> None:
    boxes = boxes_of(30, *size)
    assert boxes.shape == (30, *size) and boxes.dtype == torch.bool
    rows, columns = sides(boxes)
    assert (rows > 0).all()
    assert torch.equal(boxes.sum(dim=(1, 2)), rows * columns)  # full inside its bounds ...
    for side in (boxes.any(dim=2), boxes.any(dim=1)):  # ... which have no gap
        assert (side.int().diff(dim=1).abs().sum(dim=1) <= 2).all()
        runs = side.int().diff(dim=1, prepend=torch.zeros(30, 1, dtype=torch.int32))
        assert ((runs == 1).sum(dim=1) == 1).all()


def test_the_shares_fill_their_range_evenly() -> None:
    boxes = boxes_of(2000, 96, 96)
    shares = boxes.double().mean(dim=(1, 2))
    assert shares.min() > AREA[0] - 0.005 and shares.max() < AREA[1] + 0.01
    # scipy's test of a uniform distribution over loc .. loc + scale
    assert kstest(shares.numpy(), "uniform", args=(0.02, 0.38)).statistic < 0.04


@pytest.mark.slow
def test_boxes_are_as_often_tall_as_wide_within_the_range_of_aspects() -> None:
    rows, columns = sides(boxes_of(2000, 400, 400))
    aspects = rows.double() / columns
    assert aspects.min() > ASPECT[0] * 0.97 and aspects.max() < ASPECT[1] * 1.03
    assert aspects.min() < 0.32 and aspects.max() > 3.1
    assert (rows > columns).double().mean() == pytest.approx(0.5, abs=0.05)


def test_a_box_lies_as_often_at_one_edge_as_at_the_opposite_one() -> None:
    boxes = boxes_of(3000, 40, 40)
    for along in (boxes.any(dim=2), boxes.any(dim=1)):
        first, last = along[:, 0], along[:, -1]
        at_first, at_last = int((first & ~last).sum()), int((last & ~first).sum())
        assert at_first > 100
        assert at_last == pytest.approx(at_first, abs=5 * (2 * at_first) ** 0.5)


@pytest.mark.parametrize("size", [(16, 1000), (1000, 16)])
def test_a_narrow_image_has_strips_of_the_same_shares(size: tuple[int, int]) -> None:
    shares = boxes_of(500, *size).double().mean(dim=(1, 2))
    assert shares.min() > 0.015 and shares.max() < 0.41
    assert shares.mean() == pytest.approx(0.21, abs=0.02)


def test_equal_seeds_give_equal_boxes_and_others_others() -> None:
    first = boxes_of(3, 50, 60)
    torch.manual_seed(9)
    assert torch.equal(boxes_of(3, 50, 60), first)
    assert torch.equal(boxes_of(7, 50, 60)[:3], first)
    assert not torch.equal(boxes_of(3, 50, 60, seed=2), first)
    assert len({box.numpy().tobytes() for box in boxes_of(20, 50, 60)}) == 20


BOXES = torch.tensor([[[1, 0], [1, 0]], [[0, 0], [0, 1]]], dtype=torch.bool)


def test_targets_are_of_the_second_inside_the_box() -> None:
    first = torch.tensor([[[1, 2], [3, 4]], [[5, 6], [7, -1]]])
    mixed = mix(first, -10 * first, BOXES)
    assert mixed.tolist() == [[[-10, 2], [-30, 4]], [[5, 6], [7, 10]]]
    assert mixed.dtype == torch.int64


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_images_are_mixed_in_all_channels(dtype: torch.dtype) -> None:
    first = torch.arange(24).reshape(2, 3, 2, 2).to(dtype)
    second = first + 100
    mixed = mix(first, second, BOXES)
    assert mixed.dtype == dtype
    expected = (first + 100 * BOXES[:, None].to(dtype)).tolist()
    assert mixed.tolist() == expected
    assert first.flatten().tolist() == list(range(24))


def test_as_many_images_as_channels_are_no_riddle() -> None:
    first = torch.zeros(2, 2, 2, 2)
    mixed = mix(first, first + 1, BOXES)
    assert torch.equal(mixed, BOXES[:, None].expand(2, 2, 2, 2).float())


def test_the_partner_is_the_next_of_the_batch() -> None:
    assert partners(torch.tensor([[1], [2], [3]])).tolist() == [[2], [3], [1]]


def test_a_batch_of_one_is_mixed_with_itself() -> None:
    image = torch.randint(0, 256, (1, 3, 9, 7), dtype=torch.uint8)
    assert torch.equal(mix(image, partners(image), boxes_of(1, 9, 7)), image)
