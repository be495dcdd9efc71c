"""Read rasters by windows through rasterio (GDAL), and measure their pixels on the ground."""

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import DTypeLike, NDArray
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.io import DatasetReader
from rasterio.windows import Window

from partialseg.source.bands import Declared, declared, rgb_bands
from partialseg.source.orientation import check_upright
from partialseg.source.placement import place_of
from partialseg.source.projections import use_own_projections

SUFFIXES = (".tif", ".tiff", ".png", ".jpg", ".jpeg", ".jp2", ".vrt")
# Bounds the memory that GDAL takes for decoded blocks, and has room for a row of cells of a TIFF
# in strips that is 40,000 px wide.
CACHE_MIB = 96
ROWS = 512  # that are read at once where a whole raster is gone through


@dataclass(frozen=True, kw_only=True)
class Header:
    """The properties of a raster file; transform is rasterio's a, b, c, d, e, f.

    declared is what its bands say that they are; place_remark is that of
    partialseg.source.placement.
    """

    width: int
    height: int
    bands: int
    dtypes: tuple[str, ...]
    crs: str
    transform: tuple[float, ...]
    declared: Declared
    place_remark: str


@contextmanager
def open_raster(file: Path, *, overviews: bool = True) -> Iterator[DatasetReader]:
    """Open a raster for reading by windows; without overviews, GDAL resamples its own pixels.

    Opened without, a raster that has no georeference has a transform of random numbers.

    Raises:
        ValueError: the file is missing or is no raster, or no coordinate systems are known.
    """
    use_own_projections()
    options = {} if overviews else {"OVERVIEW_LEVEL": "NONE"}
    with warnings.catch_warnings(), rasterio.Env(GDAL_CACHEMAX=CACHE_MIB):
        warnings.simplefilter("ignore", NotGeoreferencedWarning)  # PNG and JPEG have none
        try:
            raster = rasterio.open(file, **options)
        except RasterioError as error:
            raise unreadable(file, error) from error
        with raster:
            yield raster


def read_header(file: Path) -> Header:
    """Return size, bands, type and georeference of a raster (crs '' where it has none).

    Raises:
        ValueError: the file is missing, is no raster or is to be shown turned.
    """
    with open_raster(file) as raster:
        check_upright(raster)
        place = place_of(raster)
        return Header(
            width=raster.width,
            height=raster.height,
            bands=raster.count,
            dtypes=raster.dtypes,
            crs=place.crs.to_string() if place.crs else "",
            transform=tuple(place.transform)[:6],
            declared=declared(raster),
            place_remark=place.remark,
        )


def row_windows(raster: DatasetReader) -> Iterator[Window]:
    """Yield windows of all columns and at most ROWS rows, from the top, that cover a raster."""
    for top in range(0, raster.height, ROWS):
        yield Window(0, top, raster.width, min(ROWS, raster.height - top))


def palette_of(raster: DatasetReader) -> dict[int, tuple[int, int, int, int]] | None:
    """Return the colours (RGBA) of the first band's palette by their numbers, None without one."""
    try:
        palette: dict[int, tuple[int, int, int, int]] = raster.colormap(1)
    except ValueError:
        return None
    return palette


def read_rgb(raster: DatasetReader, window: Window) -> NDArray[np.uint8]:
    """Return red, green and blue of a window as (H, W, 3): the bands of partialseg.source.bands.

    Raises:
        ValueError: the file breaks off or is damaged there.
    """
    return np.moveaxis(_read(raster, rgb_bands(declared(raster)), window), 0, -1)


def read_values(raster: DatasetReader, window: Window) -> NDArray[np.uint8]:
    """Return all bands of a window as (bands, H, W), untouched.

    Raises:
        ValueError: the file breaks off or is damaged there.
    """
    return _read(raster, tuple(raster.indexes), window)


def read_bands(
    raster: DatasetReader, bands: tuple[int, ...], window: Window
) -> NDArray[np.generic]:
    """Return bands of a window as (H, W, bands), in the type of the file.

    Raises:
        ValueError: the file breaks off or is damaged there.
    """
    dtype = np.result_type(*(raster.dtypes[band - 1] for band in bands))
    return np.moveaxis(_read(raster, bands, window, dtype), 0, -1)


def read_colours(raster: DatasetReader, window: Window) -> NDArray[np.uint8]:
    """Return the colours of a window as (3, H, W): a palette is looked up, alpha left out.

    Grey of 1, 2 or 4 bits becomes the 0..255 that it is shown as.

    Raises:
        ValueError: the file breaks off or is damaged there.
    """
    if raster.count >= 3:
        return _read(raster, rgb_bands(declared(raster)), window)
    band = _read(raster, (1,), window)[0]
    palette = palette_of(raster)
    if palette is None:  # a grey mask: its colours are r = g = b
        bits = int(raster.tags(1, ns="IMAGE_STRUCTURE").get("NBITS", 8))
        if bits < 8:
            band = (band * (255 / (2**bits - 1))).round().astype(np.uint8)
        return np.stack([band, band, band])
    table = np.zeros((256, 3), np.uint8)
    for index, colour in palette.items():
        table[index] = colour[:3]
    return np.moveaxis(table[band], -1, 0)


def _read(
    raster: DatasetReader,
    bands: tuple[int, ...],
    window: Window,
    dtype: DTypeLike = np.uint8,
) -> NDArray[Any]:
    # The bands of a pixel side by side, as in the files and as images are used: separating them
    # would take GDAL three times as long.
    pixels = np.empty((window.height, window.width, len(bands)), dtype)
    try:
        return raster.read(bands, window=window, out=np.moveaxis(pixels, -1, 0))
    except RasterioError as error:
        raise unreadable(raster.name, error) from error


def unreadable(file: Path | str, error: RasterioError) -> ValueError:
    """Return the ValueError of a file that rasterio cannot read."""
    return ValueError(f"{file}: cannot be read as a raster: {error.__cause__ or error}")


def ground_size(crs: str, transform: Affine, width: int, height: int) -> tuple[float, float] | None:
    """Return the size of a pixel on the ground in metres: its width and its height.

    They are means over the middle row and the middle column, along geodesics, so that pixels in
    degrees, in feet or in the Mercator projection have their true size. None without a CRS.

    Raises:
        ValueError: the CRS is unknown, or the coordinates lie outside it.
    """
    if not crs:
        return None
    row = (0, height / 2), (width, height / 2)
    column = (width / 2, 0), (width / 2, height)
    try:
        known = CRS.from_user_input(crs)
        across, down = (
            _distance(known, *(transform @ end for end in ends)) for ends in (row, column)
        )
    except CRSError as error:
        raise ValueError(f"CRS {crs}: {error}") from error
    if not (0 < across < math.inf and 0 < down < math.inf):
        x, y = transform @ (width / 2, height / 2)
        raise ValueError(f"the coordinates ({x:g}, {y:g}) lie outside its CRS, {known.name}")
    return across / width, down / height


def _distance(crs: CRS, start: tuple[float, float], end: tuple[float, float]) -> float:
    if crs.geodetic_crs is None:  # a local system: a plane with a unit of its own
        return math.dist(start, end) * crs.axis_info[0].unit_conversion_factor
    to_degrees = Transformer.from_crs(crs, crs.geodetic_crs, always_xy=True)
    xs, ys = to_degrees.transform((start[0], end[0]), (start[1], end[1]))
    geod = crs.get_geod()
    assert geod is not None
    if not all(-90 <= y <= 90 and abs(x) <= 360 for x, y in zip(xs, ys, strict=True)):
        return math.inf
    return float(geod.inv(xs[0], ys[0], xs[1], ys[1])[2])
