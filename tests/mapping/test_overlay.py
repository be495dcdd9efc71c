from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from affine import Affine
from numpy.typing import NDArray
from PIL import Image
from rasterio.windows import Window

from mapping_models import PLAIN
from partialseg.mapping.areas import class_areas
from partialseg.mapping.class_map import class_map_layout
from partialseg.mapping.cog import new_cog
from partialseg.mapping.frame import Frame
from partialseg.mapping.overlay import _shrunk, write_overlay
from partialseg.source.raster import open_raster
from rasters import write_raster

PALETTE = ((200, 0, 0), (0, 100, 200))
# Half of the map each, with nodata in the lower rows.
IDS = np.repeat([[0] * 200 + [1] * 200], 300, axis=0).astype(np.uint8)
IDS[200:] = 255


@pytest.fixture
def class_map(tmp_path: Path) -> Path:
    return write_map(tmp_path / "map.tif", ("field", "lake"))


def write_map(file: Path, names: tuple[str, str]) -> Path:
    frame = Frame(width=400, height=300, crs=None, transform=Affine.identity())
    with new_cog(file, frame, class_map_layout(names, PALETTE, {})) as writer:
        writer.write(IDS[None], Window(0, 0, 400, 300))
    return file


def pixels_of(file: Path) -> NDArray[np.uint8]:
    with Image.open(file) as picture:
        assert picture.mode == "RGB" and picture.format == "PNG"
        return np.asarray(picture)


def test_the_image_shows_through_the_colours_and_nodata_is_white(
    tmp_path: Path, class_map: Path
) -> None:
    image = write_raster(tmp_path / "image.tif", np.full((3, 300, 400), 100, np.uint8))
    write_overlay(image, class_map, tmp_path / "o.png", class_areas(class_map), PLAIN)
    pixels = pixels_of(tmp_path / "o.png")
    assert pixels.shape[1] == 400 and pixels.shape[0] > 300
    assert pixels[100, 50].tolist() == [145, 55, 55]  # 0.55 x 100 + 0.45 x colour
    assert pixels[100, 350].tolist() == [55, 100, 145]
    assert pixels[100, 199].tolist() == [190, 10, 10]  # 0.1 x 100 + 0.9 x colour: a border
    assert (pixels[200:300] == 255).all()


def test_the_legend_shows_each_colour_below_the_picture(tmp_path: Path, class_map: Path) -> None:
    image = write_raster(tmp_path / "image.tif", np.full((3, 300, 400), 100, np.uint8))
    write_overlay(image, class_map, tmp_path / "o.png", class_areas(class_map), PLAIN)
    strip = pixels_of(tmp_path / "o.png")[300:]
    columns = [np.flatnonzero((strip == colour).all(axis=-1).any(axis=0)) for colour in PALETTE]
    assert len(columns[0]) == len(columns[1]) == 20
    assert columns[0][-1] < columns[1][0]


def test_a_narrow_legend_takes_more_lines(tmp_path: Path, class_map: Path) -> None:
    long = write_map(
        tmp_path / "long.tif", ("a long name of a class", "an even longer name of one")
    )
    image = write_raster(tmp_path / "image.tif", np.full((3, 300, 400), 100, np.uint8))
    for file in (class_map, long):
        png = file.with_suffix(".png")
        write_overlay(image, file, png, class_areas(file), PLAIN)
    heights = [len(pixels_of(tmp_path / name)) - 300 for name in ("map.png", "long.png")]
    assert heights == [42, 70]


def test_the_legend_knows_other_letters_than_english_ones(tmp_path: Path) -> None:
    image = write_raster(tmp_path / "image.tif", np.full((3, 300, 400), 100, np.uint8))
    strips = []
    for name in ("ż", "ą"):  # a font without them draws the same box for both
        file = write_map(tmp_path / f"{ord(name)}.tif", (name, "lake"))
        png = file.with_suffix(".png")
        write_overlay(image, file, png, class_areas(file), PLAIN)
        strips.append(pixels_of(png)[300:, :60])
    assert (strips[0] != strips[1]).any()


def test_a_large_map_is_scaled_down(tmp_path: Path, class_map: Path) -> None:
    image = write_raster(tmp_path / "image.tif", np.full((3, 300, 400), 100, np.uint8))
    write_overlay(image, class_map, tmp_path / "o.png", class_areas(class_map), PLAIN, max_side=100)
    pixels = pixels_of(tmp_path / "o.png")
    assert pixels.shape[1] == 360  # the legend needs more than the picture's 100 px
    assert pixels[30, 130 + 20].tolist() == [145, 55, 55]
    assert (pixels[:75, :130] == 255).all() and (pixels[:75, 230:] == 255).all()


def test_deep_images_are_stretched(tmp_path: Path, class_map: Path) -> None:
    bands = np.full((4, 300, 400), 2000, np.uint16)
    bands[1], bands[2] = 500, 9000
    image = write_raster(tmp_path / "image.tif", bands)
    write_overlay(
        image,
        class_map,
        tmp_path / "o.png",
        class_areas(class_map),
        replace(PLAIN, stretch=(1000, 3550)),
    )
    # 100, 0 and 255 of the image under (200, 0, 0)
    assert pixels_of(tmp_path / "o.png")[100, 50].tolist() == [145, 0, 140]


@pytest.mark.parametrize("side", [300, 211, 97])
def test_a_smaller_picture_weights_pixels_by_area(tmp_path: Path, side: int) -> None:
    draw = np.random.default_rng(side)
    image = draw.integers(0, 256, (300, 310, 3), dtype=np.uint8)
    has_class = draw.random((300, 310)) < 0.7
    has_class[:40, :50] = False
    ids = np.where(has_class, 0, 255).astype(np.uint8)
    frame = Frame(width=310, height=300, crs=None, transform=Affine.identity())
    with new_cog(tmp_path / "map.tif", frame, class_map_layout(("a",), PALETTE[:1], {})) as writer:
        writer.write(ids[None], Window(0, 0, 310, 300))
    write_raster(tmp_path / "image.tif", np.moveaxis(image, 2, 0))
    with (
        open_raster(tmp_path / "image.tif") as pixels,
        open_raster(tmp_path / "map.tif") as classes,
    ):
        found, seen = _shrunk(pixels, classes, (side, side + 10), PLAIN)
    weights = has_class.astype(np.float64)[..., None]
    size = (side + 10, side)
    total = cv2.resize(np.dstack([image * weights, weights]), size, interpolation=cv2.INTER_AREA)
    assert (seen == (total[..., 3] > 1e-9)).all() and not seen.all()
    expected = total[seen][:, :3] / total[seen][:, 3:]
    np.testing.assert_allclose(found[seen], expected, atol=0.02)


def test_a_pixel_of_a_smaller_picture_is_the_mean_of_those_with_a_class(tmp_path: Path) -> None:
    # Two and a half rows and columns become one, strip by strip.
    rows = np.arange(1000) // 5 * 2
    image = np.where(np.arange(10) < 5, rows[:, None] % 200, 90).astype(np.uint8)
    image[:, 0] = 255  # no data, which must not brighten its neighbours
    ids = np.zeros((1000, 10), np.uint8)
    ids[:, 0] = 255
    frame = Frame(width=10, height=1000, crs=None, transform=Affine.identity())
    with new_cog(tmp_path / "map.tif", frame, class_map_layout(("a",), PALETTE[:1], {})) as writer:
        writer.write(ids[None], Window(0, 0, 10, 1000))
    write_raster(tmp_path / "image.tif", np.stack([image] * 3))
    areas = class_areas(tmp_path / "map.tif")
    write_overlay(
        tmp_path / "image.tif", tmp_path / "map.tif", tmp_path / "o.png", areas, PLAIN, max_side=400
    )
    picture = pixels_of(tmp_path / "o.png")[:400, 178:182]
    values = np.repeat(np.arange(200) * 2 % 200, 2)  # of the image, under 0.45 x (200, 0, 0)
    assert np.abs(picture[:, 0, 1] - 0.55 * values).max() <= 1
    assert np.abs(picture[:, 3, 1] - 0.55 * 90).max() <= 1


def test_another_size_is_refused(tmp_path: Path, class_map: Path) -> None:
    image = write_raster(tmp_path / "image.tif", np.zeros((3, 300, 401), np.uint8))
    with pytest.raises(ValueError, match=r"map\.tif: is \(300, 400\), but .* is \(300, 401\)"):
        write_overlay(image, class_map, tmp_path / "o.png", class_areas(class_map), PLAIN)


def test_an_image_without_colours_is_refused(tmp_path: Path, class_map: Path) -> None:
    image = write_raster(tmp_path / "image.tif", np.zeros((1, 300, 400), np.uint8))
    with pytest.raises(ValueError, match=r"image\.tif: has 1 band\(s\); red, green and blue"):
        write_overlay(image, class_map, tmp_path / "o.png", class_areas(class_map), PLAIN)
    assert not (tmp_path / "o.png").exists()
