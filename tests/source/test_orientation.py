"""Files that are to be shown turned: every orientation in every format that states one."""

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image

from partialseg.mapping.orthophoto import Reading, open_orthophoto
from partialseg.source.index import write_index
from partialseg.source.orientation import orientation_of
from partialseg.source.raster import read_header
from rasters import LEGEND, write_raster

SUFFIXES = (".jpg", ".png", ".webp", ".tif")


def write_picture(file: Path, orientation: int | None, bands: int = 3) -> Path:
    """Write a picture of 40 x 30 px with an EXIF tag, in a TIFF the tag of its own."""
    exif = Image.Exif()
    if orientation is not None:
        exif[0x0112] = orientation
    exif[0x010F] = "a camera"  # another tag before it
    shape = (30, 40, 3) if bands == 3 else (30, 40)
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros(shape, np.uint8)).save(file, exif=exif)
    return file


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_each_orientation_of_each_format_is_found(
    tmp_path: Path, suffix: str, orientation: int
) -> None:
    file = write_picture(tmp_path / f"a{suffix}", orientation)
    assert orientation_of(file) == orientation
    if orientation == 1:
        assert read_header(file).width == 40
        return
    message = rf"a{suffix}: its EXIF or TIFF orientation is {orientation}: image viewers turn it"
    with pytest.raises(ValueError, match=message):
        read_header(file)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("orientation", [None, 0, 9])
def test_no_orientation_is_upright(tmp_path: Path, suffix: str, orientation: int | None) -> None:
    assert orientation_of(write_picture(tmp_path / f"a{suffix}", orientation)) == 1


def test_files_without_exif_are_upright(tmp_path: Path) -> None:
    for suffix in (".jpg", ".png", ".tif"):
        assert orientation_of(write_raster(tmp_path / f"a{suffix}", np.zeros((3, 9, 9), np.uint8)))
    (tmp_path / "a.txt").write_text("no picture")
    assert orientation_of(tmp_path / "a.txt") == 1


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("big", [False, True])
def test_tiffs_of_either_byte_order_and_size(tmp_path: Path, order: str, big: bool) -> None:
    """The tag after another one, as the TIFF and BigTIFF specifications lay them out."""
    start = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}H", 43 if big else 42)
    count, number = ("Q", "Q") if big else ("H", "L")
    start += struct.pack(f"{order}HHQ", 8, 0, 16) if big else struct.pack(f"{order}L", 8)
    entries = struct.pack(order + count, 2)
    for tag, value in ((0x0100, 40), (0x0112, 8)):
        field = struct.pack(f"{order}H", value).ljust(8 if big else 4, b"\0")
        entries += struct.pack(f"{order}HH{number}", tag, 3, 1) + field
    file = tmp_path / "a.tif"
    file.write_bytes(start + entries)
    assert orientation_of(file) == 8
    file.write_bytes((start + entries)[:-30])  # broken off: GDAL says so when it opens the file
    assert orientation_of(file) == 1


def test_exif_behind_the_pixels_of_a_png_is_found(tmp_path: Path) -> None:
    file = write_picture(tmp_path / "a.png", 6)
    data = file.read_bytes()
    start = data.index(b"eXIf") - 4
    length = struct.unpack(">L", data[start : start + 4])[0] + 12
    chunk, end = data[start : start + length], data.index(b"IEND") - 4
    file.write_bytes(data[:start] + data[start + length : end] + chunk + data[end:])
    assert orientation_of(file) == 6


def test_a_large_picture_is_not_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow refuses to open pictures of more pixels than that, in case they are an attack."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    for suffix in SUFFIXES:
        assert orientation_of(write_picture(tmp_path / f"a{suffix}", 6)) == 6


@pytest.mark.parametrize("turned", ["images/a.jpg", "masks/a.png"])
def test_a_turned_image_or_mask_is_not_indexed(tmp_path: Path, turned: str) -> None:
    write_picture(tmp_path / "images/a.jpg", 1)
    write_picture(tmp_path / "masks/a.png", 1, bands=1)
    write_picture(tmp_path / turned, 6, bands=3 if turned.endswith("jpg") else 1)
    with pytest.raises(ValueError, match=rf"{turned}: its EXIF or TIFF orientation is 6"):
        write_index(tmp_path, tmp_path / "images", tmp_path / "masks", LEGEND)
    assert not (tmp_path / "index.json").exists()


def vrt_of(file: Path) -> Path:
    bands = "".join(
        f'<VRTRasterBand dataType="Byte" band="{band}"><SimpleSource>'
        f'<SourceFilename relativeToVRT="1">{file.name}</SourceFilename>'
        f"<SourceBand>{band}</SourceBand></SimpleSource></VRTRasterBand>"
        for band in (1, 2, 3)
    )
    vrt = file.with_suffix(".vrt")
    vrt.write_text(f'<VRTDataset rasterXSize="40" rasterYSize="30">{bands}</VRTDataset>')
    return vrt


@pytest.mark.parametrize("taken", [lambda file: file, vrt_of])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_turned_image_is_not_predicted(
    tmp_path: Path, suffix: str, taken: Callable[[Path], Path]
) -> None:
    image = taken(write_picture(tmp_path / f"a{suffix}", 3))
    reading = Reading(bands=None, stretch=None, gsd=None, resample=True)
    with (
        pytest.raises(ValueError, match=rf"a{suffix}: its EXIF or TIFF orientation is 3"),
        open_orthophoto(image, [], reading),
    ):
        pass


def test_gdal_turns_nothing(tmp_path: Path) -> None:
    """Should it do so one day, its pixels are not those that are stored."""
    for suffix in (".jpg", ".png", ".tif"):
        with rasterio.open(write_picture(tmp_path / f"a{suffix}", 6)) as raster:
            assert raster.shape == (30, 40)
