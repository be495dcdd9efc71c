"""Images as a network sees them, whatever they are stored as."""

import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.enums import ColorInterp, Resampling
from rasterio.windows import Window

from partialseg.mapping.orthophoto import Reading, open_orthophoto
from partialseg.source.reading import stretched
from rasters import write_raster


def reading(**changes: Any) -> Reading:
    plain = {"bands": (1, 2, 3), "stretch": None, "gsd": None, "resample": True}
    return Reading(**plain | changes)


def noise(bands: int = 3, height: int = 40, width: int = 60) -> NDArray[np.uint8]:
    return np.random.default_rng(2).integers(1, 256, (bands, height, width), np.uint8)


def read(file: Path, trained: float | None = None, **changes: Any) -> NDArray[np.uint8]:
    distances = [] if trained is None else [trained]
    with open_orthophoto(file, distances, reading(**changes)) as orthophoto:
        height, width = orthophoto.shape
        return orthophoto.read(slice(0, height), slice(0, width))


@pytest.mark.parametrize("suffix", [".tif", ".png"])
def test_an_image_of_the_right_resolution_is_read_as_it_is(tmp_path: Path, suffix: str) -> None:
    bands = noise()
    image = read(write_raster(tmp_path / f"a{suffix}", bands), trained=0.25)
    assert np.array_equal(image, np.moveaxis(bands, 0, -1))


def test_a_part_is_the_part_of_the_whole(tmp_path: Path) -> None:
    file = write_raster(tmp_path / "a.tif", noise())
    with open_orthophoto(file, [], reading()) as orthophoto:
        part = orthophoto.read(slice(7, 30), slice(11, 59))
    assert np.array_equal(part, read(file)[7:30, 11:59])


def test_finer_pixels_are_averaged_as_the_patches_of_the_training_were(tmp_path: Path) -> None:
    """Four pixels become three, within a grey level of rounding."""
    bands = noise(height=400, width=600)
    image = read(write_raster(tmp_path / "a.tif", bands), trained=0.25 * 4 / 3 * 1.0007)
    patch = cv2.resize(np.moveaxis(bands, 0, -1), (450, 300), interpolation=cv2.INTER_AREA)
    assert image.shape == (300, 450, 3)
    assert np.abs(image.astype(int) - patch).max() <= 1


def test_coarser_pixels_are_interpolated(tmp_path: Path) -> None:
    ramp = np.broadcast_to(np.arange(60, dtype=np.uint8) * 4, (3, 40, 60)).copy()
    image = read(write_raster(tmp_path / "a.tif", ramp), trained=0.125)
    assert image.shape == (80, 120, 3)
    assert image[40, 60].tolist() == [119, 119, 119]  # pixel 29.75: 4 x 29.75


def test_the_nearest_pixel_size_of_the_training_is_taken(tmp_path: Path) -> None:
    file = write_raster(tmp_path / "a.tif", noise())
    with open_orthophoto(file, [0.26, 0.5], reading()) as orthophoto:
        assert orthophoto.shape == (38, 58)
    with open_orthophoto(file, [0.2525, 0.5], reading()) as orthophoto:  # as good as equal
        assert orthophoto.shape == (40, 60)


def test_a_pixel_size_that_is_given_is_believed(tmp_path: Path) -> None:
    file = write_raster(tmp_path / "a.tif", noise(), crs=None)
    assert read(file, trained=0.5).shape == (40, 60, 3)
    assert read(file, trained=0.5, gsd=0.25).shape == (20, 30, 3)


def test_oblong_pixels_become_square(tmp_path: Path) -> None:
    file = write_raster(tmp_path / "a.tif", noise())
    with rasterio.open(file, "r+") as raster:
        raster.transform = Affine(0.25, 0, 500_000, 0, -0.5, 600_000)
    with open_orthophoto(file, [0.5], reading()) as orthophoto:
        assert orthophoto.shape == (40, 30)


def test_a_network_of_unknown_pixel_size_takes_images_as_they_are(tmp_path: Path) -> None:
    assert read(write_raster(tmp_path / "a.tif", noise())).shape == (40, 60, 3)


def test_further_bands_are_left_out_and_others_can_be_chosen(tmp_path: Path) -> None:
    bands = noise(4)
    bands[3, :9] = 0  # GDAL takes the fourth of four bytes for alpha; as a colour it is none
    file = write_raster(tmp_path / "a.tif", bands)
    assert np.array_equal(read(file)[9:], np.moveaxis(bands[:3, 9:], 0, -1))
    assert not read(file)[:9].any()
    assert np.array_equal(read(file, bands=(4, 3, 2)), np.moveaxis(bands[[3, 2, 1]], 0, -1))


def test_a_band_that_is_named_hides_nothing_from_a_shrunk_image(tmp_path: Path) -> None:
    bands = np.zeros((4, 40, 60), np.uint8)
    bands[0, ::2] = 100
    bands[3, 1::2] = np.arange(1, 61)  # 0 where red is 100: GDAL's average would be 0
    file = write_raster(tmp_path / "a.tif", bands)
    image = read(file, trained=0.5, bands=(4, 1, 2))
    assert image.shape == (20, 30, 3)
    assert (image[..., 1] == 50).all()


@pytest.mark.parametrize("dtype", ["uint16", "int16", "float32"])
def test_other_types_are_stretched(tmp_path: Path, dtype: str) -> None:
    values = np.array([[100, 200, 355, 610], [0, 99, 1000, 151]], dtype).repeat(8, axis=0)
    file = write_raster(tmp_path / "a.tif", np.stack([values.repeat(4, axis=1)] * 3))
    image = read(file, stretch=(100.0, 610.0))
    assert image[0, ::4, 0].tolist() == [0, 50, 128, 255]  # (355 - 100) / 2 = 127.5, to even
    assert image[15, ::4, 2].tolist() == [0, 0, 255, 26]  # 25.5, to even


def test_not_a_number_is_black() -> None:
    three = stretched(np.full((1, 1, 3), 100.0), ((0.0, 510.0), (100.0, 200.0), (0.0, 50.0)))
    assert three.tolist() == [[[50, 0, 255]]]
    assert stretched(np.array([np.nan, np.inf, -np.inf, 5.0]), (0, 10)).tolist() == [0, 255, 0, 128]


def set_nodata(file: Path, value: float) -> None:
    with rasterio.open(file, "r+") as raster:
        raster.nodata = value


def test_pixels_without_data_are_black_and_not_mixed_into_others(tmp_path: Path) -> None:
    bands = np.full((3, 40, 60), 200, np.uint8)
    bands[:, :, 21:] = 255
    file = write_raster(tmp_path / "a.tif", bands)
    set_nodata(file, 255)
    image = read(file, trained=0.5)
    assert set(np.unique(image[:, :10])) == {200}
    assert (image[:, 11:] == 0).all()
    with open_orthophoto(file, [0.5], reading()) as orthophoto:
        valid = orthophoto.valid(Window(20, 3, 4, 5))
    assert valid is not None and valid.tolist() == [[True, False, False, False]] * 5


def test_a_pixel_with_one_band_of_the_nodata_value_has_data(tmp_path: Path) -> None:
    bands = noise()
    bands[0, 5, 5] = bands[:, 6, 6] = 0
    file = write_raster(tmp_path / "a.tif", bands)
    set_nodata(file, 0)
    with open_orthophoto(file, [], reading()) as orthophoto:
        valid = orthophoto.valid(Window(5, 5, 2, 2))
    assert valid is not None and valid.tolist() == [[True, True], [True, False]]


def test_a_transparent_pixel_has_no_data(tmp_path: Path) -> None:
    bands = noise(4)
    bands[3] = 255
    bands[3, :, 30:] = 0
    file = write_raster(tmp_path / "a.png", bands)
    with open_orthophoto(file, [], reading()) as orthophoto:
        valid = orthophoto.valid(Window(29, 0, 2, 1))
        image = orthophoto.read(slice(0, 40), slice(0, 60))
    assert valid is not None and valid.tolist() == [[True, False]]
    assert np.array_equal(image[:, :30], np.moveaxis(bands[:3, :, :30], 0, -1))
    assert (image[:, 30:] == 0).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"resample": False}, r"a\.tif: pixels of 0\.25 x 0\.25 m, .* trained on 0\.5 m; .* not"),
        ({"gsd": 4.1}, r"a\.tif: pixels of 4\.1 x 4\.1 m, .* trained on 0\.5 m: too coarse"),
        ({"bands": (1, 2, 4)}, r"a\.tif: has 3 band\(s\); .* from the bands 1, 2, 4"),
        ({"gsd": 0.01}, r"a\.tif: 1 x 1 px at the network's resolution; .* at least 16 px"),
    ],
)
def test_what_cannot_be_read_is_named(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    file = write_raster(tmp_path / "a.tif", noise())
    with pytest.raises(ValueError, match=message):
        read(file, trained=0.5, **changes)


@pytest.mark.parametrize(
    ("bands", "message"),
    [
        (noise(1), r"a\.tif: has 1 band\(s\)"),
        (noise().astype(np.uint16), r"a\.tif: uint16 and not 8-bit .* --stretch 0 4095"),
        (noise().astype(np.complex64), r"a\.tif: bands of the type complex64 are no image"),
    ],
)
def test_bands_that_are_no_image_are_named(
    tmp_path: Path, bands: NDArray[np.generic], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        read(write_raster(tmp_path / "a.tif", bands))


def test_overviews_are_left_alone(tmp_path: Path) -> None:
    """Those of GDAL pick the nearest pixel unless asked otherwise."""
    file = write_raster(tmp_path / "a.tif", noise(height=400, width=600))
    without = read(file, trained=0.6)
    with rasterio.open(file, "r+") as raster:
        raster.build_overviews([2, 4], Resampling.nearest)
    assert np.array_equal(read(file, trained=0.6), without)


def test_numbers_of_a_palette_are_no_colours(tmp_path: Path) -> None:
    file = write_raster(tmp_path / "a.tif", noise(1))
    with rasterio.open(file, "r+") as raster:
        raster.write_colormap(1, {1: (255, 0, 0)})
    with pytest.raises(ValueError, match=r"a\.tif: band 1 holds numbers of a palette"):
        read(file, bands=(1, 1, 1))


def test_alpha_is_no_colour(tmp_path: Path) -> None:
    bands = noise(4)
    bands[3] = np.where(bands[3] < 99, 0, 255)
    file = write_raster(tmp_path / "a.tif", bands)
    with pytest.raises(ValueError, match=r"a\.tif: band 4 was named as a colour, but is marked as"):
        read(file, bands=(2, 3, 4))
    with rasterio.open(file, "r+") as raster:
        raster.colorinterp = [ColorInterp[name] for name in ("gray", "alpha", "gray", "gray")]
    with pytest.raises(ValueError, match=r"a\.tif: band 2 is marked as alpha; .*colorinterp_2"):
        read(file, bands=None)


def test_grey_and_palette_images_are_refused_with_advice(tmp_path: Path) -> None:
    file = write_raster(tmp_path / "a.tif", noise(1))
    with pytest.raises(ValueError, match=r"a\.tif: has 1 band.*; --bands 1 1 1 shows one band"):
        read(file, bands=None)
    with rasterio.open(file, "r+") as raster:
        raster.write_colormap(1, {1: (255, 0, 0)})
    with pytest.raises(ValueError, match=r"a\.tif: has 1 band.*; it holds numbers of a palette"):
        read(file, bands=None)


def test_a_wrong_crs_is_named(tmp_path: Path) -> None:
    file = write_raster(tmp_path / "a.tif", noise(), crs="EPSG:4326")
    with pytest.raises(
        ValueError, match=r"a\.tif: the coordinates .* lie outside .*WGS 84; .*--gsd"
    ):
        read(file, trained=0.25)
    assert read(file, trained=0.25, gsd=0.25).shape == (40, 60, 3)


def test_a_truncated_file_is_named(tmp_path: Path) -> None:
    file = write_raster(tmp_path / "a.tif", noise(height=400, width=600))
    file.write_bytes(file.read_bytes()[:200_000])
    with pytest.raises(ValueError, match=r"a\.tif: cannot be read as a raster: "):
        read(file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"none\.tif: cannot be read as a raster"):
        read(tmp_path / "none.tif")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bands": (0, 1, 2)}, r"bands \(0, 1, 2\) count from 1"),
        ({"stretch": (5.0, 5.0)}, r"stretch \(5\.0, 5\.0\): the first value must be the smaller"),
        ({"stretch": ((0.0, 1.0), (2.0, 1.0), (0.0, 1.0))}, r"the first value must be the smaller"),
        ({"stretch": (0.0, math.inf)}, r"stretch \(0\.0, inf\): the first value must be"),
        ({"gsd": 0.0}, "gsd 0 m must be within 0.0001 and 100000"),
    ],
)
def test_a_reading_that_makes_no_sense_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        reading(**changes)
