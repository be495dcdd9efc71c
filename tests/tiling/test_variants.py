"""Files as people have them, by a table: patches and maps see the same image, where there is one.

Image and mask are 32 x 32 px; the first 8 rows are a hole where a file has one.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray
from PIL import Image
from rasterio.windows import Window

from geotiffs import CORNER, control_points, write_geotiff
from partialseg.mapping.orthophoto import Reading as MapReading
from partialseg.mapping.orthophoto import open_orthophoto
from partialseg.source.index import index_files
from partialseg.source.legend import LandCoverClass, Legend, MaskValues
from partialseg.source.pairing import files_in_folders
from partialseg.source.raster import open_raster
from partialseg.source.reading import Reading
from partialseg.tiling.params import Tile
from partialseg.tiling.patches import PatchStore
from partialseg.tiling.tile import tile

PALETTE = np.array([[200, 60, 70], [60, 160, 80], [60, 80, 200]], np.uint8)
IDS = np.kron(np.arange(16).reshape(4, 4) % 3, np.ones((8, 8), int)).astype(np.uint8)
RGB = np.moveaxis(PALETTE[IDS], -1, 0)
HOLE = np.zeros((32, 32), bool)
HOLE[:8] = True
NO_HOLE = np.zeros((32, 32), bool)
SEEN = np.where(HOLE, 0, 255).astype(np.uint8)[None]
TRUTH = np.where(HOLE, 255, IDS).astype(np.uint8)
PLACE: dict[str, Any] = {"crs": "EPSG:2180", "transform": CORNER}
AS_THEY_ARE = ((0.0, 255.0),) * 3
Write = Callable[[Path], object]


def legend(mask_values: MaskValues) -> Legend:
    names = ("red", "green", "blue")
    colours = [tuple(map(int, colour)) for colour in PALETTE]
    classes = tuple(
        LandCoverClass(name=name, colour=colour)  # type: ignore[arg-type]
        for name, colour in zip(names, colours, strict=True)
    )
    return Legend(classes=classes, mask_values=mask_values, ignored_ids=())


def geotiff(*bands: NDArray[np.generic], **more: Any) -> Write:
    """Return a writer of a.tif with these bands, (H, W) or (bands, H, W), at its place."""
    stacked = np.concatenate([band[None] if band.ndim == 2 else band for band in bands])
    return lambda folder: write_geotiff(folder / "a.tif", stacked, **PLACE | more)


def masked(bands: NDArray[np.uint8], internal: bool, **more: Any) -> Write:
    """Return a writer of a.tif with a mask of the file."""

    def write(folder: Path) -> None:
        with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=internal):
            write_geotiff(folder / "a.tif", bands, **PLACE | more)
            with rasterio.open(folder / "a.tif", "r+") as raster:
                raster.write_mask(SEEN[0])

    return write


def picture(
    mode: str, pixels: NDArray[np.uint8], colours: Iterable[int] = (), **more: Any
) -> Write:
    """Return a writer of a.png (H, W) or (H, W, bands); a palette has `colours`."""

    def write(folder: Path) -> None:
        height, width = pixels.shape[:2]
        made = Image.frombytes(mode, (width, height), pixels.tobytes())
        if mode == "P":
            made.putpalette([*colours])
        made.save(folder / "a.png", **more)

    return write


def holed(value: float, dtype: str, bands: tuple[int, ...] = (0, 1, 2)) -> NDArray[np.generic]:
    values = RGB.astype(dtype)
    for band in bands:
        values[band][HOLE] = value
    return values


LAST = np.moveaxis(RGB, 0, -1)
RGBA = ("red", "green", "blue", "alpha")
IMAGES: dict[str, tuple[Write, NDArray[np.bool_], bool]] = {
    "alpha of 16 bits": (
        geotiff(RGB.astype(np.uint16), SEEN.astype(np.uint16) * 257, kinds=RGBA),
        HOLE,
        True,
    ),
    "alpha of floats 0..1": (
        geotiff(RGB.astype(np.float32), (SEEN / 255).astype(np.float32), kinds=RGBA),
        HOLE,
        True,
    ),
    "alpha first": (geotiff(SEEN, RGB, kinds=("alpha", *RGBA[:3])), HOLE, False),
    "alpha behind infrared": (
        geotiff(RGB, RGB[:1], SEEN, kinds=(*RGBA[:3], "undefined", "alpha")),
        HOLE,
        False,
    ),
    "a fourth band of 0 that is none": (
        geotiff(RGB, np.zeros((1, 32, 32), np.uint8), kinds=(*RGBA[:3], "undefined")),
        NO_HOLE,
        False,
    ),
    "grey bands of which one is 0": (
        geotiff(RGB, np.zeros((1, 32, 32), np.uint8), photometric="MINISBLACK"),
        NO_HOLE,
        False,
    ),
    "NaN in one band, untagged": (geotiff(holed(np.nan, "float32", (1,))), HOLE, True),
    "NaN, another tag": (geotiff(holed(np.nan, "float64"), nodata=-9999), HOLE, True),
    "infinity": (geotiff(holed(-np.inf, "float32", (2,))), HOLE, True),
    "nodata of 16 bits": (geotiff(holed(65535, "uint16"), nodata=65535), HOLE, True),
    "nodata below 0": (geotiff(holed(-32768, "int16", (0,)), nodata=-32768), HOLE, True),
    "the least float": (geotiff(holed(-3.4e38, "float32"), nodata=-3.4e38), HOLE, True),
    "a mask in the file": (masked(RGB, internal=True), HOLE, False),
    "a mask beside it": (masked(RGB, internal=False), HOLE, False),
    "a mask in the file, and nodata": (masked(RGB, internal=True, nodata=0), HOLE, False),
    "a white frame": (geotiff(holed(255, "uint8"), nodata=255), HOLE, False),
    "PNG with alpha": (picture("RGBA", np.dstack([LAST, SEEN[0]])), HOLE, False),
    "PNG with a transparent colour": (
        picture("RGB", np.where(HOLE[..., None], 1, LAST).astype(np.uint8), transparency=(1, 1, 1)),
        HOLE,
        False,
    ),
    "blue, green, red": (geotiff(RGB[::-1], kinds=RGBA[2::-1]), NO_HOLE, False),
}


def patch_of(folder: Path, legend: Legend, reading: Reading) -> tuple[Any, Any]:
    """Index and tile a beside two plain pairs; return image and truth of its patch."""
    for place, name in enumerate(("b", "c"), 1):
        where = CORNER @ Affine.translation(100 * place, 0)
        plain = RGB if reading.stretch is None else RGB.astype(np.uint16)
        write_geotiff(folder / "images" / f"{name}.tif", plain, **PLACE | {"transform": where})
        truth = RGB if legend.mask_values == "colours" else IDS[None]
        write_geotiff(folder / "masks" / f"{name}.tif", truth, **PLACE | {"transform": where})
    files = files_in_folders(folder / "images", folder / "masks", None)
    index_files(folder, files, legend, reading)
    how: dict[str, Any] = {"split": "pattern", "split_seed": 1, "train_truth": "masks"}
    tile(folder, folder / "out", Tile(source_size=32, size=32, val="b", test="c", **how))
    store = PatchStore(folder / "out")
    (patch,) = [patch for patch in store.patches if patch.orthophoto == "a"]
    return np.array(store.image(patch)), np.array(store.truth(patch))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for kind in ("images", "masks"):
        (tmp_path / kind).mkdir()
    return tmp_path


@pytest.mark.parametrize("kind", IMAGES)
def test_an_image_has_its_pixels_and_its_hole(folder: Path, kind: str) -> None:
    write, hole, deep = IMAGES[kind]
    write(folder / "images")
    geotiff(IDS)(folder / "masks")
    stretch = AS_THEY_ARE if deep else None
    image, truth = patch_of(folder, legend("ids"), Reading(stretch=stretch))
    expected = np.where(hole[..., None], 0, LAST)
    assert image.tolist() == expected.tolist()
    assert truth.tolist() == np.where(hole, 255, IDS).tolist()
    (file,) = (folder / "images").glob("a.[tp]*[fg]")
    reading = MapReading(bands=None, stretch=stretch, gsd=0.25, resample=True)
    with open_orthophoto(file, [0.25], reading) as orthophoto:
        assert orthophoto.read(slice(0, 32), slice(0, 32)).tolist() == expected.tolist()
        valid = orthophoto.valid(Window(0, 0, 32, 32))
    assert (NO_HOLE if valid is None else ~valid).tolist() == hole.tolist()


FOURTH = np.where(HOLE, 3, IDS).astype(np.uint8)
COLOURS = [*PALETTE.ravel().tolist(), 0, 0, 0]
SEEN_THROUGH = bytes([255, 255, 255, 0])
IDS_LAST = np.dstack([IDS, IDS, IDS, SEEN[0]])
MASKS: dict[str, tuple[MaskValues, Write, NDArray[np.uint8]]] = {
    "2 bits with colours": ("colours", picture("P", IDS, COLOURS[:9], bits=2), IDS),
    "2 bits with numbers": ("ids", picture("P", IDS, COLOURS[:9], bits=2), IDS),
    "2 bits, an entry is transparent": (
        "colours",
        picture("P", FOURTH, COLOURS, bits=2, transparency=SEEN_THROUGH),
        TRUTH,
    ),
    "numbers, an entry is transparent": (
        "ids",
        picture("P", FOURTH, COLOURS, bits=2, transparency=SEEN_THROUGH),
        TRUTH,
    ),
    "an entry is half transparent": (
        "colours",
        picture("P", IDS, COLOURS[:9], transparency=bytes([128, 255, 255])),
        IDS,
    ),
    "a mask in the file": ("ids", masked(IDS[None], internal=True), TRUTH),
    "a mask beside colours": ("colours", masked(RGB, internal=False), TRUTH),
    "alpha first": ("colours", geotiff(SEEN, RGB, kinds=("alpha", *RGBA[:3])), TRUTH),
    "blue, green, red": ("colours", geotiff(RGB[::-1], kinds=RGBA[2::-1]), IDS),
    "three bands of ids and alpha": ("ids", picture("RGBA", IDS_LAST), TRUTH),
    "a fourth band that is none": (
        "colours",
        geotiff(RGB, np.zeros((1, 32, 32), np.uint8), kinds=(*RGBA[:3], "undefined")),
        IDS,
    ),
    "NaN in floats": ("ids", geotiff(np.where(HOLE, np.nan, IDS).astype(np.float32)), TRUTH),
    "ids of 64 bits": ("ids", geotiff(IDS.astype(np.int64)), IDS),
    "ids of 8 bits with a sign": ("ids", geotiff(IDS.astype(np.int8)), IDS),
}


@pytest.mark.parametrize("kind", MASKS)
def test_a_mask_has_its_classes_and_its_hole(folder: Path, kind: str) -> None:
    values, write, expected = MASKS[kind]
    geotiff(RGB)(folder / "images")
    write(folder / "masks")
    index_files(
        folder,
        files_in_folders(folder / "images", folder / "masks", None),
        legend(values),
        Reading(),
    )
    (file,) = (folder / "masks").glob("a.[tp]*[fg]")
    with open_raster(file) as raster:
        decoded = legend(values).code().decode(raster, Window(0, 0, 32, 32))
    assert decoded.tolist() == expected.tolist()


def turned(degrees: float, east: float = 0.0) -> Affine:
    """Return the place turned about its corner, then moved by pixels along its rows."""
    corner = Affine.translation(CORNER.c, CORNER.f)
    move = Affine.translation(east, 0)
    return corner @ Affine.rotation(degrees) @ Affine.scale(0.25, -0.25) @ move


MOVED = CORNER @ Affine.translation(0.6, 0)
PLACES: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "0.4 px": ({}, {"transform": CORNER @ Affine.translation(0.4, 0)}, ""),
    "0.6 px": ({}, {"transform": MOVED}, "0.15"),
    "0.6 px, no CRS": ({}, {"transform": MOVED, "crs": None}, "0.15"),
    "both turned": ({"transform": turned(30)}, {"transform": turned(30)}, ""),
    "both turned, 2 px": ({"transform": turned(30)}, {"transform": turned(30, 2)}, "0.5"),
    "the mask turned": ({}, {"transform": turned(180)}, "22.6274"),
    "south up": ({}, {"transform": Affine(0.25, 0, 500_000, 0, 0.25, 599_992)}, "8"),
    "larger pixels": ({}, {"transform": Affine(0.26, 0, 500_000, 0, -0.26, 600_000)}, "0.452548"),
}


@pytest.mark.parametrize("kind", PLACES)
def test_an_image_and_a_mask_lie_at_one_place(folder: Path, kind: str) -> None:
    of_image, of_mask, apart = PLACES[kind]
    geotiff(RGB, **of_image)(folder / "images")
    geotiff(IDS, **of_mask)(folder / "masks")
    files = files_in_folders(folder / "images", folder / "masks", None)
    if not apart:
        assert len(index_files(folder, files, legend("ids"), Reading()).orthophotos) == 1
        return
    with pytest.raises(ValueError, match=rf"masks/a\.tif: lies {apart} map units away from "):
        index_files(folder, files, legend("ids"), Reading())


def test_control_points_of_a_mask_count(folder: Path) -> None:
    geotiff(RGB)(folder / "images")
    corners = [(0, 0), (0, 32), (32, 0), (32, 32)]
    moved = control_points(corners, CORNER @ Affine.translation(16, 0))
    write_geotiff(folder / "masks" / "a.tif", IDS[None], points=(moved, "EPSG:2180"))
    files = files_in_folders(folder / "images", folder / "masks", None)
    with pytest.raises(ValueError, match=r"masks/a\.tif: lies 4 map units away from "):
        index_files(folder, files, legend("ids"), Reading())


def test_a_negative_is_refused_by_both(folder: Path) -> None:
    geotiff(255 - RGB[:1], photometric="MINISWHITE")(folder / "images")
    geotiff(IDS)(folder / "masks")
    files = files_in_folders(folder / "images", folder / "masks", None)
    message = r"images/a\.tif: is a negative, in which 0 is white \(MINISWHITE\)"
    with pytest.raises(ValueError, match=message):
        index_files(folder, files, legend("ids"), Reading(bands=(1, 1, 1)))
    reading = MapReading(bands=(1, 1, 1), stretch=None, gsd=None, resample=True)
    with (
        pytest.raises(ValueError, match=message),
        open_orthophoto(folder / "images" / "a.tif", [0.25], reading),
    ):
        pass
