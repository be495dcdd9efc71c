"""Write rasters of any size as cloud-optimised GeoTIFF (COG), and name their classes for GIS."""

import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, indent, tostring

import numpy as np
import rasterio
import rasterio.shutil
from affine import Affine
from numpy.typing import NDArray
from rasterio._err import CPLE_BaseError  # rasterio.shutil lets it through
from rasterio.enums import Resampling
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.io import DatasetWriter
from rasterio.windows import Window

from partialseg.core.classes import Colour
from partialseg.core.files import part_folder
from partialseg.mapping.frame import Frame
from partialseg.source.raster import CACHE_MIB

# Columns of a raster attribute table: name, type (GDALRATFieldType) and use (GDALRATFieldUsage).
INTEGER, STRING = "0", "2"
COLUMNS = (
    ("Value", INTEGER, "5"),
    ("Class", STRING, "2"),
    ("Red", INTEGER, "6"),
    ("Green", INTEGER, "7"),
    ("Blue", INTEGER, "8"),
)
BLOCK = 512  # px, the side of a tile


def pam_text(class_names: tuple[str, ...], palette: tuple[Colour, ...]) -> str:
    """Return the content of the side file that names the classes 0, 1, ... of the first band.

    As categories, which gdalinfo shows, and as a raster attribute table, which ArcGIS shows, and
    QGIS from 3.30 on where a map has no style (partialseg.mapping.styles).
    """
    root = Element("PAMDataset")
    band = SubElement(root, "PAMRasterBand", band="1")
    categories = SubElement(band, "CategoryNames")
    for name in class_names:
        SubElement(categories, "Category").text = name
    table = SubElement(band, "GDALRasterAttributeTable", tableType="thematic")
    for index, (name, kind, use) in enumerate(COLUMNS):
        field = SubElement(table, "FieldDefn", index=str(index))
        SubElement(field, "Name").text = name
        SubElement(field, "Type").text = kind
        SubElement(field, "Usage").text = use
    for index, (name, colour) in enumerate(zip(class_names, palette, strict=True)):
        row = SubElement(table, "Row", index=str(index))
        for value in (index, name, *colour):
            SubElement(row, "F").text = str(value)
    indent(root)
    return tostring(root, encoding="unicode") + "\n"


@dataclass(frozen=True, kw_only=True)
class Layout:
    """The metadata of a raster of uint8.

    class_names and palette are those of the ids 0, 1, ... (empty: the values are no classes).
    A value times scale is the quantity (None: the values are no quantity), measured in unit.
    """

    band_names: tuple[str, ...]
    nodata: int
    class_names: tuple[str, ...] = ()
    palette: tuple[Colour, ...] = ()
    scale: float | None = None
    unit: str = ""
    overviews: Resampling
    tags: Mapping[str, str]


class CogWriter:
    """Writes the pixels of a raster, window by window."""

    def __init__(self, raster: DatasetWriter, file: Path) -> None:
        self._raster = raster
        self._file = file

    def write(self, pixels: NDArray[np.uint8], window: Window) -> None:
        """Write pixels (bands, h, w) into a window; pixels that no window covers are nodata.

        Raises:
            OSError: they cannot be written (a full disk).
        """
        with _write_errors(self._file):
            self._raster.write(pixels, window=window)


@contextmanager
def new_cog(file: Path, frame: Frame, layout: Layout) -> Iterator[CogWriter]:
    """Yield a writer of a raster that replaces `file` when the block succeeds.

    The pixels are collected in a hidden tiled file, so memory is bounded whatever the size. A
    GeoTIFF cannot hold GDAL's names of classes (categories): they go to `<file>.aux.xml`, which
    GDAL and QGIS look for. After an exception nothing is left behind, and an earlier `file` is as
    it was.

    Raises:
        OSError: it cannot be written (a full disk).
    """
    with part_folder(file) as folder, rasterio.Env(GDAL_CACHEMAX=CACHE_MIB):
        raw, cog = folder / "raw", folder / "cog"
        with _write_errors(file):
            raster = _create(raw, frame, layout)
        try:
            yield CogWriter(raster, file)
        finally:
            with _write_errors(file):
                raster.close()
        with _write_errors(file):
            _convert(raw, cog, layout)
        _publish(cog, file, layout)


@contextmanager
def new_strip(file: Path, size: tuple[int, int], layout: Layout) -> Iterator[CogWriter]:
    """Yield a writer of some rows of a raster, (height, width), to be joined into a COG later.

    After an exception the file may be there in part.

    Raises:
        OSError: it cannot be written (a full disk).
    """
    height, width = size
    nowhere = Frame(width=width, height=height, crs=None, transform=Affine.identity())
    with rasterio.Env(GDAL_CACHEMAX=CACHE_MIB):
        with _write_errors(file):
            raster = _create(file, nowhere, layout)
        try:
            yield CogWriter(raster, file)
        finally:
            with _write_errors(file):
                raster.close()
        with _write_errors(file):
            _check_whole(file)


def _create(raw: Path, frame: Frame, layout: Layout) -> DatasetWriter:
    # ZSTD at its lowest level takes as long as no compression, for a tenth of the disk; LZW and
    # DEFLATE take three times as long.
    place = {} if frame.transform == Affine.identity() else {"transform": frame.transform}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)  # as the image has none
        raster = rasterio.open(
            raw,
            "w",
            driver="GTiff",
            width=frame.width,
            height=frame.height,
            count=len(layout.band_names),
            dtype="uint8",
            nodata=layout.nodata,
            crs=frame.crs,
            **place,
            tiled=True,
            blockxsize=BLOCK,
            blockysize=BLOCK,
            interleave="pixel",
            compress="ZSTD",
            zstd_level=1,
            bigtiff="IF_SAFER",
        )
    raster.descriptions = layout.band_names
    raster.update_tags(**layout.tags)
    if layout.palette:
        raster.write_colormap(1, dict(enumerate(layout.palette)))
    if layout.scale is not None:
        raster.scales = [layout.scale] * raster.count
        raster.units = [layout.unit] * raster.count
    return raster


def _convert(raw: Path, cog: Path, layout: Layout) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        rasterio.shutil.copy(
            raw,
            cog,
            driver="COG",
            compress="DEFLATE",
            # Storing differences of neighbours makes quantities a third smaller, classes larger.
            predictor="NO" if layout.scale is None else "YES",
            blocksize=BLOCK,
            bigtiff="IF_SAFER",
            num_threads="ALL_CPUS",
            overview_resampling=layout.overviews.name,
        )
        _check_whole(cog)


def _check_whole(file: Path) -> None:
    """Read the last tile: GDAL may not report a disk that is full when a file is closed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(file) as raster:
            raster.read(window=Window(raster.width - 1, raster.height - 1, 1, 1))


def _publish(cog: Path, file: Path, layout: Layout) -> None:
    names = cog.with_name("names")
    if layout.class_names:
        names.write_text(pam_text(layout.class_names, layout.palette), encoding="utf-8")
    side = file.with_name(file.name + ".aux.xml")
    side.unlink(missing_ok=True)  # names or statistics of an earlier file
    os.replace(cog, file)
    if layout.class_names:
        os.replace(names, side)


@contextmanager
def _write_errors(file: Path) -> Iterator[None]:
    try:
        yield
    except (RasterioError, CPLE_BaseError) as error:
        cause = error.__cause__ or error
        raise OSError(f"{file}: cannot be written (is the disk full?): {cause}") from error
