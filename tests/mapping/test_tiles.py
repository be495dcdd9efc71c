import math

import pytest
import torch

from partialseg.mapping.stitch import tiles_along


def test_tiles_cover_an_axis_from_its_start_to_its_end() -> None:
    tiles = tiles_along(100, 64, 16)
    assert (tiles.length, tiles.starts) == (64, (0, 36))
    tiles = tiles_along(200, 64, 16)
    assert tiles.starts == (0, 48, 96, 136)


@pytest.mark.parametrize(("size", "starts"), [(10, (0,)), (64, (0,)), (65, (0, 1)), (112, (0, 48))])
def test_no_tile_is_longer_than_the_axis(size: int, starts: tuple[int, ...]) -> None:
    tiles = tiles_along(size, 64, 16)
    assert (tiles.length, tiles.starts) == (min(size, 64), starts)


@pytest.mark.parametrize("size", [10, 64, 65, 100, 112, 113, 1000])
@pytest.mark.parametrize("overlap", [0, 16, 32])
def test_the_weights_at_each_pixel_sum_to_one(size: int, overlap: int) -> None:
    tiles = tiles_along(size, 64, overlap)
    total = torch.zeros(size)
    for start, weights in zip(tiles.starts, tiles.weights, strict=True):
        total[start : start + tiles.length] += weights
    assert torch.allclose(total, torch.ones(size), atol=1e-6)


def test_weights_fall_like_a_squared_cosine_where_tiles_overlap() -> None:
    first, second = tiles_along(112, 64, 16).weights
    expected = [math.sin(math.pi / 2 * (i + 0.5) / 16) ** 2 for i in range(16)]
    assert second[:16].tolist() == pytest.approx(expected, abs=1e-6)
    assert first[48:].tolist() == pytest.approx(expected[::-1], abs=1e-6)
    assert torch.equal(first[:48], torch.ones(48))
    assert torch.equal(second[16:], torch.ones(48))


def test_rows_are_final_where_the_next_tile_begins() -> None:
    tiles = tiles_along(200, 64, 16)
    assert [tiles.final(index, 200) for index in range(4)] == [48, 96, 136, 200]
