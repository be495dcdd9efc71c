"""Images whose pixels come from the first row on alone are decoded once, into a copy."""

import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import rasterio
import rasterio.shutil
from rasterio._err import CPLE_BaseError  # rasterio.shutil lets it through
from rasterio.errors import NotGeoreferencedWarning, RasterioError

from partialseg.core.files import part_folder
from partialseg.source.placement import prj_beside
from partialseg.source.raster import CACHE_MIB, open_raster

# Formats that GDAL decodes from the first row again when it goes back, as resampling does: the map
# of a progressive JPEG of 28 Mpx took 82 s, of a baseline one 13 s.
IN_ORDER = ("JPEG", "PNG")


def reads_in_order(image: Path) -> bool:
    """Return whether the pixels of an image come from the first row on alone.

    Raises:
        ValueError: the image cannot be read.
    """
    with open_raster(image) as raster:
        if raster.driver != "VRT":
            return raster.driver in IN_ORDER
        sources = [file for file in map(Path, raster.files) if file != image]
    # One of many would be copied as a whole, though each of its sources is decoded quickly.
    return len(sources) == 1 and sources[0].is_file() and reads_in_order(sources[0])


@contextmanager
def random_access(image: Path, folder: Path) -> Iterator[Path]:
    """Yield a file of the pixels of an image that any window is quickly read from.

    That is the image itself, or a copy in `folder`, uncompressed, which is removed afterwards.

    Raises:
        ValueError: the image cannot be read.
        OSError: the copy cannot be made (the image is damaged, or the disk is full).
    """
    if not reads_in_order(image):
        yield image
        return
    with part_folder(folder / f"{image.name}.pixels") as part:
        copy = part / image.name
        try:
            with warnings.catch_warnings(), rasterio.Env(GDAL_CACHEMAX=CACHE_MIB):
                warnings.simplefilter("ignore", NotGeoreferencedWarning)  # as the image has none
                rasterio.shutil.copy(
                    image, copy, driver="GTiff", tiled=True, interleave="pixel", bigtiff="IF_SAFER"
                )
        except (RasterioError, CPLE_BaseError) as error:
            cause = error.__cause__ or error
            raise OSError(
                f"{image}: cannot be decoded into {part} (damaged, or is the disk full?): {cause}"
            ) from error
        projection = prj_beside(image)
        if projection:
            shutil.copyfile(projection, copy.with_suffix(".prj"))
        yield copy
