"""Resampling of images of which a part has no data."""

import math

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.windows import Window

from partialseg.mapping.frame import Frame

ROUNDING = 1e-6  # px
MARGIN = 2  # px: as far as bilinear interpolation looks, and one more


def around(window: Window, frame: Frame) -> Window:
    """Return whole pixels of a file that hold a window and a margin."""
    left, top = (max(0, math.floor(edge) - MARGIN) for edge in (window.col_off, window.row_off))
    right = min(frame.width, math.ceil(window.col_off + window.width) + MARGIN)
    bottom = min(frame.height, math.ceil(window.row_off + window.height) + MARGIN)
    return Window(left, top, right - left, bottom - top)


def centres(window: Window, shape: tuple[int, int]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the rows and the columns of the pixels under the centres of `shape` pixels."""
    height, width = shape
    rows = window.row_off + (np.arange(height) + 0.5) * window.height / height
    columns = window.col_off + (np.arange(width) + 0.5) * window.width / width
    # A centre may lie between two pixels: rounding must not decide which one is meant.
    return (rows + ROUNDING).astype(np.intp), (columns + ROUNDING).astype(np.intp)


def resampled_by_mask(
    pixels: NDArray[np.generic],
    has_data: NDArray[np.bool_],
    window: Window,
    shape: tuple[int, int],
    resampling: Resampling,
) -> NDArray[np.generic]:
    """Return a window of pixels (H, W, bands) as `shape`, by GDAL, from those that have data."""
    height, width, bands = pixels.shape
    with rasterio.open(
        "",
        "w+",
        driver="MEM",
        height=height,
        width=width,
        count=bands,
        dtype=pixels.dtype,
        transform=Affine.translation(0, 1),  # any: without one, rasterio warns
    ) as raster:
        # Weights of 0 do not remove NaN.
        raster.write(np.moveaxis(np.where(has_data[..., None], pixels, 0), -1, 0))
        raster.write_mask(has_data)
        out = np.empty((*shape, bands), pixels.dtype)
        raster.read(window=window, out=np.moveaxis(out, -1, 0), resampling=resampling)
    return out
