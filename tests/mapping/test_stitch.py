"""A whole orthophoto from tiles: what must not show."""

import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch
from numpy.typing import NDArray
from rasterio.windows import Window
from torch import Tensor

from mapping_models import PLAIN, Brightness, network_model
from partialseg.mapping import stitch
from partialseg.mapping.model import Model
from partialseg.mapping.orthophoto import Orthophoto, Reading, open_orthophoto
from partialseg.mapping.stitch import (
    Block,
    first_pixel,
    pieces,
    place_in_grid,
    predict_blocks,
    resampled,
)
from partialseg.mapping.tiles import Stitching
from rasters import write_raster

SMALL = Stitching(tile=64, overlap=16, batch_size=3)


def noise(height: int, width: int, seed: int = 3) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (3, height, width), np.uint8)


def blocks_of(
    model: Model,
    image: Path,
    reading: Reading = PLAIN,
    stitching: Stitching = SMALL,
    on_share: Callable[[float], object] = lambda _: None,
) -> list[Block]:
    with open_orthophoto(image, model.info.ground_sampling_distances, reading) as orthophoto:
        return list(predict_blocks(model, orthophoto, stitching, on_share))


def whole(blocks: list[Block], height: int, width: int) -> Tensor:
    """Put blocks together; every pixel must be there once."""
    times = torch.zeros(height, width, dtype=torch.int64)
    result = torch.zeros(len(blocks[0].probabilities), height, width)
    for block in blocks:
        rows, columns = block.window.toslices()
        times[rows, columns] += 1
        result[:, rows, columns] = torch.from_numpy(block.probabilities)
    assert torch.equal(times, torch.ones_like(times))
    return result


@pytest.mark.parametrize(("height", "width"), [(16, 16), (50, 200), (64, 64), (131, 77), (700, 90)])
def test_a_model_of_single_pixels_gives_what_it_gives_at_once(
    tmp_path: Path, height: int, width: int
) -> None:
    bands = noise(height, width)
    image = write_raster(tmp_path / "a.tif", bands)
    expected = Brightness().probabilities(torch.from_numpy(bands)[None])[0]
    assert torch.allclose(whole(blocks_of(Brightness(), image), height, width), expected, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("columns", "gsd", "tolerance", "strips"),
    [  # 27 tiles of 64 px, of which 8 or 16 make a strip; 17 of 102.3 px, of which 5 or 10 do
        (512, None, 1e-6, 4),
        (1024, None, 1e-6, 2),
        (512, 0.4, 0.01, 4),
        (1024, 0.4, 0.01, 2),
    ],
)
def test_strips_change_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    columns: int,
    gsd: float | None,
    tolerance: float,
    strips: int,
) -> None:
    """Where images are resampled, GDAL may round a half otherwise in another window."""
    image = write_raster(tmp_path / "a.tif", noise(150, 1300))
    model = network_model(gsd)
    at_once = whole(blocks_of(model, image), 150, 1300)
    monkeypatch.setattr(stitch, "COLUMNS", columns)
    blocks = blocks_of(model, image)
    tops = [block.window.row_off for block in blocks]
    assert 1 + sum(after < before for before, after in pairwise(tops)) == strips
    assert torch.allclose(whole(blocks, 150, 1300), at_once, atol=tolerance)


def test_a_tile_that_holds_all_gives_what_the_network_gives(tmp_path: Path) -> None:
    bands = noise(60, 100)
    image = write_raster(tmp_path / "a.tif", bands)
    model = network_model()
    expected = model.probabilities(torch.from_numpy(bands)[None])[0]
    stitching = Stitching(tile=128, overlap=32, batch_size=1)
    assert torch.allclose(whole(blocks_of(model, image, PLAIN, stitching), 60, 100), expected)


def test_the_batch_size_changes_nothing(tmp_path: Path) -> None:
    image = write_raster(tmp_path / "a.tif", noise(100, 300))
    model = network_model()
    results = [
        whole(
            blocks_of(model, image, PLAIN, Stitching(tile=64, overlap=16, batch_size=n)), 100, 300
        )
        for n in (1, 4, 100)
    ]
    assert torch.allclose(results[0], results[1], atol=1e-5)
    assert torch.allclose(results[0], results[2], atol=1e-5)


def test_the_shares_of_the_work_sum_to_one(tmp_path: Path) -> None:
    image = write_raster(tmp_path / "a.tif", noise(100, 300))
    shares: list[float] = []
    blocks_of(Brightness(), image, on_share=shares.append)
    assert len(shares) > 3
    assert sum(shares) == pytest.approx(1)


@pytest.mark.parametrize("gsd", [1 / 3, 0.125])
def test_coarse_images_stay_in_place_and_in_bounds(tmp_path: Path, gsd: float) -> None:
    """A pixel of the file lies three and eight pixels of the network's grid from the next."""
    ramp = np.broadcast_to(np.arange(1100)[:, None] // 5, (3, 1100, 20)).astype(np.uint8)
    image = write_raster(tmp_path / "a.tif", ramp)
    reading = Reading(bands=(1, 2, 3), stretch=None, gsd=1.0, resample=True)
    blocks = blocks_of(Brightness(gsd), image, reading)
    assert max(block.window.height for block in blocks) <= 64 * gsd + 1
    bright = whole(blocks, 1100, 20)[1] * 255
    expected = torch.from_numpy(ramp[0].astype(np.float32))
    # Interpolation rounds steps off by up to a grey level; a shift of a row would be seen too.
    assert (bright - expected).abs().max() < 1
    assert (bright - expected).abs().mean() < 0.1


@pytest.mark.slow
def test_nothing_is_read_after_the_image_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model that fails leaves while the next rows are being read, here slowly."""
    image = write_raster(tmp_path / "a.tif", noise(700, 64))
    read_as_it_is, closed = Orthophoto.read, []

    def read(self: Orthophoto, rows: slice, columns: slice) -> NDArray[np.uint8]:
        time.sleep(0.2)
        closed.append(self._raster.closed)
        return read_as_it_is(self, rows, columns)

    def fail(_: Tensor) -> Tensor:
        raise ValueError("out of memory")

    monkeypatch.setattr(stitch, "has_room", lambda _: True)
    monkeypatch.setattr(Orthophoto, "read", read)
    model = Brightness()
    monkeypatch.setattr(model, "probabilities", fail)
    with pytest.raises(ValueError, match="out of memory"):
        blocks_of(model, image)
    time.sleep(0.5)
    assert len(closed) >= 2 and not any(closed)


def test_tiles_without_data_are_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 3 x 3 tiles, the one in the middle has a pixel with data in the part that it predicts."""
    bands = np.zeros((3, 160, 160), np.uint8)
    bands[:, 100, 60] = 9  # the cuts are at 56 and 104 px
    image = write_raster(tmp_path / "a.tif", bands)
    with rasterio.open(image, "r+") as raster:
        raster.nodata = 0
    model, shares = Brightness(), list[float]()
    asked: list[Tensor] = []
    answer = model.probabilities
    monkeypatch.setattr(model, "probabilities", lambda tiles: asked.append(tiles) or answer(tiles))
    (block,) = blocks_of(model, image, on_share=shares.append)
    assert [tiles.shape for tiles in asked] == [(1, 3, 64, 64)]
    assert asked[0][0, :, 52, 12].tolist() == [9, 9, 9]  # the tile begins at 48 px
    assert block.window == Window(56, 56, 48, 48)
    assert block.valid is not None and block.valid.sum() == 1
    assert sum(shares) == pytest.approx(1)


def test_pixels_without_data_are_told(tmp_path: Path) -> None:
    bands = np.maximum(noise(20, 40), 1)
    bands[:, :, 30:] = 0
    image = write_raster(tmp_path / "a.tif", bands)
    with rasterio.open(image, "r+") as raster:
        raster.nodata = 0
    (block,) = blocks_of(Brightness(), image)
    assert block.valid is not None
    assert block.valid[:, :30].all() and not block.valid[:, 30:].any()
    assert blocks_of(Brightness(), write_raster(tmp_path / "b.tif", bands))[0].valid is None


def test_a_pixel_of_the_file_belongs_to_the_tile_in_which_its_centre_lies() -> None:
    """Three pixels of the file in two of the grid: centres at -1/6, 1/2 and 7/6."""
    places = [place_in_grid(pixel, 1.5) for pixel in range(3)]
    assert places == pytest.approx([-1 / 6, 1 / 2, 7 / 6])
    # A cut before pixel n of the grid is at n - 1/2; the centre at 1/2 lies on that of 1.
    assert [first_pixel(cut, 1.5, 3) for cut in (0, 1, 2, 3)] == [0, 1, 3, 3]
    assert [first_pixel(cut, 1.0, 9) for cut in (0, 4, 9)] == [0, 4, 9]
    assert [first_pixel(cut, 0.25, 2) for cut in (0, 2, 3, 6, 7, 8)] == [0, 0, 1, 1, 2, 2]


def test_large_windows_come_in_pieces() -> None:
    assert pieces(3, 3) == []
    assert pieces(5, 1029) == [(5, 1029)]
    assert pieces(5, 1030) == [(5, 1029), (1029, 1030)]


def test_pieces_of_a_fine_image_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Eight pixels of the file in one of the grid: a tile of 16 px predicts 128 of the file."""
    image = write_raster(tmp_path / "a.tif", noise(256, 200))
    stitching = Stitching(tile=16, overlap=0, batch_size=4)
    at_once = blocks_of(Brightness(gsd=2.0), image, PLAIN, stitching)
    assert max(block.window.height for block in at_once) == 128
    monkeypatch.setattr(stitch, "BLOCK", 40)
    pieces = blocks_of(Brightness(gsd=2.0), image, PLAIN, stitching)
    assert max(max(block.window.height, block.window.width) for block in pieces) == 40
    assert torch.allclose(whole(pieces, 256, 200), whole(at_once, 256, 200), atol=1e-6)


def test_maps_are_interpolated_between_the_centres_of_their_pixels() -> None:
    """At the ends, beyond the outermost centres, they stay what they are there."""
    maps = np.array([[[0.0, 1.0]], [[1.0, 0.5]]], np.float32)
    done = resampled(maps, Window(0, 0, 3, 1), (1.0, 1.5), (0, 0))
    assert done[:, 0].tolist() == [pytest.approx([0, 0.5, 1]), pytest.approx([1, 0.75, 0.5])]
    part = resampled(maps[:, :, 1:], Window(2, 0, 1, 1), (1.0, 1.5), (0, 1))
    assert part[:, 0].tolist() == [[1], [0.5]]


def test_a_ramp_stays_a_ramp_at_another_resolution(tmp_path: Path) -> None:
    """Shrunk to half and enlarged again, a linear image is what it was but for its ends."""
    ramp = np.broadcast_to(np.arange(100, dtype=np.uint8) * 2, (3, 60, 100)).copy()
    image = write_raster(tmp_path / "a.tif", ramp)
    model = Brightness(gsd=0.5)
    (block,) = blocks_of(model, image)
    bright = torch.from_numpy(block.probabilities[1])
    expected = torch.arange(100) * 2 / 255
    assert torch.allclose(bright[:, 1:-1], expected[1:-1].expand(60, 98), atol=3e-3)


def difference_by_shift(folder: Path, shift: int, overlap: int) -> float:
    """Return the mean difference between an image and a part of it, away from the cut."""
    bands = noise(512, 560) // 2 + noise(32, 35, seed=8).repeat(16, axis=1).repeat(16, axis=2) // 2
    stitching = Stitching(tile=192, overlap=overlap, batch_size=4)
    model = network_model()
    image = write_raster(folder / "a.tif", bands)
    part = write_raster(folder / "b.tif", bands[:, shift:, shift:])
    of_image = whole(blocks_of(model, image, PLAIN, stitching), 512, 560)
    of_part = whole(blocks_of(model, part, PLAIN, stitching), 512 - shift, 560 - shift)
    inner = slice(128, None)
    return float((of_image[:, shift:, shift:] - of_part)[:, inner, inner].abs().mean())


@pytest.mark.slow
def test_the_result_does_not_depend_on_where_the_grid_starts(tmp_path: Path) -> None:
    """Within a tolerance: what a tile sees ends somewhere. Without overlap it shows."""
    for shift, tolerance in ((48, 3e-4), (37, 0.015)):  # 37 moves the windows of the poolings too
        blended = difference_by_shift(tmp_path, shift, overlap=96)
        assert blended < tolerance
    assert difference_by_shift(tmp_path, 48, overlap=0) > 5 * difference_by_shift(tmp_path, 48, 96)


@pytest.mark.slow
def test_classes_are_kept_when_the_grid_of_tiles_moves(tmp_path: Path) -> None:
    """By the default stitching, on patches of 192 px; without overlap more of them change."""
    bands = noise(800, 800) // 2 + noise(50, 50, seed=8).repeat(16, axis=1).repeat(16, axis=2) // 2
    model = network_model()
    image = write_raster(tmp_path / "a.tif", bands)
    part = write_raster(tmp_path / "b.tif", bands[:, 112:, 112:])
    kept = []
    for overlap in (None, 0):
        stitching = Stitching.for_patches(192, None, overlap, 1)
        of_image = whole(blocks_of(model, image, PLAIN, stitching), 800, 800).argmax(dim=0)
        of_part = whole(blocks_of(model, part, PLAIN, stitching), 688, 688).argmax(dim=0)
        inner = slice(64, None)  # what lies there sees the cut
        same = of_image[112:, 112:][inner, inner] == of_part[inner, inner]
        kept.append(float(same.float().mean()))
    assert kept[0] >= 0.996
    assert kept[1] < kept[0]
