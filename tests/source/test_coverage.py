"""Where a raster holds data, whatever says so."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from rasterio.enums import ColorInterp
from rasterio.windows import Window

from partialseg.source.coverage import EIGHT_BIT, covered, may_have_holes
from partialseg.source.raster import open_raster, read_bands
from rasters import write_raster

RGB = (1, 2, 3)
HOLE = np.array([[True, True, False, False], [False, False, False, True]])


def image(dtype: str = "uint8", hole: float = 0) -> NDArray[Any]:
    """Return (3, 2, 4) of 50, `hole` where there is none."""
    return np.where(HOLE, np.array(hole, dtype), np.array(50, dtype)) * np.ones((3, 1, 1), dtype)


def look(file: Path, span: tuple[float, float] = EIGHT_BIT) -> list[list[bool]]:
    with open_raster(file) as raster:
        assert may_have_holes(raster, RGB)
        window = Window(0, 0, raster.width, raster.height)
        pixels = read_bands(raster, RGB, window)
        nodata = [raster.nodatavals[band - 1] for band in RGB]
        found: list[list[bool]] = covered(raster, RGB, pixels, window, span, nodata).tolist()
        return found


def set_tags(file: Path, **tags: Any) -> Path:
    with rasterio.open(file, "r+") as raster:
        for name, value in tags.items():
            setattr(raster, name, value)
    return file


def test_an_image_without_any_sign_has_data_everywhere(tmp_path: Path) -> None:
    for dtype in ("uint8", "uint16", "int16"):
        with open_raster(write_raster(tmp_path / f"{dtype}.tif", image(dtype))) as raster:
            assert not may_have_holes(raster, RGB)


@pytest.mark.parametrize("suffix", [".tif", ".png"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_alpha_of_0_is_no_image_and_a_part_of_it_is_one(
    tmp_path: Path, dtype: str, suffix: str
) -> None:
    alpha = np.where(HOLE, 0, 1).astype(dtype)
    alpha[0, 2] = 128
    bands = np.concatenate([image(dtype, hole=7), alpha[None]])
    file = write_raster(tmp_path / f"a{suffix}", bands)
    if suffix == ".tif":
        kinds = [ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha]
        set_tags(file, colorinterp=kinds)
    assert look(file) == (~HOLE).tolist()


@pytest.mark.parametrize("internal", [True, False])
def test_a_mask_in_the_file_or_beside_it_counts(tmp_path: Path, internal: bool) -> None:
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=internal):
        file = write_raster(tmp_path / "a.tif", image(hole=7))
        with rasterio.open(file, "r+") as raster:
            raster.write_mask(~HOLE)
    assert (tmp_path / "a.tif.msk").exists() != internal
    assert look(file) == (~HOLE).tolist()


@pytest.mark.parametrize(
    ("dtype", "value"),
    [("uint8", 0), ("uint8", 255), ("uint16", 65_535), ("int16", -32_768), ("float32", -3.4e38)],
)
def test_the_nodata_value_in_all_bands_is_no_image(
    tmp_path: Path, dtype: str, value: float
) -> None:
    file = set_tags(write_raster(tmp_path / "a.tif", image(dtype, value)), nodata=value)
    assert look(file) == (~HOLE).tolist()


@pytest.mark.parametrize(
    ("value", "has_data"),
    [(0, True), (200, True), (-1, False), (4_000, False)],
)
def test_in_one_band_it_counts_only_if_no_image_can_hold_it(
    tmp_path: Path, value: int, has_data: bool
) -> None:
    bands = image("int16", 50)
    bands[1, 0, 0] = value
    file = set_tags(write_raster(tmp_path / "a.tif", bands), nodata=value)
    expected = np.full(HOLE.shape, True)
    expected[0, 0] = has_data
    assert look(file, span=(0, 200)) == expected.tolist()


@pytest.mark.parametrize("nodata", [None, np.nan, 0])
@pytest.mark.parametrize("bands", [(0,), (0, 1, 2)])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_no_image_with_or_without_a_tag(
    tmp_path: Path, value: float, nodata: float | None, bands: tuple[int, ...]
) -> None:
    values = image("float32", 50)
    for band in bands:
        values[band][HOLE] = value
    file = write_raster(tmp_path / "a.tif", values)
    if nodata is not None:
        set_tags(file, nodata=nodata)
    assert look(file) == (~HOLE).tolist()


def test_a_nodata_value_does_not_hide_the_alpha_band(tmp_path: Path) -> None:
    """GDAL itself asks for one of the two."""
    alpha = np.full((1, *HOLE.shape), 255, np.uint8)
    alpha[0, 1, 0] = 0
    file = write_raster(tmp_path / "a.tif", np.concatenate([image(), alpha]))
    set_tags(file, nodata=0)
    expected = ~HOLE
    expected[1, 0] = False
    assert look(file) == expected.tolist()


def test_a_further_band_says_nothing(tmp_path: Path) -> None:
    """Infrared is 0 on water, and 50 where the others have no data."""
    infrared = np.full((1, *HOLE.shape), 50, np.uint8)
    infrared[0, 1, 0] = 0
    file = write_raster(tmp_path / "a.tif", np.concatenate([image(), infrared]))
    with rasterio.open(file, "r+") as raster:
        raster.colorinterp = [*raster.colorinterp[:3], ColorInterp.undefined]
        raster.nodata = 0
    assert look(file) == (~HOLE).tolist()


VRT_BAND = """<VRTRasterBand dataType="Byte" band="{band}">{more}<SimpleSource>
<SourceFilename relativeToVRT="1">a.tif</SourceFilename><SourceBand>{band}</SourceBand>
</SimpleSource></VRTRasterBand>"""
VRT_MASK = """<MaskBand><VRTRasterBand dataType="Byte"><SimpleSource>
<SourceFilename relativeToVRT="1">mask.tif</SourceFilename><SourceBand>1</SourceBand>
</SimpleSource></VRTRasterBand></MaskBand>"""


def vrt(folder: Path, *more: str) -> Path:
    bands = "".join(VRT_BAND.format(band=band, more=text) for band, text in enumerate(more, 1))
    file = folder / "a.vrt"
    file.write_text(f'<VRTDataset rasterXSize="4" rasterYSize="2">{bands}</VRTDataset>')
    return file


def test_bands_may_have_a_mask_or_a_nodata_value_of_their_own(tmp_path: Path) -> None:
    write_raster(tmp_path / "mask.tif", np.where(HOLE, 0, 255).astype(np.uint8)[None])
    write_raster(tmp_path / "a.tif", image(hole=7))
    assert look(vrt(tmp_path, "", VRT_MASK, "")) == (~HOLE).tolist()
    values = image(hole=50)
    values[:, 0, 0] = 1, 2, 3
    values[:, 0, 1] = 1, 2, 50
    write_raster(tmp_path / "a.tif", values)
    tags = [f"<NoDataValue>{value}</NoDataValue>" for value in (1, 2, 3)]
    assert look(vrt(tmp_path, *tags)) == [[False, True, True, True], [True] * 4]
