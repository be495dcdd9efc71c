import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.windows import Window

from partialseg.mapping.cog import Layout, new_cog
from partialseg.mapping.frame import Frame, frame_of
from rasters import limited_files

LAYOUT = Layout(
    band_names=("class",), nodata=255, overviews=Resampling.nearest, tags={"MODEL": "unet é"}
)
QUANTITY = replace(LAYOUT, band_names=("a", "b"), scale=0.004, unit="probability")
NORTH_UP = Affine(0.25, 0, 500_000, 0, -0.25, 600_000)
ROTATED = Affine(0.2, 0.15, 500_000, 0.15, -0.2, 600_000)


def frame(width: int, height: int, transform: Affine = NORTH_UP) -> Frame:
    return Frame(width=width, height=height, crs=CRS.from_epsg(2180), transform=transform)


def noise(*shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 250, shape, dtype=np.uint8)


def write(file: Path, place: Frame, layout: Layout, pixels: NDArray[np.uint8]) -> None:
    """Write in windows that are no tiles, the last ones first."""
    with new_cog(file, place, layout) as writer:
        for top in reversed(range(0, place.height, 300)):
            for left in range(0, place.width, 700):
                part = pixels[:, top : top + 300, left : left + 700]
                writer.write(part, Window(left, top, part.shape[2], part.shape[1]))


def test_a_raster_is_tiled_with_overviews_and_holds_every_pixel(tmp_path: Path) -> None:
    pixels = noise(2, 1100, 1300)
    write(tmp_path / "a.tif", frame(1300, 1100), QUANTITY, pixels)
    with rasterio.open(tmp_path / "a.tif") as raster:
        assert raster.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert raster.tags(ns="IMAGE_STRUCTURE")["COMPRESSION"] == "DEFLATE"
        assert raster.block_shapes == [(512, 512), (512, 512)]
        assert raster.overviews(1) == raster.overviews(2) == [2, 4]
        np.testing.assert_array_equal(raster.read(), pixels)
    assert [path.name for path in tmp_path.iterdir()] == ["a.tif"]


def test_a_raster_says_what_it_holds(tmp_path: Path) -> None:
    write(tmp_path / "a.tif", frame(20, 10), QUANTITY, noise(2, 10, 20))
    with rasterio.open(tmp_path / "a.tif") as raster:
        assert raster.descriptions == ("a", "b")
        assert raster.scales == (0.004, 0.004)
        assert raster.units == ("probability", "probability")
        assert raster.nodatavals == (255, 255)
        assert raster.tags()["MODEL"] == "unet é"


@pytest.mark.parametrize("transform", [NORTH_UP, ROTATED])
def test_a_raster_lies_where_the_image_lies(tmp_path: Path, transform: Affine) -> None:
    place = frame(600, 20, transform)
    write(tmp_path / "a.tif", place, LAYOUT, noise(1, 20, 600))
    with rasterio.open(tmp_path / "a.tif") as raster:
        assert frame_of(raster) == place


def test_an_image_without_georeference_gives_a_raster_without_one(tmp_path: Path) -> None:
    place = Frame(width=600, height=20, crs=None, transform=Affine.identity())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write(tmp_path / "a.tif", place, LAYOUT, noise(1, 20, 600))
    with (
        pytest.warns(rasterio.errors.NotGeoreferencedWarning),
        rasterio.open(tmp_path / "a.tif") as raster,
    ):
        assert raster.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert frame_of(raster) == place


def test_what_no_window_covers_is_nodata(tmp_path: Path) -> None:
    with new_cog(tmp_path / "a.tif", frame(700, 2), LAYOUT) as writer:
        writer.write(np.ones((1, 1, 3), np.uint8), Window(5, 0, 3, 1))
    expected = np.full((1, 2, 700), 255)
    expected[0, 0, 5:8] = 1
    with rasterio.open(tmp_path / "a.tif") as raster:
        np.testing.assert_array_equal(raster.read(), expected)


@pytest.mark.parametrize("nearest, value", [(True, 1), (False, 3)])
def test_overviews_are_made_as_the_layout_says(tmp_path: Path, nearest: bool, value: int) -> None:
    pixels = np.full((1, 1024, 1024), 3, np.uint8)
    pixels[:, ::2, ::2] = 1
    layout = replace(LAYOUT, overviews=Resampling.nearest if nearest else Resampling.mode)
    write(tmp_path / "a.tif", frame(1024, 1024), layout, pixels)
    with rasterio.open(tmp_path / "a.tif", overview_level=0) as raster:
        assert (raster.read() == value).all()


@pytest.mark.parametrize("stop", [ValueError, KeyboardInterrupt, SystemExit])
def test_after_an_exception_the_folder_is_as_it_was(
    tmp_path: Path, stop: type[BaseException]
) -> None:
    file = tmp_path / "a.tif"
    with pytest.raises(stop), new_cog(file, frame(9, 9), LAYOUT) as writer:
        writer.write(noise(1, 9, 9), Window(0, 0, 9, 9))
        raise stop
    assert list(tmp_path.iterdir()) == []
    file.write_text("earlier")
    with pytest.raises(stop), new_cog(file, frame(9, 9), LAYOUT):
        raise stop
    assert file.read_text() == "earlier"
    assert list(tmp_path.iterdir()) == [file]


def test_the_file_appears_at_the_end_and_leftovers_of_a_killed_run_go(tmp_path: Path) -> None:
    (tmp_path / ".a.tif.part").mkdir()
    (tmp_path / ".a.tif.part" / "raw").write_text("half")
    with new_cog(tmp_path / "a.tif", frame(9, 9), LAYOUT) as writer:
        writer.write(noise(1, 9, 9), Window(0, 0, 9, 9))
        assert not (tmp_path / "a.tif").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["a.tif"]


def test_statistics_of_an_earlier_file_are_removed(tmp_path: Path) -> None:
    (tmp_path / "a.tif.aux.xml").write_text("<PAMDataset/>")
    write(tmp_path / "a.tif", frame(9, 9), LAYOUT, noise(1, 9, 9))
    assert [path.name for path in tmp_path.iterdir()] == ["a.tif"]


# Noise cannot be compressed: the raw file takes 1.2 MB and the COG with its overviews 1.6 MB. So
# the limits hit the writing, the conversion, and its very end, where GDAL is silent.
@pytest.mark.parametrize("limit", [400_000, 1_300_000, 1_590_000])
def test_a_full_disk_is_told_with_the_name(tmp_path: Path, limit: int) -> None:
    pixels = noise(1, 1100, 1100)
    with (
        pytest.raises(OSError, match=r"a\.tif: cannot be written"),
        limited_files(limit),
        new_cog(tmp_path / "a.tif", frame(1100, 1100), LAYOUT) as writer,
    ):
        writer.write(pixels, Window(0, 0, 1100, 1100))
    assert list(tmp_path.iterdir()) == []
