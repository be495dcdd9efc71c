from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.windows import Window

from partialseg.source.raster import open_raster, read_colours, read_header, read_rgb
from rasters import write_raster


def test_header_of_a_georeferenced_tiff(tmp_path: Path) -> None:
    file = write_raster(tmp_path / "a.tif", np.zeros((3, 20, 30), np.uint8))
    header = read_header(file)
    assert (header.width, header.height, header.bands, header.dtypes) == (30, 20, 3, ("uint8",) * 3)
    assert header.crs == "EPSG:2180"
    assert header.transform == (0.25, 0.0, 500_000.0, 0.0, -0.25, 600_000.0)


def test_header_without_georeference(tmp_path: Path) -> None:
    header = read_header(write_raster(tmp_path / "a.png", np.zeros((1, 4, 5), np.uint8), crs=None))
    assert (header.crs, header.transform) == ("", (1.0, 0.0, 0.0, 0.0, 1.0, 0.0))


def test_a_window_of_four_bands_gives_the_first_three(tmp_path: Path) -> None:
    bands = np.arange(4 * 6 * 5, dtype=np.uint8).reshape(4, 6, 5)
    with open_raster(write_raster(tmp_path / "a.tif", bands)) as raster:
        window = read_rgb(raster, Window(1, 2, 3, 4))
    np.testing.assert_array_equal(window, bands[:3, 2:6, 1:4].transpose(1, 2, 0))
    assert window.flags.c_contiguous


def test_colours_of_palette_grey_and_rgba(tmp_path: Path) -> None:
    ids = np.array([[[0, 1], [7, 1]]], np.uint8)
    palette = write_raster(tmp_path / "p.png", ids, crs=None)
    with rasterio.open(palette, "r+") as raster:
        raster.write_colormap(1, {0: (1, 2, 3, 255), 1: (4, 5, 6, 255), 7: (9, 8, 7, 255)})
    with open_raster(palette) as raster:
        colours = read_colours(raster, Window(0, 0, 2, 2))
    assert colours.transpose(1, 2, 0).tolist() == [[[1, 2, 3], [4, 5, 6]], [[9, 8, 7], [4, 5, 6]]]
    with open_raster(write_raster(tmp_path / "g.png", ids, crs=None)) as raster:
        assert read_colours(raster, Window(0, 0, 2, 2))[:, 1, 0].tolist() == [7, 7, 7]
    rgba = np.stack([ids[0], ids[0] + 1, ids[0] + 2, np.full((2, 2), 255, np.uint8)])
    with open_raster(write_raster(tmp_path / "c.png", rgba, crs=None)) as raster:
        assert read_colours(raster, Window(0, 0, 2, 2))[:, 1, 0].tolist() == [7, 8, 9]


def test_what_is_no_raster_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_text("not a raster")
    with pytest.raises(ValueError, match=r"a\.tif: cannot be read as a raster: .*not recognized"):
        read_header(tmp_path / "a.tif")
    with pytest.raises(ValueError, match=r"b\.tif: cannot be read as a raster: .*No such file"):
        read_header(tmp_path / "b.tif")


def test_a_truncated_file_is_named_when_it_breaks(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (3, 200, 200), np.uint8)
    file = write_raster(tmp_path / "a.tif", noise)
    file.write_bytes(file.read_bytes()[:60_000])
    with (
        pytest.raises(ValueError, match=r"a\.tif: cannot be read as a raster"),
        open_raster(file) as raster,
    ):
        read_rgb(raster, Window(0, 100, 200, 100))
