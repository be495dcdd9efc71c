"""Images of which a part has no data, as a network sees them and on its maps."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from rasterio.windows import Window

from partialseg.mapping.orthophoto import Reading, open_orthophoto
from rasters import write_raster

HEIGHT, WIDTH = 40, 60


def plain() -> NDArray[np.uint8]:
    return np.full((3, HEIGHT, WIDTH), 20, np.uint8)


def read(
    file: Path, trained: float | None = None, stretch: tuple[float, float] | None = None
) -> tuple[NDArray[np.uint8], NDArray[np.bool_] | None]:
    """Return the image as the network sees it, and where the file has data."""
    distances = [] if trained is None else [trained]
    reading = Reading(bands=(1, 2, 3), stretch=stretch, gsd=None, resample=True)
    with open_orthophoto(file, distances, reading) as orthophoto:
        height, width = orthophoto.shape
        image = orthophoto.read(slice(0, height), slice(0, width))
        return image, orthophoto.valid(Window(0, 0, WIDTH, HEIGHT))


def tagged(file: Path, bands: NDArray[Any], nodata: float) -> Path:
    write_raster(file, bands)
    with rasterio.open(file, "r+") as raster:
        raster.nodata = nodata
    return file


def test_a_dark_band_of_a_pixel_with_data_is_averaged(tmp_path: Path) -> None:
    """Of 0 and three times 40 in red, GDAL's mean without nodata is 40, and 30 is right."""
    bands = plain()
    bands[0, :2, :2] = [[0, 40], [40, 40]]
    bands[:, 2:4, :2] = 0
    bands[:, 2, 0] = 100
    image, valid = read(tagged(tmp_path / "a.tif", bands, 0), trained=0.5)
    assert image[0, 0].tolist() == [30, 20, 20]
    assert image[1, 0].tolist() == [0, 0, 0]  # the pixel under the centre has no data
    assert valid is not None
    assert valid[:2].all()
    assert valid[2:4, :2].tolist() == [[True, False], [False, False]]


def test_a_stretch_that_begins_above_0_makes_no_holes(tmp_path: Path) -> None:
    bands = plain()
    bands[0, 0, 0] = 0
    bands[:, 0, 1] = 0
    _, valid = read(tagged(tmp_path / "a.tif", bands, 0), stretch=(10.0, 200.0))
    assert valid is not None
    assert valid[0, :3].tolist() == [True, False, True]


def test_enlarged_images_leave_pixels_without_data_out(tmp_path: Path) -> None:
    bands = plain()
    bands[:, :, 30:] = 0
    bands[1] = 0  # no green anywhere: a value, and no sign
    image, valid = read(tagged(tmp_path / "a.tif", bands, 0), trained=0.125)
    assert image[:, :60].reshape(-1, 3).min(axis=0).tolist() == [20, 0, 20]
    assert not image[:, 60:].any()
    assert valid is not None
    assert valid.sum() == HEIGHT * 30


@pytest.mark.parametrize("nodata", [None, np.nan, -9_999])
@pytest.mark.parametrize("trained", [None, 0.25, 0.5, 0.125])
def test_not_a_number_is_no_data_and_spoils_no_other_pixel(
    tmp_path: Path, nodata: float | None, trained: float | None
) -> None:
    bands = plain().astype(np.float32)
    bands[:, 10:20, 10:20] = np.nan
    bands[2, 30, 30] = np.nan
    file = write_raster(tmp_path / "a.tif", bands)
    if nodata is not None:
        tagged(file, bands, nodata)
    image, valid = read(file, trained, stretch=(0.0, 255.0))
    expected = np.ones((HEIGHT, WIDTH), bool)
    expected[10:20, 10:20] = expected[30, 30] = False
    assert valid is not None
    np.testing.assert_array_equal(valid, expected)
    assert set(np.unique(image)) == {0, 20}
    factor = 0.25 / (trained or 0.25)
    holes = (image == 0).all(axis=-1).sum()
    # Shrunk, the single pixel is one of four, and not that under the centre.
    assert holes == (25 if factor == 0.5 else 101 * factor**2)


def test_parts_are_those_of_the_whole(tmp_path: Path) -> None:
    """Rows are read by parts; none of their borders may be seen."""
    rng = np.random.default_rng(4)
    bands = rng.integers(1, 256, (3, 700, 90), np.uint8)
    bands[:, rng.random((700, 90)) < 0.2] = 0
    file = tagged(tmp_path / "a.tif", bands, 0)
    reading = Reading(bands=(1, 2, 3), stretch=None, gsd=None, resample=True)
    for trained in (0.33, 0.17):
        with open_orthophoto(file, [trained], reading) as orthophoto:
            rows, columns = orthophoto.shape
            whole = orthophoto.read(slice(0, rows), slice(0, columns))
            part = orthophoto.read(slice(101, 377), slice(5, 43))
        assert np.abs(whole[101:377, 5:43].astype(int) - part).max() <= 1
        assert rows > 2 * 128
