"""The band that is marked as alpha, and whether it is one by its values."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import ColorInterp
from rasterio.io import DatasetReader
from rasterio.windows import Window

from partialseg.source.raster import open_raster, read_bands

WINDOWS = 3  # across and down, that are looked at
SIDE = 128  # px of one of them
SOFT = 0.05  # share of the pixels: so many may lie on the soft edges of an alpha band
STEPS = 8  # different values: less may be steps of transparency


def alpha_of(kinds: Sequence[ColorInterp], colours: Sequence[int] = ()) -> int | None:
    """Return the band, counted from 1, that is marked as alpha, None if there is none.

    One of the bands that are read as colours is none: GDAL marks the fourth of four 8-bit bands so,
    whatever it shows.
    """
    found = (band for band, kind in enumerate(kinds, 1) if kind == ColorInterp.alpha)
    return next((band for band in found if band not in colours), None)


def colour_bands(raster: DatasetReader) -> tuple[int, ...]:
    """Return all bands of a raster, counted from 1, but its alpha band."""
    alpha = alpha_of(raster.colorinterp)
    return tuple(band for band in raster.indexes if band != alpha)


def alpha_remark(file: Path, band: int, option: str = "`bands`") -> str:
    """Return a remark on a band marked as alpha whose values are not those of one, '' otherwise.

    option is what names bands to read.

    Raises:
        ValueError: the file is missing or damaged.
    """
    with open_raster(file) as raster:
        values = _sample(raster, band)
    between = values[(values > 0) & (values < values.max(initial=0))]
    if len(between) <= SOFT * len(values) or len(np.unique(between)) < STEPS:
        return ""
    return (
        f"band {band} is marked as alpha, but has many values between transparent and opaque. "
        "That is right for a feathered edge. But GDAL marks the fourth of four 8-bit bands so, "
        "too, where nobody said what it is. If it is infrared, its pixels of 0 wrongly count as "
        "pixels without an image: unmark it (rio edit-info --colorinterp "
        f"red,green,blue,undefined FILE), or name it in {option} to read it"
    )


def check_named_alpha(file: Path, kinds: Sequence[ColorInterp], bands: Sequence[int]) -> None:
    """Check bands that somebody named as colours: one that is marked as alpha must not look so.

    Raises:
        ValueError: such a band has no value beside 0 and that of opaque.
    """
    for band in bands:
        if kinds[band - 1] != ColorInterp.alpha:
            continue
        with open_raster(file) as raster:
            values = _sample(raster, band)
        beside = np.unique(values[values > 0])
        if len(beside) == 1 and beside[0] in _opaque(values.dtype):
            raise ValueError(
                f"{file}: band {band} was named as a colour, but is marked as alpha and has the "
                "values of one, transparent and opaque alone"
            )


def _opaque(dtype: np.dtype[Any]) -> tuple[float, ...]:
    """Return the values that alpha bands of a type have where an image is opaque."""
    return (np.iinfo(dtype).max,) if dtype.kind in "ui" else (1.0, 255.0)


def _sample(raster: DatasetReader, band: int) -> NDArray[Any]:
    """Return the values of a band in windows spread over the raster, all of a small one."""
    places = [
        sorted({round((side - SIDE) * part / (WINDOWS - 1)) for part in range(WINDOWS)})
        if side > WINDOWS * SIDE
        else [*range(0, side, SIDE)]
        for side in (raster.height, raster.width)
    ]
    parts = [
        read_bands(
            raster,
            (band,),
            Window(left, top, min(SIDE, raster.width - left), min(SIDE, raster.height - top)),
        ).ravel()
        for top in places[0]
        for left in places[1]
    ]
    return np.concatenate(parts)
