"""Where a raster holds data: by its alpha band, its masks, its nodata values and NaN."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import MaskFlags
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader
from rasterio.windows import Window

from partialseg.source.alpha import alpha_of
from partialseg.source.raster import unreadable

Span = tuple[float, float]
EIGHT_BIT: Span = (0, 255)


def may_have_holes(raster: DatasetReader, bands: Sequence[int]) -> bool:
    """Return whether pixels of these bands may be without data; if not, covered() need not look."""
    return (
        alpha_of(raster.colorinterp, bands) is not None
        # Also of a band that is marked as alpha and read as a colour: GDAL's resampling obeys it.
        or any(MaskFlags.all_valid not in raster.mask_flag_enums[band - 1] for band in bands)
        or any(np.dtype(raster.dtypes[band - 1]).kind == "f" for band in bands)
    )


def covered(
    raster: DatasetReader,
    bands: Sequence[int],
    pixels: NDArray[np.generic],
    window: Window,
    span: Span,
    nodata: Sequence[float | None] | None = None,
) -> NDArray[np.bool_]:
    """Return which pixels (H, W) of a window hold data; each sign against a pixel counts.

    These signs are: alpha is 0; a mask of the file, internal or beside it (.msk), or of one of the
    bands; NaN, or in an image infinity, in any band; the nodata values in all bands. A nodata value
    outside of span, the least and the largest value of an image, counts in any band: it cannot be a
    measurement, as a dark 0 in one band can.

    Args:
        raster: the open file.
        bands: those that are read, counted from 1.
        pixels: their values (H, W, bands) in the window.
        window: in pixels of the file.
        span: the values that black and white have.
        nodata: the nodata value, or None, of each of the bands; None: those of the file.

    Raises:
        ValueError: the file breaks off or is damaged there.
    """
    valid = np.ones(pixels.shape[:2], bool)
    for mask in _masks(raster, bands, window):
        valid &= mask != 0
    if pixels.dtype.kind == "f":
        # A division by zero is no measurement either. In a mask it stays a value, and is named.
        unmeasured = np.isnan if np.isinf(span[1]) else _is_not_finite
        valid &= ~unmeasured(pixels).any(axis=-1)
    if nodata is None:
        nodata = [raster.nodatavals[band - 1] for band in bands]
    is_nodata = np.zeros(pixels.shape, bool)
    for index, value in enumerate(nodata):
        if value is None:
            continue
        is_nodata[..., index] = pixels[..., index] == value
        if not span[0] <= value <= span[1]:
            valid &= ~is_nodata[..., index]
    valid &= ~is_nodata.all(axis=-1)
    return valid


def _is_not_finite(pixels: NDArray[np.generic]) -> NDArray[np.bool_]:
    return ~np.isfinite(pixels)


def _masks(
    raster: DatasetReader, bands: Sequence[int], window: Window
) -> list[NDArray[np.generic]]:
    """Return alpha and masks (H, W) of a window; 0 is no data.

    Nodata values are not asked for: GDAL lets them hide an alpha band, and judges band by band.
    """
    alpha = alpha_of(raster.colorinterp, bands)
    flags = {band: raster.mask_flag_enums[band - 1] for band in bands}
    of_file = [
        band
        for band in bands
        if MaskFlags.per_dataset in flags[band] and MaskFlags.alpha not in flags[band]
    ][:1]
    of_bands = [band for band in bands if not flags[band]]
    try:
        masks = [raster.read_masks(band, window=window) for band in (*of_file, *of_bands)]
        if alpha is not None:
            masks.append(raster.read(alpha, window=window))
    except RasterioError as error:
        raise unreadable(raster.name, error) from error
    return masks
