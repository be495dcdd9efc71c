"""How the images of a data set are read: their bands, their black and white, their pixel size."""

from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field, PositiveFloat, PositiveInt
from pydantic.dataclasses import dataclass
from rasterio.io import DatasetReader
from rasterio.windows import Window

from partialseg.core.params import STRICT
from partialseg.source.bands import Bands, declared, rgb_bands
from partialseg.source.coverage import Span, covered, may_have_holes
from partialseg.source.raster import read_bands

Pair = tuple[float, float]
Stretch = tuple[Pair, Pair, Pair]
BYTES: Stretch = ((0, 255),) * 3


def _pairs(value: Any) -> Any:
    """Return one pair as three, and lists as the tuples that strict mode asks for in Python."""
    if not isinstance(value, list | tuple):
        return value
    pairs = value if any(isinstance(item, list | tuple) for item in value) else [value] * 3
    return tuple(tuple(item) if isinstance(item, list) else item for item in pairs)


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Reading:
    """How images become the 8-bit pixels of three bands that a network sees.

    bands are numbers from 1 (None: red, green and blue, as a file declares them, or else the first
    three), and band_names say what they are, if not that. stretch are the values that become 0 and
    255, for all bands or a pair each; images that are not 8-bit need it. gsd is the pixel size in
    metres of files that state none.
    """

    bands: tuple[PositiveInt, PositiveInt, PositiveInt] | None = None
    band_names: tuple[str, str, str] | None = None
    stretch: Annotated[Stretch | None, BeforeValidator(_pairs)] = None
    gsd: Annotated[PositiveFloat | None, Field(allow_inf_nan=False)] = None

    def __post_init__(self) -> None:
        for low, high in self.stretch or ():
            if not low < high:
                raise ValueError(f"stretch: {low:g} must be below {high:g}")

    def bands_of(self, raster: DatasetReader) -> Bands:
        """Return the bands of an open image that are read."""
        return self.bands or rgb_bands(declared(raster))

    def read(
        self, raster: DatasetReader, window: Window
    ) -> tuple[NDArray[np.uint8], NDArray[np.bool_] | None]:
        """Return a window as (H, W, 3), and which of its pixels hold data (None: all).

        Raises:
            ValueError: the file breaks off or is damaged there.
        """
        bands = self.bands_of(raster)
        pixels = read_bands(raster, bands, window)
        data = None
        if may_have_holes(raster, bands):
            data = covered(raster, bands, pixels, window, span_of(self.stretch))
        return stretched(pixels, self.stretch), data


def span_of(stretch: Pair | Stretch | None) -> Span:
    """Return the least and the largest value of an image; 0 can be measured, whatever is black."""
    ends = np.asarray(BYTES if stretch is None else stretch)
    return min(float(ends.min()), 0.0), float(ends.max())


def stretched(
    pixels: NDArray[np.generic], stretch: Pair | Sequence[Pair] | None
) -> NDArray[np.uint8]:
    """Return values (H, W, 3) as 0..255, linear between a pair, or one a band; NaN becomes 0."""
    if stretch is None:
        return pixels.astype(np.uint8, copy=False)
    low, high = np.moveaxis(np.asarray(stretch, np.float64), -1, 0)
    factor = (255 / (high - low)).astype(np.float32)
    scaled = (pixels.astype(np.float32) - low.astype(np.float32)) * factor
    return np.clip(np.nan_to_num(scaled), 0, 255).round().astype(np.uint8)


def check_types(file: object, types: Sequence[str], stretch: object) -> None:
    """Check that the bands of an image are of one type, 8-bit unless there is a stretch.

    Raises:
        ValueError: they are not.
    """
    different = sorted(set(types))
    if len(different) > 1 or any(np.dtype(item).kind not in "uif" for item in different):
        raise ValueError(f"{file}: bands of the type {', '.join(different)} are no image")
    if different != ["uint8"] and stretch is None:
        raise ValueError(
            f"{file}: an image must be 8-bit, got {different[0]}, or have a `stretch`: the values "
            "that become black and white, as in stretch: [0, 4095]"
        )
