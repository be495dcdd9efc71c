"""Bands that are marked as alpha, and whether they are one."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from rasterio.enums import ColorInterp
from rasterio.windows import Window

from partialseg.source.alpha import alpha_of
from partialseg.source.index import index_files, read_index
from partialseg.source.pairing import files_in_folders
from partialseg.source.raster import open_raster
from partialseg.source.reading import Reading
from rasters import LEGEND, write_raster

SIZE = 40
ALL = Window(0, 0, SIZE, SIZE)


def measured() -> NDArray[np.uint8]:
    """Return (SIZE, SIZE) as an infrared band may be, 0 in its first ten rows."""
    band = np.tile(np.arange(SIZE, dtype=np.uint8) * 6, (SIZE, 1))
    band[:10] = 0
    return band


def soft() -> NDArray[np.uint8]:
    """Return (SIZE, SIZE) as an alpha band may be: transparent, a soft edge, opaque."""
    band = np.full((SIZE, SIZE), 255, np.uint8)
    band[:10] = 0
    band[10] = np.linspace(1, 254, SIZE).astype(np.uint8)  # 1/40 of the pixels
    return band


def index(folder: Path, fourth: NDArray[np.uint8], reading: Reading) -> None:
    colours = np.stack([np.full((SIZE, SIZE), value, np.uint8) for value in (50, 60, 70)])
    write_raster(folder / "images/a.tif", np.concatenate([colours, fourth[None]]))
    write_raster(folder / "masks/a.tif", np.zeros((1, SIZE, SIZE), np.uint8))
    files = files_in_folders(folder / "images", folder / "masks", None)
    index_files(folder, files, LEGEND, reading)


def test_an_alpha_band_of_many_values_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for reading in (Reading(), Reading(bands=(1, 2, 3))):
        index(tmp_path, measured(), reading)
        (line,) = capsys.readouterr().out.splitlines()
        assert line.startswith(f"{tmp_path}/images/a.tif: band 4 is marked as alpha, but has many ")
        assert "rio edit-info --colorinterp red,green,blue,undefined" in line
    for alpha in (soft(), np.where(soft() < 128, 0, 255).astype(np.uint8)):
        index(tmp_path, alpha, Reading())
        assert capsys.readouterr().out == ""


def test_a_band_that_is_named_is_no_alpha(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    index(tmp_path, measured(), Reading(bands=(4, 1, 2)))
    assert capsys.readouterr().out == ""
    with open_raster(tmp_path / "images/a.tif") as raster:
        pixels, data = read_index(tmp_path).reading.read(raster, ALL)
        assert data is not None
        assert data.all()
        assert np.array_equal(pixels[..., 0], measured())
        # Where it is not named, its zeros hide pixels.
        hidden = Reading(bands=(1, 2, 3)).read(raster, ALL)[1]
        assert hidden is not None
        assert np.array_equal(~hidden, measured() == 0)


def test_a_named_band_with_the_values_of_alpha_is_refused(tmp_path: Path) -> None:
    for alpha in (np.full((SIZE, SIZE), 255, np.uint8), np.where(soft() < 128, 0, 255)):
        with pytest.raises(ValueError, match=r"a\.tif: band 4 was named as a colour, but is m"):
            index(tmp_path, alpha.astype(np.uint8), Reading(bands=(4, 1, 2)))
        assert not (tmp_path / "index.json").exists()


@pytest.mark.parametrize("value", [0, 3])
def test_a_named_band_of_one_value_below_opaque_is_a_colour(tmp_path: Path, value: int) -> None:
    index(tmp_path, np.full((SIZE, SIZE), value, np.uint8), Reading(bands=(4, 1, 2)))
    assert (tmp_path / "index.json").exists()


def test_large_rasters_are_looked_at_in_parts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """9 windows of 128 px: all of the last rows, none of the 100 px between them."""
    side = 3 * 128 + 200
    image = np.full((4, side, side), 255, np.uint8)
    image[3, 128:228] = np.arange(side) % 256
    for path, lines in (("between", 0), ("seen", 1)):
        if path == "seen":
            image[3, -128:] = np.arange(side) % 256
        write_raster(tmp_path / path / "images/a.tif", image)
        write_raster(tmp_path / path / "masks/a.tif", np.zeros((1, side, side), np.uint8))
        files = files_in_folders(tmp_path / path / "images", tmp_path / path / "masks", None)
        index_files(tmp_path / path, files, LEGEND, Reading())
        assert len(capsys.readouterr().out.splitlines()) == lines


def test_a_band_that_is_read_as_a_colour_is_not_the_alpha_band() -> None:
    kinds = [ColorInterp.red, ColorInterp.alpha, ColorInterp.green, ColorInterp.alpha]
    assert [alpha_of(kinds, bands) for bands in ((), (2, 1), (2, 4))] == [2, 4, None]
    assert alpha_of([ColorInterp.gray]) is None
