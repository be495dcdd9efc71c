"""Synthetic orthophotos to measure on: as noisy as real ones, and of any size."""

from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray

from partialseg.datasets.sample.render import render_orthophoto

PIECE = 2048  # px of the rendered part; larger orthophotos are filled by mirroring it
SIZE = 9095, 9636  # height and width of a LandCover.ai orthophoto at 0.25 m
FORMATS = {
    "strips": {"tiled": False},
    "tiled deflate": {"tiled": True, "blockxsize": 256, "blockysize": 256, "compress": "deflate"},
}


def render(height: int, width: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return image (H, W, 3) and class ids (H, W)."""
    piece = min(PIECE, height), min(PIECE, width)
    image, ids = render_orthophoto(7, "benchmark", *piece)
    fill = (0, height - piece[0]), (0, width - piece[1])
    return np.pad(image, (*fill, (0, 0)), "symmetric"), np.pad(ids, fill, "symmetric")


def write_tiff(file: Path, bands: NDArray[np.uint8], layout: str) -> None:
    """Write (H, W) or (H, W, 3), pixel-interleaved, in a layout of FORMATS."""
    bands = np.atleast_3d(bands)
    height, width, count = bands.shape
    profile = {"driver": "GTiff", "dtype": "uint8", "interleave": "pixel", **FORMATS[layout]}
    file.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(file, "w", width=width, height=height, count=count, **profile) as raster:
        raster.write(np.moveaxis(bands, -1, 0))


def write_georeferenced(file: Path, image: NDArray[np.uint8], layout: str, gsd: float) -> None:
    """Write an image (H, W, 3), in a layout of FORMATS, with pixels of so many metres."""
    write_tiff(file, image, layout)
    with rasterio.open(file, "r+") as raster:
        raster.crs, raster.transform = "EPSG:2180", Affine(gsd, 0, 5e5, 0, -gsd, 6e5)
