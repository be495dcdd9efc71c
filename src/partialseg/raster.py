"""Reading rasters by windows: GeoTIFF, TIFF, PNG and JPEG through rasterio (GDAL)."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.io import DatasetReader
from rasterio.windows import Window

RGB = (1, 2, 3)  # bands
SUFFIXES = (".tif", ".tiff", ".png", ".jpg", ".jpeg")
# GDAL keeps decoded blocks up to this bound: room for a row of cells of a strip TIFF that is
# 40,000 px wide, and a bound on the memory of any raster.
CACHE_MIB = 96


@dataclass(frozen=True, kw_only=True)
class Header:
    """What a raster file says of itself; transform is rasterio's a, b, c, d, e, f."""

    width: int
    height: int
    bands: int
    dtype: str
    crs: str
    transform: tuple[float, ...]


@contextmanager
def open_raster(file: Path) -> Iterator[DatasetReader]:
    """Open a raster for reading by windows.

    Raises:
        ValueError: the file is missing or is no raster.
    """
    with warnings.catch_warnings(), rasterio.Env(GDAL_CACHEMAX=CACHE_MIB):
        warnings.simplefilter("ignore", NotGeoreferencedWarning)  # PNG and JPEG have none
        try:
            raster = rasterio.open(file)
        except RasterioError as error:
            raise _unreadable(file, error) from error
        with raster:
            yield raster


def read_header(file: Path) -> Header:
    """Return size, bands, type and georeference of a raster (crs '' where it has none).

    Raises:
        ValueError: the file is missing or is no raster.
    """
    with open_raster(file) as raster:
        return Header(
            width=raster.width,
            height=raster.height,
            bands=raster.count,
            dtype=raster.dtypes[0],
            crs=raster.crs.to_string() if raster.crs else "",
            transform=tuple(raster.transform)[:6],
        )


def read_rgb(raster: DatasetReader, window: Window) -> NDArray[np.uint8]:
    """Return the first three bands of a window as (H, W, 3).

    Raises:
        ValueError: the file breaks off or is damaged there.
    """
    return np.moveaxis(_read(raster, RGB, window), 0, -1)


def read_values(raster: DatasetReader, window: Window) -> NDArray[np.uint8]:
    """Return all bands of a window as (bands, H, W), untouched.

    Raises:
        ValueError: the file breaks off or is damaged there.
    """
    return _read(raster, tuple(raster.indexes), window)


def read_colours(raster: DatasetReader, window: Window) -> NDArray[np.uint8]:
    """Return the colours of a window as (3, H, W): a palette is looked up, alpha left out.

    Raises:
        ValueError: the file breaks off or is damaged there.
    """
    if raster.count >= 3:
        return _read(raster, RGB, window)
    band = _read(raster, (1,), window)[0]
    try:
        palette = raster.colormap(1)
    except ValueError:  # a grey mask: its colours are r = g = b
        return np.stack([band, band, band])
    table = np.zeros((256, 3), np.uint8)
    for index, colour in palette.items():
        table[index] = colour[:3]
    return np.moveaxis(table[band], -1, 0)


def _read(raster: DatasetReader, bands: tuple[int, ...], window: Window) -> NDArray[np.uint8]:
    # As the files have it, with the bands of a pixel side by side: GDAL would take three times
    # as long to part them, and images are wanted so anyway.
    pixels = np.empty((window.height, window.width, len(bands)), np.uint8)
    try:
        return raster.read(bands, window=window, out=np.moveaxis(pixels, -1, 0))
    except RasterioError as error:
        raise _unreadable(Path(raster.name), error) from error


def _unreadable(file: Path, error: RasterioError) -> ValueError:
    return ValueError(f"{file}: cannot be read as a raster: {error.__cause__ or error}")
