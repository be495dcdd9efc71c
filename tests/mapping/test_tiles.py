from itertools import pairwise

import pytest

from partialseg.mapping.tiles import Stitching, tiles_along


def test_a_short_axis_is_one_tile_that_ends_at_the_stride() -> None:
    for size, length in ((10, 16), (16, 16), (17, 32), (50, 64), (64, 64)):
        tiles = tiles_along(size, 64, 16)
        assert (tiles.length, tiles.starts, tiles.cuts) == (length, (0,), (0, size))


def test_tiles_are_as_short_as_their_number_allows() -> None:
    """Of 64 px, two cover 112 px and three 160 px; the axes are 80 and 128 px long."""
    tiles = tiles_along(75, 64, 16)
    assert (tiles.length, tiles.starts, tiles.cuts) == (48, (0, 32), (0, 40, 75))
    tiles = tiles_along(128, 64, 16)
    assert (tiles.length, tiles.starts, tiles.cuts) == (64, (0, 32, 64), (0, 48, 80, 128))


def test_tiles_of_fixed_length_overlap_more_instead() -> None:
    tiles = tiles_along(75, 64, 16, fixed=True)
    assert (tiles.length, tiles.starts, tiles.cuts) == (64, (0, 16), (0, 40, 75))
    assert tiles_along(50, 64, 16, fixed=True) == tiles_along(50, 64, 16)


@pytest.mark.parametrize("fixed", [False, True])
@pytest.mark.parametrize("overlap", [0, 16, 32])
@pytest.mark.parametrize("size", [10, 64, 65, 81, 100, 112, 113, 160, 161, 1000, 9095])
def test_each_pixel_is_predicted_once_and_away_from_the_ends_of_its_tile(
    size: int, overlap: int, fixed: bool
) -> None:
    tiles = tiles_along(size, 64, overlap, fixed)
    assert (tiles.cuts[0], tiles.cuts[-1]) == (0, size)
    assert len(tiles.cuts) == len(tiles.starts) + 1
    assert all(start % 16 == 0 for start in (*tiles.starts, tiles.length))
    assert size <= tiles.starts[-1] + tiles.length < size + 16
    for (start, after), cut in zip(pairwise(tiles.starts), tiles.cuts[1:-1], strict=True):
        assert cut - after >= overlap // 2
        assert start + tiles.length - cut >= overlap // 2
    assert all(first < last for first, last in pairwise(tiles.cuts))


def test_a_network_sees_a_fifth_more_pixels_than_an_orthophoto_of_landcover_ai_has() -> None:
    sides = [tiles_along(side, 768, 64) for side in (9095, 9636)]
    asked = [len(tiles.starts) * tiles.length for tiles in sides]
    assert [(len(tiles.starts), tiles.length) for tiles in sides] == [(13, 768), (14, 752)]
    assert asked[0] * asked[1] / (9095 * 9636) == pytest.approx(1.1994, abs=1e-4)


@pytest.mark.parametrize(
    ("tile", "overlap", "batch_size", "message"),
    [
        (60, 16, 1, "tile 60 and overlap 16 px must be multiples of 16"),
        (64, 10, 1, "tile 64 and overlap 10 px must be multiples of 16"),
        (64, 48, 1, "overlap 48 px must be within 0 and half of the tile, 64 px"),
        (64, -16, 1, "overlap -16 px must be within 0 and half"),
        (0, 0, 1, "tile 0 px must be at least 16"),
        (-16, 0, 1, "tile -16 px must be at least 16"),
        (64, 16, 0, "batch_size must be at least 1, got 0"),
    ],
)
def test_what_does_not_tile_is_refused(
    tile: int, overlap: int, batch_size: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Stitching(tile=tile, overlap=overlap, batch_size=batch_size)


@pytest.mark.parametrize(
    ("size", "tile", "overlap"), [(384, 768, 48), (100, 224, 16), (32, 64, 16)]
)
def test_the_tiles_suit_the_patches(size: int, tile: int, overlap: int) -> None:
    chosen = Stitching.for_patches(size, None, None, 4)
    assert (chosen.tile, chosen.overlap, chosen.batch_size) == (tile, overlap, 4)
    assert Stitching.for_patches(size, 512, 64, 4).tile == 512
