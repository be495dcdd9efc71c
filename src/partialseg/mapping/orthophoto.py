"""Find orthophotos, and read them as a network needs them: 8-bit RGB at its pixel size."""

import glob
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import ColorInterp, MaskFlags, Resampling
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader
from rasterio.windows import Window

from partialseg.mapping.frame import Frame, frame_of
from partialseg.models.blocks import STRIDE
from partialseg.source.bands import Bands, check_colours, declared, rgb_bands
from partialseg.source.orientation import check_upright
from partialseg.source.raster import SUFFIXES, ground_size, open_raster, unreadable
from partialseg.tiling.patches import GSD_TOLERANCE

Pair = tuple[float, float]
MOST_ENLARGED = 8  # times: coarser pixels do not show what the network was trained on


def nearest(distances: Sequence[float], distance: float) -> float:
    """Return the one of the distances that needs the least scaling of `distance`."""
    return min(distances, key=lambda item: abs(math.log(item / distance)))


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How images are read.

    bands are those of red, green and blue, counted from 1 (None: as an image declares them);
    stretch are the values that become 0 and 255, needed where an image is not 8-bit; gsd is the
    pixel size in metres (None: that of the georeference). Without resample, an image of another
    pixel size than in training is an error.
    """

    bands: Bands | None
    stretch: Pair | None
    gsd: float | None
    resample: bool

    def __post_init__(self) -> None:
        if self.bands and min(self.bands) < 1:
            raise ValueError(f"bands {self.bands} count from 1")
        if self.stretch and not -math.inf < self.stretch[0] < self.stretch[1] < math.inf:
            raise ValueError(f"stretch {self.stretch}: the first value must be the smaller one")
        if self.gsd is not None and not self.gsd > 0:
            raise ValueError(f"gsd {self.gsd:g} m must be above 0")

    def bands_of(self, raster: DatasetReader) -> Bands:
        """Return the bands of red, green and blue of an open image."""
        return self.bands or rgb_bands(declared(raster))


class Orthophoto:
    """An open image that is read at the network's resolution, as a grid of `shape` pixels.

    scale is the number of the file's pixels in one of the grid: (down, across); bands are those of
    red, green and blue, declared is what all of them say that they are; alpha is the band that
    marks where there is data, None if there is none.
    """

    def __init__(self, raster: DatasetReader, frame: Frame, reading: Reading, scale: Pair) -> None:
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
        self.bands = reading.bands_of(raster)
        self.declared = declared(raster)
        bands = zip(raster.indexes, self.declared.kinds, strict=True)
        self.alpha = next((band for band, kind in bands if kind == ColorInterp.alpha), None)
        self._has_holes = any(flags != [MaskFlags.all_valid] for flags in raster.mask_flag_enums)

    def read(self, rows: slice, columns: slice) -> NDArray[np.uint8]:
        """Return a part (h, w, 3) of the grid; black where the image has no data.

        Raises:
            ValueError: the file breaks off or is damaged there.
        """
        (down, across), h, w = self.scale, rows.stop - rows.start, columns.stop - columns.start
        window = Window(columns.start * across, rows.start * down, w * across, h * down)
        with self._reading_errors():
            pixels = np.empty((h, w, 3), self._raster.dtypes[self.bands[0] - 1])
            self._raster.read(
                self.bands,
                window=window,
                out=np.moveaxis(pixels, -1, 0),
                resampling=self._resampling,
            )
            mask = self._mask(window, (h, w)) if self._has_holes else None
        image = stretched(pixels, self._reading.stretch)
        if mask is not None:
            image[mask == 0] = 0
        return image

    def valid(self, window: Window) -> NDArray[np.bool_] | None:
        """Return which pixels (h, w) of a window of the file hold data, None for all.

        Raises:
            ValueError: the file breaks off or is damaged there.
        """
        if not self._has_holes:
            return None
        with self._reading_errors():
            return self._mask(window, (window.height, window.width)) > 0

    def _mask(self, window: Window, shape: tuple[int, int]) -> NDArray[np.uint8]:
        return self._raster.dataset_mask(
            window=window, out_shape=shape, resampling=Resampling.nearest
        )

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
        orthophoto = Orthophoto(pixels, frame, reading, scale)
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
    bands = reading.bands_of(raster)
    if max(bands) > raster.count:
        raise ValueError(
            f"{file}: has {raster.count} band(s); red, green and blue were to be read from the "
            f"bands {', '.join(map(str, bands))}"
        )
    check_colours(file, raster.colorinterp, bands)
    types = {raster.dtypes[band - 1] for band in bands}
    if len(types) > 1 or any(np.dtype(item).kind not in "uif" for item in types):
        raise ValueError(f"{file}: bands of the type {', '.join(sorted(types))} are no image")
    if types != {"uint8"} and reading.stretch is None:
        raise ValueError(
            f"{file}: {types.pop()} and not 8-bit as in training; say which values are black and "
            "white, as in --stretch 0 4095"
        )


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
            size = ground_size(frame.crs_text, frame.transform, frame.width, frame.height)
        except ValueError as error:
            raise ValueError(f"{file}: {error}; give the pixel size by --gsd") from error
    if size is None or not distances:
        return 1.0, 1.0
    across, down = size
    wanted = nearest(distances, (across * down) ** 0.5)
    if all(abs(wanted / side - 1) <= GSD_TOLERANCE for side in size):
        return 1.0, 1.0
    pixels = f"pixels of {across:.3g} x {down:.3g} m, and the network was trained on {wanted:.3g} m"
    if not reading.resample:
        raise ValueError(f"{file}: {pixels}; it was not to be resampled")
    if max(size) > MOST_ENLARGED * wanted:
        raise ValueError(f"{file}: {pixels}: too coarse")
    return wanted / down, wanted / across


def stretched(pixels: NDArray[np.generic], stretch: Pair | None) -> NDArray[np.uint8]:
    """Return values as 0..255, linear between those of `stretch`; NaN becomes 0."""
    if stretch is None:
        return pixels.astype(np.uint8, copy=False)
    low, high = stretch
    scaled = (pixels.astype(np.float32) - low) * (255 / (high - low))
    return np.clip(np.nan_to_num(scaled), 0, 255).round().astype(np.uint8)


def find_images(asked: Sequence[str], out: Path, maps: Sequence[str]) -> list[Path]:
    """Return the images that files, folders and patterns name, each once, in that order.

    Files in `out` with one of the endings `maps` are maps of an earlier run and left out.

    Raises:
        ValueError: an item names no image, or two images have the same name.
    """
    images: dict[str, Path] = {}
    for item in asked:
        found = [image for image in _matching(item) if not _is_map(image, out, maps)]
        if not found:
            raise ValueError(f"{item}: no image")
        for image in found:
            if images.setdefault(image.stem, image).resolve() != image.resolve():
                raise ValueError(f"{image}: {images[image.stem]} has the same name; their maps too")
    return list(images.values())


def _is_map(image: Path, out: Path, maps: Sequence[str]) -> bool:
    in_out = image.resolve().parent == out.resolve()
    return in_out and any(image.name.endswith(f"_{ending}") for ending in maps)


def _matching(item: str) -> list[Path]:
    path = Path(item)
    if path.is_dir():
        files = sorted(path.iterdir())
        return [f for f in files if f.suffix.lower() in SUFFIXES and not f.name.startswith(".")]
    if path.exists():
        return [path]
    return [Path(name) for name in sorted(glob.glob(item, recursive=True))]
