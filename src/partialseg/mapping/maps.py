"""The maps of one orthophoto: the predicted rasters and what is made from the class map."""

import os
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import numpy as np
from numpy.typing import NDArray

from partialseg.core.files import part_folder
from partialseg.mapping.ahead import ahead, has_room
from partialseg.mapping.areas import class_areas, write_areas
from partialseg.mapping.class_map import (
    NODATA,
    class_map_layout,
    entropy,
    entropy_layout,
    most_probable,
    probabilities_layout,
    quantised,
)
from partialseg.mapping.cog import new_cog
from partialseg.mapping.model import Model, ModelInfo
from partialseg.mapping.orthophoto import Reading, open_orthophoto
from partialseg.mapping.overlay import write_overlay
from partialseg.mapping.polygons import write_polygons
from partialseg.mapping.random_access import random_access
from partialseg.mapping.stitch import Block, predict_blocks
from partialseg.mapping.styles import class_style, share_style
from partialseg.mapping.tiles import Stitching

# Endings of the files: <name of the image>_<ending>.
CLASSES = "classes.tif"
PROBABILITIES = "probabilities.tif"
ENTROPY = "entropy.tif"
POLYGONS = "polygons.gpkg"
AREAS = ("areas.csv", "areas.json")
OVERLAY = "overlay.png"
MAPS = (CLASSES, PROBABILITIES, ENTROPY, POLYGONS, *AREAS, OVERLAY)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which maps are written beside the class map; regions below min_area (m2) get no polygon."""

    probabilities: bool
    entropy: bool
    polygons: bool
    areas: bool
    overlay: bool
    min_area: float

    def __post_init__(self) -> None:
        if not self.min_area >= 0:
            raise ValueError(f"min-area must be at least 0, got {self.min_area:g}")

    def files(self) -> list[str]:
        """Return the endings of all files of an image."""
        asked = {
            PROBABILITIES: self.probabilities,
            ENTROPY: self.entropy,
            POLYGONS: self.polygons,
            AREAS[0]: self.areas,
            AREAS[1]: self.areas,
            OVERLAY: self.overlay,
        }
        return [CLASSES, *(name for name, is_asked in asked.items() if is_asked)]


@dataclass(frozen=True)
class Predictor:
    """A model, and how it is applied: how images are read, and how they are covered by tiles."""

    model: Model
    reading: Reading
    stitching: Stitching


def predict(
    predictor: Predictor,
    image: Path,
    out: Path,
    wanted: Wanted,
    on_share: Callable[[float], object] = lambda _: None,
) -> list[Path]:
    """Write the maps of an orthophoto to a folder, all of them or none; return the files.

    on_share is called with each share of the work that is done; the shares sum to 1.

    Raises:
        ValueError: the image cannot be read, or does not fit the model.
    """
    out.mkdir(parents=True, exist_ok=True)
    with part_folder(out / image.name) as part, random_access(image, out) as pixels:
        files = {name: part / f"{image.stem}_{name}" for name in wanted.files()}
        write_rasters(predictor, pixels, files, on_share)
        write_styles(files, predictor.model.info)
        if wanted.polygons:
            write_polygons(files[CLASSES], files[POLYGONS], wanted.min_area)
        if wanted.areas or wanted.overlay:
            areas = class_areas(files[CLASSES])
            if wanted.areas:
                write_areas(areas, files[AREAS[0]], files[AREAS[1]])
            if wanted.overlay:
                write_overlay(pixels, files[CLASSES], files[OVERLAY], areas, predictor.reading)
        # The class map comes last: if it is there, all maps are.
        made = sorted(part.iterdir(), key=lambda file: file == files[CLASSES])
        for file in made:
            side = f"{file.name}.aux.xml"  # of an earlier map: QGIS would use its statistics
            if side not in {other.name for other in made}:
                (out / side).unlink(missing_ok=True)
            os.replace(file, out / file.name)
    return [out / file.name for file in files.values()]


def write_styles(files: dict[str, Path], info: ModelInfo) -> None:
    """Write a style for QGIS beside each of the rasters that are in `files`."""
    for name, file in files.items():
        if file.suffix == ".tif":
            classes = name == CLASSES
            style = class_style(info.class_names, info.palette) if classes else share_style()
            file.with_suffix(".qml").write_text(style, encoding="utf-8")


def write_rasters(
    predictor: Predictor,
    image: Path,
    files: dict[str, Path],
    on_share: Callable[[float], object],
) -> None:
    """Write the class map of an orthophoto and, if they are in `files`, probabilities and entropy.

    files maps the endings of all wanted maps to paths.
    """
    info = predictor.model.info
    tags = {
        "model": info.title,
        "commit": info.commit,
        "runtime": predictor.model.runtime,
    }
    layouts = {
        CLASSES: class_map_layout(info.class_names, info.palette, tags),
        PROBABILITIES: probabilities_layout(info.class_names, tags),
        ENTROPY: entropy_layout(tags),
    }
    with ExitStack() as opened:
        orthophoto = opened.enter_context(
            open_orthophoto(image, info.ground_sampling_distances, predictor.reading)
        )
        rasters = {
            name: opened.enter_context(new_cog(files[name], orthophoto.frame, layout))
            for name, layout in layouts.items()
            if name in files
        }
        stopped = Event()

        def tick(share: float) -> None:
            if stopped.is_set():  # by Ctrl-C: a row of tiles may take minutes
                raise InterruptedError("prediction was stopped")
            on_share(share)

        # Where there is room, reading, the network and writing run at the same time.
        blocks = predict_blocks(predictor.model, orthophoto, predictor.stitching, tick)
        made = ((block, bands_of(block, files)) for block in blocks)
        predicted = ahead(made, stopped.set) if has_room(predictor.model) else made
        with closing(blocks), closing(predicted):  # before the image that they read
            for block, bands in predicted:
                for name, raster in rasters.items():
                    raster.write(bands[name], block.window)


def bands_of(block: Block, files: dict[str, Path]) -> dict[str, NDArray[np.uint8]]:
    """Return the bands (bands, h, w), uint8, of a block in each raster, by its ending."""
    bands = {CLASSES: most_probable(block.probabilities)[None]}
    if PROBABILITIES in files:
        bands[PROBABILITIES] = quantised(block.probabilities)
    if ENTROPY in files:
        bands[ENTROPY] = quantised(entropy(block.probabilities))[None]
    if block.valid is not None:
        for pixels in bands.values():
            pixels[:, ~block.valid] = NODATA
    return bands
