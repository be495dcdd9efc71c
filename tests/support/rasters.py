"""Small rasters in the real layout, and a disk that is full."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray

from partialseg.source.legend import LandCoverClass, Legend

PIXEL = 0.25  # metres
LEGEND = Legend(
    classes=(
        LandCoverClass(name="field", colour=(200, 180, 90)),
        LandCoverClass(name="house", colour=(200, 40, 30)),
        LandCoverClass(name="lake", colour=(40, 90, 200)),
    ),
    mask_values="ids",
    ignored_ids=(9,),
)


def write_raster(
    file: Path, bands: NDArray[np.generic], *, crs: str | None = "EPSG:2180", x: float = 500_000.0
) -> Path:
    """Write (bands, H, W) as the suffix says, north-up at (x, 600,000) with 0.25 m pixels."""
    count, height, width = bands.shape
    driver = {".tif": "GTiff", ".png": "PNG", ".jpg": "JPEG"}[file.suffix]
    file.parent.mkdir(parents=True, exist_ok=True)
    place = {"crs": crs, "transform": Affine(PIXEL, 0, x, 0, -PIXEL, 600_000.0)} if crs else {}
    profile = {"driver": driver, "width": width, "height": height, "count": count}
    with rasterio.open(file, "w", dtype=bands.dtype.name, **profile, **place) as raster:
        raster.write(bands)
    return file


@contextmanager
def limited_files(size: int) -> Iterator[None]:
    """Let no file grow beyond so many bytes: what a full disk is to a writer."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def draw_orthophoto(
    rng: np.random.Generator, height: int, width: int, classes: int = 3
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return bands (3, H, W) and ids (1, H, W): squares whose brightness tells the class."""
    blocks = rng.integers(0, classes, (-(-height // 8), -(-width // 8)))
    ids = np.kron(blocks, np.ones((8, 8), np.int64))[:height, :width].astype(np.uint8)
    noise = rng.integers(0, 40, (3, height, width))
    return (ids * 80 + noise).astype(np.uint8), ids[None]
