"""Which bands are red, green and blue: as images declare them, in patches as in maps."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from rasterio.enums import ColorInterp
from rasterio.windows import Window

from geotiffs import CORNER, write_geotiff
from partialseg.mapping.orthophoto import Reading, open_orthophoto
from partialseg.source.bands import Declared, bands_remark, check_colours, rgb_bands
from partialseg.source.index import write_index
from partialseg.source.raster import open_raster, read_colours, read_rgb
from rasters import LEGEND, write_raster

PLACE: dict[str, Any] = {"crs": "EPSG:2180", "transform": CORNER}
ALL = Window(0, 0, 40, 30)


def kinds_of(kinds: str) -> tuple[ColorInterp, ...]:
    return tuple(ColorInterp[kind] for kind in kinds.split())


def bands_of(kinds: str) -> Declared:
    return Declared(kinds=kinds_of(kinds), names=("",) * len(kinds.split()))


@pytest.mark.parametrize(
    ("names", "bands", "remark"),
    [
        ("red green blue", (1, 2, 3), ""),
        ("red green blue alpha", (1, 2, 3), ""),
        ("gray undefined undefined", (1, 2, 3), ""),
        ("undefined undefined undefined", (1, 2, 3), ""),
        ("undefined undefined undefined alpha", (1, 2, 3), ""),
        ("blue green red", (3, 2, 1), "red, green and blue are its bands 3, 2, 1, as it declares"),
        (
            "blue green red nir",
            (3, 2, 1),
            "red, green and blue are its bands 3, 2, 1, as it declares",
        ),
        (
            "alpha red green blue",
            (2, 3, 4),
            "red, green and blue are its bands 2, 3, 4, as it declares",
        ),
        (
            "nir red green blue",
            (2, 3, 4),
            "red, green and blue are its bands 2, 3, 4, as it declares",
        ),
        (
            "nir red green",
            (1, 2, 3),
            "its bands 1, 2, 3, declared nir, red, green, are taken for red, green and blue",
        ),
        (
            "blue green undefined",
            (1, 2, 3),
            "its bands 1, 2, 3, declared blue, green, undefined, are taken for red, green and blue",
        ),
        (
            "red green red",
            (1, 2, 3),
            "its bands 1, 2, 3, declared red, green, red, are taken for red, green and blue",
        ),
        (
            "red green blue undefined",
            (1, 2, 3),
            "has 4 bands: 1, 2, 3 are taken for red, green and blue",
        ),
        (
            "red green blue nir alpha",
            (1, 2, 3),
            "has 5 bands: 1, 2, 3 are taken for red, green and blue",
        ),
        (
            "gray undefined undefined undefined",
            (1, 2, 3),
            "has 4 bands: 1, 2, 3 are taken for red, green and blue",
        ),
    ],
)
def test_declared_bands_are_taken_and_told(
    names: str, bands: tuple[int, int, int], remark: str
) -> None:
    assert rgb_bands(bands_of(names)) == bands
    assert bands_remark(bands_of(names), bands) == remark


AS_DECLARED = "red, green and blue are its bands {}, as it declares"
TAKEN = "its bands 1, 2, 3, named {}, are taken for red, green and blue"


@pytest.mark.parametrize("kinds", ["red green blue", "gray undefined undefined"])
@pytest.mark.parametrize(
    ("names", "bands", "remark"),
    [
        (("Red", "green", "BLUE"), (1, 2, 3), ""),
        (("blue", "green", "red"), (3, 2, 1), AS_DECLARED.format("3, 2, 1")),
        (("G", "B", "R"), (3, 1, 2), AS_DECLARED.format("3, 1, 2")),
        (("B2", "B3", "B4"), (1, 2, 3), TAKEN.format("B2, B3, B4")),
        (("blue", "", "red"), (1, 2, 3), TAKEN.format("blue, nothing, red")),
        (("red", "red", "blue"), (1, 2, 3), TAKEN.format("red, red, blue")),
    ],
)
def test_names_come_before_colours(
    kinds: str, names: tuple[str, ...], bands: tuple[int, int, int], remark: str
) -> None:
    declared = Declared(kinds=kinds_of(kinds), names=names)
    assert rgb_bands(declared) == bands
    assert bands_remark(declared, bands) == remark


def test_names_are_read_from_the_file(tmp_path: Path) -> None:
    image = write_geotiff(tmp_path / "a.tif", numbered(4), **PLACE)
    with rasterio.open(image, "r+") as raster:
        raster.descriptions = ("nir", "blue ", "green", "red")
    with open_raster(image) as raster:
        assert read_rgb(raster, ALL)[0, 0].tolist() == [40, 30, 20]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("alpha undefined undefined undefined", "a.tif: band 1 is marked as alpha; .*_1 undefined"),
        ("undefined undefined palette", "a.tif: band 3 holds numbers of a palette"),
        ("cyan magenta yellow black", "a.tif: band 1 is declared cyan; make the image RGB"),
        ("hue saturation lightness", "a.tif: band 1 is declared hue; make the image RGB"),
        ("Y Cb Cr", "a.tif: band 1 is declared Y; make the image RGB"),
    ],
)
def test_what_is_not_rgb_is_refused(names: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_colours(Path("a.tif"), kinds_of(names), rgb_bands(bands_of(names)), chosen=False)


def numbered(count: int) -> NDArray[np.uint8]:
    """Return bands (count, 30, 40) that hold ten times their number."""
    return np.full((30, 40, count), 10 * np.arange(1, count + 1), np.uint8).transpose(2, 0, 1)


@pytest.mark.parametrize(
    ("names", "values"),
    [
        ("blue green red", [30, 20, 10]),
        ("nir red green blue", [20, 30, 40]),
        ("nir red green", [10, 20, 30]),
    ],
)
def test_patches_and_maps_read_the_same_bands(
    tmp_path: Path, names: str, values: list[int]
) -> None:
    bands = numbered(len(names.split()))
    image = write_geotiff(tmp_path / "a.tif", bands, kinds=names.split(), **PLACE)
    with open_raster(image) as raster:
        assert read_rgb(raster, ALL)[0, 0].tolist() == values
    reading = Reading(bands=None, stretch=None, gsd=None, resample=True)
    with open_orthophoto(image, [], reading) as orthophoto:
        assert orthophoto.read(slice(0, 30), slice(0, 40))[0, 0].tolist() == values


def test_bands_that_are_asked_for_are_taken_as_they_lie(tmp_path: Path) -> None:
    image = write_geotiff(tmp_path / "a.tif", numbered(3), kinds=["blue", "green", "red"], **PLACE)
    reading = Reading(bands=(1, 2, 3), stretch=None, gsd=None, resample=True)
    with open_orthophoto(image, [], reading) as orthophoto:
        assert orthophoto.read(slice(0, 30), slice(0, 40))[0, 0].tolist() == [10, 20, 30]


def test_masks_of_colours_are_read_as_they_declare(tmp_path: Path) -> None:
    mask = write_geotiff(tmp_path / "a.tif", numbered(3), kinds=["blue", "green", "red"], **PLACE)
    with open_raster(mask) as raster:
        assert read_colours(raster, ALL)[:, 0, 0].tolist() == [30, 20, 10]


def test_an_image_whose_alpha_comes_first_is_not_indexed(tmp_path: Path) -> None:
    kinds = ["alpha", "undefined", "undefined", "undefined"]
    write_geotiff(tmp_path / "images/a.tif", numbered(4), kinds=kinds, **PLACE)
    write_geotiff(tmp_path / "masks/a.tif", np.zeros((1, 30, 40), np.uint8), **PLACE)
    with pytest.raises(ValueError, match=r"images/a\.tif: band 1 is marked as alpha"):
        write_index(tmp_path, tmp_path / "images", tmp_path / "masks", LEGEND)
    assert not (tmp_path / "index.json").exists()


def test_the_index_says_what_is_taken_once_for_all_images(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, kinds in (
        ("a", ["red", "green", "blue", "undefined"]),
        ("b", ["red", "green", "blue", "undefined"]),
        ("c", ["red", "green", "blue", "alpha"]),
    ):
        write_geotiff(tmp_path / "images" / f"{name}.tif", numbered(4), kinds=kinds, **PLACE)
        write_geotiff(tmp_path / "masks" / f"{name}.tif", np.zeros((1, 30, 40), np.uint8), **PLACE)
    write_geotiff(tmp_path / "images/d.tif", numbered(3), crs="EPSG:2180")
    write_geotiff(tmp_path / "masks/d.tif", np.zeros((1, 30, 40), np.uint8))
    write_index(tmp_path, tmp_path / "images", tmp_path / "masks", LEGEND)
    assert capsys.readouterr().out.splitlines() == [
        f"{tmp_path}/images/a.tif (and 1 more): has 4 bands: 1, 2, 3 are taken for red, green and "
        "blue",
        f"{tmp_path}/images/d.tif: has a CRS but no transform, so its place and its pixel size are "
        "taken for unknown",
    ]


def test_rasterio_marks_the_fourth_of_four_bytes_as_alpha(tmp_path: Path) -> None:
    """A surprise that docs/maps.md tells of."""
    with rasterio.open(write_raster(tmp_path / "a.tif", numbered(4))) as raster:
        assert raster.colorinterp[3] == ColorInterp.alpha


@pytest.mark.parametrize("bits", [1, 4])
def test_values_of_few_bits_need_a_stretch(tmp_path: Path, bits: int) -> None:
    white = 2**bits - 1
    profile = {"driver": "GTiff", "width": 40, "height": 30, "count": 3, "dtype": "uint8"}
    with rasterio.open(tmp_path / "a.tif", "w", nbits=bits, **profile, **PLACE) as raster:
        raster.write(np.full((3, 30, 40), white, np.uint8))
    message = rf"a\.tif: its values have {bits} bit.* white is {white} and not 255; a stretch of 0"
    reading = Reading(bands=None, stretch=None, gsd=None, resample=True)
    with (
        pytest.raises(ValueError, match=message),
        open_orthophoto(tmp_path / "a.tif", [], reading),
    ):
        pass
    stretched = Reading(bands=None, stretch=(0, white), gsd=None, resample=True)
    with open_orthophoto(tmp_path / "a.tif", [], stretched) as orthophoto:
        assert (orthophoto.read(slice(0, 30), slice(0, 40)) == 255).all()
    write_geotiff(tmp_path / "masks/a.tif", np.zeros((1, 30, 40), np.uint8), **PLACE)
    (tmp_path / "images").mkdir()
    (tmp_path / "a.tif").rename(tmp_path / "images/a.tif")
    with pytest.raises(ValueError, match=message):
        write_index(tmp_path, tmp_path / "images", tmp_path / "masks", LEGEND)
