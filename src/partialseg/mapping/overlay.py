"""A picture to look at: an image under the colours of its classes, with a legend."""

import math
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader
from rasterio.windows import Window

from partialseg.core.classes import Colour
from partialseg.core.files import new_file
from partialseg.mapping.areas import MapAreas
from partialseg.mapping.class_map import NODATA, read_classes
from partialseg.mapping.orthophoto import Reading, check_bands
from partialseg.source.bands import declared
from partialseg.source.raster import ROWS, open_raster, read_bands, read_values, unreadable
from partialseg.source.reading import stretched

STRENGTH, BORDER_STRENGTH = 0.45, 0.9  # of the class colours, inside a region and at its border
MIN_WIDTH = 360  # px, room for the legend of a small map
# Of the PNG: Pillow's own, 6, takes four times as long, for 8 % fewer bytes of 2,048 x 2,048 px.
COMPRESSION = 2
WHITE: Colour = (255, 255, 255)
INK: Colour = (40, 40, 40)


def write_overlay(
    image: Path,
    class_map: Path,
    file: Path,
    areas: MapAreas,
    reading: Reading,
    max_side: int = 2048,
) -> None:
    """Write a PNG of an image under its classes, at most max_side pixels a side, and a legend.

    areas are those of the class map; reading says how the image was read for it. Nodata is white.

    Raises:
        ValueError: image and class map differ in size, or one of them is damaged or lacks a band.
        OSError: the picture cannot be written.
    """
    with open_raster(image) as pixels, open_raster(class_map) as classes:
        if pixels.shape != classes.shape:
            raise ValueError(f"{class_map}: is {classes.shape}, but {image} is {pixels.shape}")
        check_bands(image, pixels, reading)
        _, palette = read_classes(classes)
        scale = min(1.0, max_side / max(classes.shape))
        height, width = (max(1, round(side * scale)) for side in classes.shape)
        rgb, has_class = _shrunk(pixels, classes, (height, width), reading)
        ids = _most_frequent(classes, (height, width))
    ids[~has_class] = NODATA
    picture = _with_legend(_blend(rgb, ids, palette), palette, areas)
    with new_file(file) as part:
        Image.fromarray(picture).save(part, compress_level=COMPRESSION)


def _shrunk(
    image: DatasetReader, classes: DatasetReader, size: tuple[int, int], reading: Reading
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return an image as (H, W, 3), and where its pixels (H, W) lie on any pixel with a class.

    A pixel is the mean of those with a class that it covers, weighted by the area that it covers.
    GDAL's own mean takes twice as long.
    """
    height, width = size
    by = image.height / height
    bands = reading.bands_of(declared(image))
    shrunk = np.empty((height, width, 4), np.float32)
    step = max(1, int(ROWS / by))
    for top in range(0, height, step):
        bottom = min(top + step, height)
        first, last = math.floor(top * by), min(math.ceil(bottom * by), image.height)
        window = Window(0, first, image.width, last - first)
        colours = stretched(read_bands(image, bands, window), reading.stretch)
        across = _narrowed(colours, read_values(classes, window)[0] != NODATA, width)
        rows = np.arange(top, bottom)[:, None] * by
        covered = np.minimum(rows + by, np.arange(first, last) + 1)
        covered -= np.maximum(rows, np.arange(first, last))
        down = covered.clip(0).astype(np.float32)
        shrunk[top:bottom] = (down @ across.reshape(last - first, -1)).reshape(-1, width, 4)
    total = np.maximum(shrunk[..., 3:], np.finfo(np.float32).tiny)
    means = (shrunk[..., :3] / total).astype(np.float32)
    return means, shrunk[..., 3] > 0


def _narrowed(
    colours: NDArray[np.uint8], has_class: NDArray[np.bool_], width: int
) -> NDArray[np.float32]:
    """Return rows (H, W, 3) as (H, width, 4): sums of the pixels with a class, and their share."""
    size = width, len(colours)
    if has_class.all():  # in 8 bits, a quarter of the time
        mean = cv2.resize(colours, size, interpolation=cv2.INTER_AREA)
        return np.dstack([mean, np.ones(mean.shape[:2], np.float32)])
    weights = has_class.astype(np.float32)[..., None]
    weighted = np.dstack([colours * weights, weights])
    return cv2.resize(weighted, size, interpolation=cv2.INTER_AREA)  # type: ignore[return-value]


def _most_frequent(classes: DatasetReader, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return a class map in the size (H, W)."""
    try:
        ids: NDArray[np.uint8] = classes.read(1, out_shape=size, resampling=Resampling.mode)
    except RasterioError as error:
        raise unreadable(classes.name, error) from error
    return ids


def _blend(
    rgb: NDArray[np.float32], ids: NDArray[np.uint8], palette: tuple[Colour, ...]
) -> NDArray[np.uint8]:
    """Return (H, W, 3): the image under the class colours, stronger at borders of regions."""
    table = np.full((NODATA + 1, 3), WHITE, np.float32)
    table[: len(palette)] = palette
    border = np.zeros(ids.shape, bool)
    border[:, :-1] |= ids[:, :-1] != ids[:, 1:]
    border[:-1] |= ids[:-1] != ids[1:]
    strength = np.where(border, np.float32(BORDER_STRENGTH), np.float32(STRENGTH))
    strength[ids == NODATA] = 1
    blended = rgb + strength[..., None] * (table[ids] - rgb)  # float32
    return blended.round().astype(np.uint8)


def _with_legend(
    picture: NDArray[np.uint8], palette: tuple[Colour, ...], areas: MapAreas
) -> NDArray[np.uint8]:
    """Return the picture above a white strip with the colour, name and share of each class."""
    width = max(picture.shape[1], MIN_WIDTH)
    size = max(14, width // 64)  # of the letters, px; all else in the strip follows from it
    font = cv2.FontFace("sans")  # comes with OpenCV and knows all letters; Pillow's only English
    texts = [f"{area.class_name}  {100 * area.share:.1f} %" for area in areas.classes]
    lengths = [cv2.getTextSize((0, 0), text, (0, 0), font, size)[2] for text in texts]
    places, legend_height = _places(lengths, size, width)
    legend = np.full((legend_height, width, 3), WHITE, np.uint8)
    for (x, y), text, colour in zip(places, texts, palette, strict=True):
        corners = (x, y), (x + size * 3 // 2, y + size)
        cv2.rectangle(legend, *corners, colour, cv2.FILLED)
        cv2.rectangle(legend, *corners, INK)
        cv2.putText(legend, text, (x + 2 * size, y + size * 6 // 7), INK, font, size)
    side = width - picture.shape[1]
    margins = ((0, 0), (side // 2, side - side // 2), (0, 0))
    return np.vstack([np.pad(picture, margins, constant_values=255), legend])


def _places(lengths: list[int], size: int, width: int) -> tuple[list[tuple[int, int]], int]:
    """Return the upper left corner of each entry, line by line, and the height of all lines."""
    places = []
    x = y = size
    for length in lengths:
        if x > size and x + 3 * size + length > width:
            x, y = size, y + 2 * size
        places.append((x, y))
        x += 4 * size + length
    return places, y + 2 * size
