"""Read orthophotos as a network needs them: 8-bit RGB at its pixel size."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader
from rasterio.windows import Window

from partialseg.mapping.frame import Frame, frame_of
from partialseg.mapping.resampling import around, centres, resampled_by_mask
from partialseg.models.blocks import STRIDE
from partialseg.source.alpha import alpha_of, check_named_alpha
from partialseg.source.bands import (
    Bands,
    Declared,
    check_colours,
    check_depth,
    check_positive,
    declared,
    rgb_bands,
    too_few_bands,
)
from partialseg.source.coverage import covered, may_have_holes
from partialseg.source.orientation import check_upright
from partialseg.source.raster import ground_size, open_raster, read_bands, unreadable
from partialseg.source.reading import Pair, Stretch, span_of, stretched
from partialseg.tiling.patches import GSD_TOLERANCE

HOLE_ROWS = 128  # of the grid, of which all pixels of the file are in memory at a time
LEAST_GSD, MOST_GSD = 1e-4, 1e5  # metres: from a microscope to a weather satellite
MOST_ENLARGED = 8  # times: coarser pixels do not show what the network was trained on


def nearest(distances: Sequence[float], distance: float) -> float:
    """Return the one of the distances that needs the least scaling of `distance`."""
    return min(distances, key=lambda item: abs(math.log(item / distance)))


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How images are read.

    bands are those of red, green and blue, counted from 1 (None: as an image declares them);
    stretch are the values that become 0 and 255, a pair or one a band, needed where an image is not
    8-bit; gsd is the pixel size in metres (None: that of the georeference). Without resample, an
    image of another pixel size than in training is an error. assumed_scale is the number of pixels
    in a row that make one of the network's, where an image tells no pixel size or that of the
    training is unknown. from_training names the fields that nobody chose for these images.
    """

    bands: Bands | None
    stretch: Pair | Stretch | None
    gsd: float | None
    resample: bool
    assumed_scale: float = 1.0
    from_training: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if self.bands and min(self.bands) < 1:
            raise ValueError(f"bands {self.bands} count from 1")
        if self.stretch:
            low, high = np.moveaxis(np.asarray(self.stretch, np.float64), -1, 0)
            if not (np.isfinite([low, high]).all() and (low < high).all()):
                raise ValueError(f"stretch {self.stretch}: the first value must be the smaller one")
        if self.gsd is not None and not LEAST_GSD <= self.gsd <= MOST_GSD:
            raise ValueError(f"gsd {self.gsd:g} m must be within {LEAST_GSD:g} and {MOST_GSD:g}")

    def bands_of(self, bands: Declared) -> Bands:
        """Return the bands of red, green and blue of an image that declares these."""
        return self.bands or rgb_bands(bands)


class Orthophoto:
    """An open image that is read at the network's resolution, as a grid of `shape` pixels.

    scale is the number of the file's pixels in one of the grid: (down, across); bands are those of
    red, green and blue, declared is what all of them say that they are; alpha is the band that
    marks where there is data, None if there is none.
    """

    def __init__(
        self, raster: DatasetReader, bands: Declared, frame: Frame, reading: Reading, scale: Pair
    ) -> None:
        self.frame = frame
        size = self.frame.height, self.frame.width
        rows, columns = (max(1, round(side / by)) for side, by in zip(size, scale, strict=True))
        self.shape = rows, columns
        self.scale = size[0] / rows, size[1] / columns
        self._raster = raster
        self._lock = Lock()
        self._reading = reading
        shrinks = max(self.scale) > 1
        self._resampling = Resampling.average if shrinks else Resampling.bilinear
        self.bands = reading.bands_of(bands)
        self.declared = bands
        self.alpha = alpha_of(raster.colorinterp, self.bands)
        self._has_holes = may_have_holes(raster, self.bands)

    def read(self, rows: slice, columns: slice) -> NDArray[np.uint8]:
        """Return a part (h, w, 3) of the grid; black where the image has no data.

        Raises:
            ValueError: the file breaks off or is damaged there.
        """
        if self._has_holes:
            starts = range(rows.start, rows.stop, HOLE_ROWS)
            parts = [slice(start, min(start + HOLE_ROWS, rows.stop)) for start in starts]
            return np.concatenate([self._read_with_holes(part, columns) for part in parts])
        window, shape = self._window(rows, columns)
        with self._reading_errors():
            pixels = np.empty((*shape, 3), self._raster.dtypes[self.bands[0] - 1])
            self._raster.read(
                self.bands,
                window=window,
                out=np.moveaxis(pixels, -1, 0),
                resampling=self._resampling,
            )
        return stretched(pixels, self._reading.stretch)

    def _window(self, rows: slice, columns: slice) -> tuple[Window, tuple[int, int]]:
        """Return the window of the file that a part of the grid covers, and the part's shape."""
        (down, across), h, w = self.scale, rows.stop - rows.start, columns.stop - columns.start
        return Window(columns.start * across, rows.start * down, w * across, h * down), (h, w)

    def _read_with_holes(self, rows: slice, columns: slice) -> NDArray[np.uint8]:
        """Return an image (h, w, 3) of which each pixel rests on those of the file with data.

        GDAL would leave out a nodata value band by band, so that a pixel that is dark in one band
        would become too bright.
        """
        window, shape = self._window(rows, columns)
        part = around(window, self.frame)
        pixels, has_data = self._read_pixels(part)
        inside = Window(
            window.col_off - part.col_off,
            window.row_off - part.row_off,
            window.width,
            window.height,
        )
        at_centres = np.ix_(*centres(inside, shape))
        if self.scale == (1.0, 1.0):
            pixels = pixels[at_centres]
        else:
            pixels = resampled_by_mask(pixels, has_data, inside, shape, self._resampling)
        image = stretched(pixels, self._reading.stretch)
        image[~has_data[at_centres]] = 0
        return image

    def valid(self, window: Window) -> NDArray[np.bool_] | None:
        """Return which pixels (h, w) of a window of the file hold data, None for all.

        Raises:
            ValueError: the file breaks off or is damaged there.
        """
        if not self._has_holes:
            return None
        return self._read_pixels(window)[1]

    def _read_pixels(self, window: Window) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
        """Return the pixels (h, w, 3) of a window of the file, and which of them hold data."""
        bands = self.bands
        span = span_of(self._reading.stretch)
        with self._reading_errors():
            pixels = read_bands(self._raster, bands, window)
            has_data = covered(self._raster, bands, pixels, window, span)
        return pixels, has_data

    @contextmanager
    def _reading_errors(self) -> Iterator[None]:
        try:
            with self._lock:  # GDAL allows one thread at a time
                yield
        except RasterioError as error:
            raise unreadable(self._raster.name, error) from error


@contextmanager
def open_orthophoto(
    file: Path, distances: Sequence[float], reading: Reading
) -> Iterator[Orthophoto]:
    """Open an image for a network that was trained at these ground sampling distances (metres).

    Raises:
        ValueError: the file is missing or no raster, is to be shown turned, has too few bands, is
            not 8-bit and has no stretch, has another pixel size and must not be resampled, or is
            too small.
    """
    # Pixels are read without overviews, since nobody knows how these were made.
    with open_raster(file) as raster, open_raster(file, overviews=False) as pixels:
        check_upright(raster)
        check_bands(file, raster, reading)
        frame = frame_of(raster)
        scale = scale_to(file, frame, distances, reading)
        # Opened without overviews, a file hides the names of its bands (GDAL 3.10).
        orthophoto = Orthophoto(pixels, declared(raster), frame, reading, scale)
        if min(orthophoto.shape) < STRIDE:
            rows, columns = orthophoto.shape
            raise ValueError(
                f"{file}: {columns} x {rows} px at the network's resolution; a side must be at "
                f"least {STRIDE} px"
            )
        yield orthophoto


def check_bands(file: Path, raster: DatasetReader, reading: Reading) -> None:
    """Check that an image has the bands, and that they hold colours of one type.

    Raises:
        ValueError: a band is missing, no colour, or of a type that needs a stretch.
    """
    bands = reading.bands_of(declared(raster))
    if max(bands) > raster.count:
        advice = "" if reading.bands else f"; {too_few_bands(declared(raster), '--bands 1 1 1')}"
        raise ValueError(
            f"{file}: has {raster.count} band(s); red, green and blue were to be read from the "
            f"bands {', '.join(map(str, bands))}{advice}"
        )
    check_colours(file, raster.colorinterp, bands, chosen=reading.bands is not None)
    check_named_alpha(file, raster.colorinterp, bands)
    check_positive(file, declared(raster))
    check_depth(file, declared(raster), reading.stretch)
    types = {raster.dtypes[band - 1] for band in bands}
    if len(types) > 1 or any(np.dtype(item).kind not in "uif" for item in types):
        raise ValueError(f"{file}: bands of the type {', '.join(sorted(types))} are no image")
    if types == {"uint8"} and "stretch" in reading.from_training:
        low, high = np.asarray(reading.stretch).T.tolist()
        raise ValueError(
            f"{file}: is 8-bit, and the network was trained on images whose values {low} and "
            f"{high} became black and white; say which do here (--stretch 0 255: as they are)"
        )
    if types != {"uint8"} and reading.stretch is None:
        raise ValueError(
            f"{file}: {types.pop()} and not 8-bit as in training; say which values are black and "
            "white, as in --stretch 0 4095"
        )


def stated_size(frame: Frame) -> Pair | None:
    """Return the width and height in metres that the georeference gives a pixel; None: no CRS.

    Raises:
        ValueError: the CRS is unknown, or the coordinates lie outside it.
    """
    return ground_size(frame.crs_text, frame.transform, frame.width, frame.height)


def same_size(gsd: float, size: Pair) -> bool:
    """Return whether pixels of gsd metres count as being of a size (width, height)."""
    return all(abs(gsd / side - 1) <= GSD_TOLERANCE for side in size)


def scale_to(file: Path, frame: Frame, distances: Sequence[float], reading: Reading) -> Pair:
    """Return how many pixels of an image make one of the network's: (down, across).

    Raises:
        ValueError: its CRS is wrong, it must not be resampled and is of another pixel size, or its
            pixels are far larger than those of the training.
    """
    if reading.gsd is not None:
        size: Pair | None = (reading.gsd, reading.gsd)
    else:
        try:
            size = stated_size(frame)
        except ValueError as error:
            raise ValueError(f"{file}: {error}; give the pixel size by --gsd") from error
    if size is None or not distances:
        if reading.assumed_scale != 1 and not reading.resample:
            raise ValueError(
                f"{file}: {reading.assumed_scale:.3g} pixels would become one, as in training; it "
                "was not to be resampled"
            )
        return reading.assumed_scale, reading.assumed_scale
    across, down = size
    wanted = nearest(distances, (across * down) ** 0.5)
    if same_size(wanted, size):
        return 1.0, 1.0
    pixels = f"pixels of {across:.3g} x {down:.3g} m, and the network was trained on {wanted:.3g} m"
    if not reading.resample:
        raise ValueError(f"{file}: {pixels}; it was not to be resampled")
    if max(size) > MOST_ENLARGED * wanted:
        raise ValueError(f"{file}: {pixels}: too coarse")
    return wanted / down, wanted / across
