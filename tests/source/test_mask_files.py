"""Masks as tools write them: of few bits, with a palette or alpha, of other types and ids."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from PIL import Image
from rasterio.windows import Window

from partialseg.core.classes import NO_TRUTH, Colour
from partialseg.source.index import write_index
from partialseg.source.legend import LandCoverClass, Legend
from partialseg.source.mask_code import MaskCode, mask_code
from partialseg.source.raster import open_raster
from rasters import write_raster

BLACK, WHITE, GREEN = (0, 0, 0), (255, 255, 255), (60, 160, 60)
COLOURS = mask_code("colours", (BLACK, WHITE, GREEN), (), ())
IDS = mask_code("ids", (BLACK, WHITE, GREEN), (), ())
NONE = NO_TRUTH


def decode(code: MaskCode, file: Path) -> list[list[int]]:
    with open_raster(file) as raster:
        decoded: list[list[int]] = code.decode(
            raster, Window(0, 0, raster.width, raster.height)
        ).tolist()
        return decoded


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_one_bit_of_black_and_white_is_a_class_each(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"a{suffix}"
    Image.fromarray(np.array([[0, 255, 255]], np.uint8)).convert("1").save(file)
    assert decode(COLOURS, file) == [[0, 1, 1]]
    assert decode(IDS, file) == [[0, 1, 1]]


@pytest.mark.parametrize(("bits", "step"), [(2, 85), (4, 17)])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_grey_of_few_bits_is_as_viewers_show_it(
    tmp_path: Path, bits: int, step: int, suffix: str
) -> None:
    code = mask_code("colours", (BLACK, (step,) * 3, WHITE), (), ())
    file, driver = tmp_path / f"a{suffix}", "PNG" if suffix == ".png" else "GTiff"
    shape = {"width": 3, "height": 1, "count": 1, "dtype": "uint8"}
    with rasterio.open(file, "w", driver=driver, nbits=bits, **shape) as raster:
        raster.write(np.array([[[0, 1, 2**bits - 1]]], np.uint8))
    assert decode(code, file) == [[0, 1, 2]]


def rgba(*pixels: tuple[int, int, int, int]) -> Image.Image:
    return Image.fromarray(np.array([pixels], np.uint8))


def test_transparent_pixels_of_rgba_have_no_truth(tmp_path: Path) -> None:
    """Their colours need not be known; half transparent ones are what they are."""
    file = tmp_path / "a.png"
    rgba((0, 0, 0, 0), (0, 0, 0, 255), (9, 9, 9, 0), (*GREEN, 128), (*WHITE, 1)).save(file)
    assert decode(COLOURS, file) == [[NONE, 0, NONE, 2, 1]]


def test_an_opaque_alpha_says_nothing(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    rgba((*WHITE, 255), (*GREEN, 255)).save(file)
    assert decode(COLOURS, file) == [[1, 2]]
    rgba((1, 1, 1, 255), (2, 2, 2, 255)).save(file)
    assert decode(IDS, file) == [[1, 2]]
    rgba((1, 1, 1, 0), (7, 8, 9, 0), (2, 2, 2, 255)).save(file)
    assert decode(IDS, file) == [[NONE, NONE, 2]]


def test_grey_with_alpha(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    Image.fromarray(np.array([[[0, 255], [1, 255], [1, 0]]], np.uint8)).save(file)
    assert decode(IDS, file) == [[0, 1, NONE]]
    Image.fromarray(np.array([[[0, 255], [255, 255], [255, 0]]], np.uint8)).save(file)
    assert decode(COLOURS, file) == [[0, 1, NONE]]


@pytest.mark.parametrize("alphas", [(0, 255, 255, 255), (0, 255, 255, 0), (255, 128, 255, 0)])
def test_transparent_entries_of_a_palette_have_no_truth(
    tmp_path: Path, alphas: tuple[int, ...]
) -> None:
    """Two entries are black: only by its transparency is one of them no class."""
    file = tmp_path / "a.png"
    picture = Image.fromarray(np.array([[0, 1, 2, 3]], np.uint8))
    picture = picture.convert("P")
    picture.putpalette([*BLACK, *WHITE, *GREEN, *BLACK])
    picture.putdata([0, 1, 2, 3])
    picture.save(file, transparency=bytes(alphas))
    shown = [NONE if alpha == 0 else id_ for id_, alpha in zip((0, 1, 2, 0), alphas, strict=True)]
    assert decode(COLOURS, file) == [shown]
    by_id = mask_code("ids", (BLACK, WHITE, GREEN, (1, 1, 1)), (), ())
    assert decode(by_id, file) == [
        [NONE if alpha == 0 else id_ for id_, alpha in enumerate(alphas)]
    ]


def test_a_colour_that_a_png_declares_transparent_has_no_truth(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    pixels = np.array([[BLACK, WHITE, GREEN, (0, 255, 255)]], np.uint8)
    Image.fromarray(pixels).save(file, transparency=BLACK)
    code = mask_code("colours", (BLACK, WHITE, GREEN, (0, 255, 255)), (), ())
    assert decode(code, file) == [[NONE, 1, 2, 3]]
    Image.fromarray(np.array([[0, 1, 2]], np.uint8)).save(file, transparency=0)
    assert decode(IDS, file) == [[NONE, 1, 2]]


def legend(*values: tuple[int, ...], **more: Any) -> Legend:
    classes = tuple(
        LandCoverClass(name=name, colour=(place,) * 3, values=of_class)
        for place, (name, of_class) in enumerate(zip("abc", values, strict=True))
    )
    return Legend(**({"classes": classes, "mask_values": "ids"} | more))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "int32", "float32", "float64"])
def test_ids_may_be_of_any_numbering_several_a_class_and_of_any_type(
    tmp_path: Path, dtype: str
) -> None:
    code = legend((10,), (30, 31), (0, 100), ignored_ids=(7,)).code()
    file = write_raster(tmp_path / "a.tif", np.array([[[10, 31, 100, 7], [0, 30, 10, 7]]], dtype))
    assert decode(code, file) == [[0, 1, 2, NONE], [2, 1, 0, NONE]]


def test_ids_beyond_a_byte(tmp_path: Path) -> None:
    code = legend((-1,), (311, 523), (70_000,), ignored_ids=(-9_999,)).code()
    values = np.array([[[523, -1, 311], [70_000, -9_999, -1]]], np.int32)
    assert decode(code, write_raster(tmp_path / "a.tif", values)) == [[1, 0, 1], [2, NONE, 0]]


def test_not_a_number_has_no_truth_and_a_fraction_is_no_class(tmp_path: Path) -> None:
    file = write_raster(tmp_path / "a.tif", np.array([[[0, np.nan, 2]]], np.float32))
    assert decode(IDS, file) == [[0, NONE, 2]]
    write_raster(file, np.array([[[0, 0.5, np.inf, -1]]], np.float32))
    with pytest.raises(ValueError, match=r"class id -1 on 1 pixels, class id 0\.5 on 1 .* id inf"):
        decode(IDS, file)


def test_a_negative_id_is_not_taken_for_no_truth(tmp_path: Path) -> None:
    file = write_raster(tmp_path / "a.tif", np.array([[[0, -1, 256]]], np.int16))
    with pytest.raises(ValueError, match="class id -1 on 1 pixels, class id 256 on 1 pixels; kn"):
        decode(IDS, file)


def with_nodata(file: Path, values: NDArray[np.generic], nodata: float) -> Path:
    write_raster(file, values)
    with rasterio.open(file, "r+") as raster:
        raster.nodata = nodata
    return file


def test_the_nodata_value_of_a_mask_has_no_truth(tmp_path: Path) -> None:
    ids = np.array([[[0, 255, 2]]], np.uint8)
    assert decode(IDS, with_nodata(tmp_path / "a.tif", ids, 255)) == [[0, NONE, 2]]
    stated = legend((0,), (1,), (2,)).code()
    assert decode(stated, with_nodata(tmp_path / "b.tif", ids % 255, 0)) == [[0, 0, 2]]
    three = np.repeat(ids, 3, axis=0)
    assert decode(IDS, with_nodata(tmp_path / "c.tif", three, 255)) == [[0, NONE, 2]]


def test_a_mask_of_the_mask_has_no_truth(tmp_path: Path) -> None:
    file = write_raster(tmp_path / "a.tif", np.array([[[0, 1, 2]]], np.uint8))
    with rasterio.open(file, "r+") as raster:
        raster.write_mask(np.array([[True, True, False]]))
    assert decode(IDS, file) == [[0, 1, NONE]]


def index(folder: Path, mask: Path, of: Legend) -> None:
    with open_raster(mask) as raster:
        shape, crs = raster.shape, raster.crs
    image = folder / "images" / f"{mask.stem}.tif"
    write_raster(image, np.ones((3, *shape), np.uint8), crs=crs)
    write_index(folder, folder / "images", mask.parent, of)


COLOUR_LEGEND = Legend(
    classes=(LandCoverClass(name="a", colour=BLACK), LandCoverClass(name="b", colour=GREEN)),
    mask_values="colours",
)


@pytest.mark.parametrize(
    ("values", "of", "kind"),
    [
        (np.array([[[0, 1]]], np.uint8), legend((), (), ()), "id"),
        (np.zeros((3, 1, 2), np.uint8), COLOUR_LEGEND, "colour"),
        (np.zeros((1, 1, 2), np.uint8), COLOUR_LEGEND, "colour"),
    ],
)
def test_a_nodata_value_that_is_a_class_is_refused(
    tmp_path: Path, values: NDArray[np.uint8], of: Legend, kind: str
) -> None:
    """It is what QGIS writes unless told otherwise, and may mean either."""
    file = with_nodata(tmp_path / "masks" / "a.tif", values, 0)
    message = rf"masks/a\.tif: its nodata value 0 is also the {kind} of a class; .*--unset-nodata"
    with pytest.raises(ValueError, match=message):
        index(tmp_path, file, of)
    with_nodata(file, values, 9)
    index(tmp_path, file, of)


@pytest.mark.parametrize(
    ("colours", "nodata", "shown"),
    [
        ([BLACK, GREEN], 255, [0, 1, NONE]),  # entry 255, which nobody chose, is black
        ([GREEN, BLACK], 255, None),  # nobody can tell which black was chosen
        ([BLACK, GREEN], 0, None),
        ([GREEN, BLACK], 1, None),
    ],
)
def test_the_nodata_number_of_a_palette(
    tmp_path: Path, colours: list[Colour], nodata: int, shown: list[int] | None
) -> None:
    file = tmp_path / "masks" / "a.tif"
    write_as(file, np.array([[[0, 1, 255]]], np.uint8), photometric="palette", nodata=nodata)
    with rasterio.open(file, "r+") as raster:
        raster.write_colormap(1, {number: (*rgb, 255) for number, rgb in enumerate(colours)})
    if shown is None:
        with pytest.raises(ValueError, match=r"is also the colour of a class; .*--unset-nodata F"):
            index(tmp_path, file, COLOUR_LEGEND)
    else:
        index(tmp_path, file, COLOUR_LEGEND)
        assert decode(COLOUR_LEGEND.code(), file) == [shown]


def write_as(file: Path, values: NDArray[np.uint8], **options: Any) -> Path:
    file.parent.mkdir(exist_ok=True)
    count, height, width = values.shape
    shape = {"width": width, "height": height, "count": count, "dtype": "uint8"}
    with rasterio.open(file, "w", **shape, **options) as raster:
        raster.write(values)
    return file


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("a.jpg", {"driver": "JPEG"}, "a mask cannot be a JPEG, since its compression changes"),
        ("a.png", {"driver": "JPEG"}, "a mask cannot be a JPEG"),
        ("a.tif", {"driver": "GTiff", "compress": "JPEG"}, "a mask cannot be a JPEG"),
        ("a.tif", {"driver": "GTiff", "compress": "WEBP"}, "a mask cannot be a lossy WEBP"),
        ("a.jp2", {"driver": "JP2OpenJPEG"}, "a mask cannot be a lossy JPEG2000"),
    ],
)
def test_lossy_masks_are_refused_by_name(
    tmp_path: Path, name: str, options: dict[str, str], message: str
) -> None:
    values = np.zeros((3, 16, 16), np.uint8)
    values[:, 4:9, 3:12] = 2
    file = write_as(tmp_path / "masks" / name, values, **options)
    with pytest.raises(ValueError, match=rf"masks/{name}: {message}"):
        index(tmp_path, file, legend((), (), ()))


def test_jpeg_2000_without_loss_is_a_mask(tmp_path: Path) -> None:
    values = np.zeros((1, 16, 16), np.uint8)
    values[:, 4:9, 3:12] = 2
    options = {"driver": "JP2OpenJPEG", "quality": "100", "reversible": "YES"}
    file = write_as(tmp_path / "masks" / "a.jp2", values, **options)
    index(tmp_path, file, legend((), (), ()))
    assert decode(IDS, file) == values[0].tolist()


def test_masks_of_colours_are_8_bit(tmp_path: Path) -> None:
    file = write_raster(tmp_path / "masks" / "a.tif", np.zeros((3, 4, 4), np.uint16))
    with pytest.raises(ValueError, match=r"a\.tif: a mask of colours must be 8-bit, got uint16"):
        index(tmp_path, file, COLOUR_LEGEND)


@pytest.mark.parametrize(
    ("values", "more", "message"),
    [
        (((1,), (), (2,)), {}, r"values: all classes have some or none; 'b' has none"),
        (((1,), (2,), (3,)), {"mask_values": "colours"}, r"values of 'a' need mask_values: ids"),
        (((1,), (2,), (2, 3)), {}, "one value stands for two classes"),
        (((1,), (2,), (3,)), {"ignored_ids": (3,)}, "one value stands for two classes"),
    ],
)
def test_values_that_make_no_sense_are_refused(
    values: tuple[tuple[int, ...], ...], more: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        legend(*values, **more)
