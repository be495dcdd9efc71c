"""The rasters of one orthophoto: class map, probabilities and entropy, at once or in strips."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from partialseg.core.classes import first_largest
from partialseg.mapping.ahead import ahead, has_room
from partialseg.mapping.class_map import (
    NODATA,
    class_map_layout,
    entropy,
    entropy_layout,
    probabilities_layout,
    quantised,
)
from partialseg.mapping.cog import Layout, new_cog, new_strip
from partialseg.mapping.frame import Frame, frame_of
from partialseg.mapping.model import Model
from partialseg.mapping.orthophoto import Orthophoto, Reading, open_orthophoto
from partialseg.mapping.stitch import Block, file_rows, predict_blocks, tiles_of
from partialseg.mapping.tiles import Stitching
from partialseg.source.raster import open_raster, read_values, row_windows

# Endings of the files: <name of the image>_<ending>.
CLASSES = "classes.tif"
PROBABILITIES = "probabilities.tif"
ENTROPY = "entropy.tif"
RASTERS = (CLASSES, PROBABILITIES, ENTROPY)
RUNTIME_TAG = "runtime"

Bands = dict[str, NDArray[np.uint8]]  # of each raster, by its ending: (bands, h, w)


@dataclass(frozen=True)
class Predictor:
    """A model, and how it is applied: how images are read, and how they are covered by tiles.

    tags are stored in each raster, beside those of the model.
    """

    model: Model
    reading: Reading
    stitching: Stitching
    tags: Mapping[str, str] = field(default_factory=dict)


def write_rasters(
    predictor: Predictor,
    image: Path,
    files: Mapping[str, Path],
    on_share: Callable[[float], object],
) -> None:
    """Predict an orthophoto, and write its rasters to those of the files that are rasters.

    files maps the endings of all wanted maps to paths.
    """
    distances = predictor.model.info.ground_sampling_distances
    with (
        open_orthophoto(image, distances, predictor.reading) as orthophoto,
        predicted(predictor, orthophoto, files, on_share) as windows,
    ):
        _write_cogs(predictor, orthophoto.frame, files, windows)


def write_strip(
    predictor: Predictor,
    image: Path,
    chosen: range,
    files: Mapping[str, Path],
    on_share: Callable[[float], object],
) -> None:
    """Predict some rows of tiles of an orthophoto into rasters of the rows that they predict.

    join_strips() makes the rasters of the whole orthophoto from all of them.
    """
    model = predictor.model
    distances = model.info.ground_sampling_distances
    with (
        open_orthophoto(image, distances, predictor.reading) as orthophoto,
        ExitStack() as opened,
        predicted(predictor, orthophoto, files, on_share, chosen) as windows,
    ):
        rows, _ = tiles_of(orthophoto.shape, predictor.stitching, model.tile)
        top, bottom = file_rows(orthophoto, rows, chosen)
        size = bottom - top, orthophoto.frame.width
        rasters = {
            name: opened.enter_context(new_strip(files[name], size, layout))
            for name, layout in layouts(predictor, files).items()
        }
        for window, bands in windows:
            below = Window(window.col_off, window.row_off - top, window.width, window.height)
            for name, raster in rasters.items():
                raster.write(bands[name], below)


def join_strips(
    predictor: Predictor,
    image: Path,
    strips: Sequence[Mapping[str, Path]],
    files: Mapping[str, Path],
) -> None:
    """Write the rasters of an orthophoto from those of its strips, the upper ones first.

    They have the bytes that write_rasters() gives them. The strips are of this predictor.
    """
    with open_raster(image) as raster:
        frame = frame_of(raster)
    _write_cogs(predictor, frame, files, _windows_of(strips))


def layouts(predictor: Predictor, files: Mapping[str, Path]) -> dict[str, Layout]:
    """Return the layouts of the rasters that are in `files`, by ending."""
    info, runtime = predictor.model.info, predictor.model.runtime
    of_model = {"model": info.title, "commit": info.commit, RUNTIME_TAG: runtime}
    tags = {**of_model, **predictor.tags}
    of_all = {
        CLASSES: class_map_layout(info.class_names, info.palette, tags),
        PROBABILITIES: probabilities_layout(info.class_names, tags),
        ENTROPY: entropy_layout(tags),
    }
    return {name: layout for name, layout in of_all.items() if name in files}


@contextmanager
def predicted(
    predictor: Predictor,
    orthophoto: Orthophoto,
    files: Mapping[str, Path],
    on_share: Callable[[float], object],
    chosen: range | None = None,
) -> Iterator[Iterable[tuple[Window, Bands]]]:
    """Yield the windows of an orthophoto, or of some rows of tiles, with their bands."""
    stopped = Event()

    def tick(share: float) -> None:
        if stopped.is_set():  # by Ctrl-C: a row of tiles may take minutes
            raise InterruptedError("prediction was stopped")
        on_share(share)

    # Where there is room, reading, the network and writing run at the same time.
    blocks = predict_blocks(predictor.model, orthophoto, predictor.stitching, tick, chosen)
    made = ((block.window, bands_of(block, files)) for block in blocks)
    windows = ahead(made, stopped.set) if has_room(predictor.model) else made
    with closing(blocks), closing(windows):  # before the image that they read
        yield windows


def bands_of(block: Block, files: Mapping[str, Path]) -> Bands:
    """Return the bands (bands, h, w), uint8, of a block in each raster, by its ending."""
    bands = {CLASSES: first_largest(block.probabilities)[None]}
    if PROBABILITIES in files:
        bands[PROBABILITIES] = quantised(block.probabilities)
    if ENTROPY in files:
        bands[ENTROPY] = quantised(entropy(block.probabilities))[None]
    if block.valid is not None:
        for pixels in bands.values():
            pixels[:, ~block.valid] = NODATA
    return bands


def _windows_of(strips: Sequence[Mapping[str, Path]]) -> Iterator[tuple[Window, Bands]]:
    top = 0
    for strip in strips:
        with ExitStack() as opened:
            rasters = {name: opened.enter_context(open_raster(strip[name])) for name in strip}
            for window in row_windows(rasters[CLASSES]):
                bands = {name: read_values(raster, window) for name, raster in rasters.items()}
                yield Window(0, top + window.row_off, window.width, window.height), bands
            top += rasters[CLASSES].height


def _write_cogs(
    predictor: Predictor,
    frame: Frame,
    files: Mapping[str, Path],
    windows: Iterable[tuple[Window, Bands]],
) -> None:
    with ExitStack() as opened:
        rasters = {
            name: opened.enter_context(new_cog(files[name], frame, layout))
            for name, layout in layouts(predictor, files).items()
        }
        for window, bands in windows:
            for name, raster in rasters.items():
                raster.write(bands[name], window)
