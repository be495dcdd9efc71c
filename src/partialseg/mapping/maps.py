"""The maps of one orthophoto: the predicted rasters and what is made from the class map."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from partialseg.core.files import part_folder
from partialseg.mapping.areas import class_areas, write_areas
from partialseg.mapping.model import ModelInfo
from partialseg.mapping.overlay import write_overlay
from partialseg.mapping.random_access import random_access
from partialseg.mapping.rasters import (
    CLASSES,
    ENTROPY,
    PROBABILITIES,
    RASTERS,
    Predictor,
    join_strips,
    write_rasters,
)
from partialseg.mapping.styles import class_style, share_style

# Endings of the files: <name of the image>_<ending>.
POLYGONS = "polygons.gpkg"
AREAS = ("areas.csv", "areas.json")
OVERLAY = "overlay.png"
MAPS = (*RASTERS, POLYGONS, *AREAS, OVERLAY)


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
    with part_folder(out / image.name) as part:
        return predict_in(part, predictor, image, out, wanted, on_share)


def predict_in(
    part: Path,
    predictor: Predictor,
    image: Path,
    out: Path,
    wanted: Wanted,
    on_share: Callable[[float], object],
) -> list[Path]:
    """Do what predict() does by way of the empty folder `part`, on the disk of `out`.

    Raises:
        ValueError: the image cannot be read, or does not fit the model.
    """
    files = _files(part, image, wanted)
    with random_access(image, part) as pixels:
        write_rasters(predictor, pixels, files, on_share)
        _write_others(predictor, pixels, files, wanted)
    return _publish(files, out)


def join_in(
    part: Path,
    predictor: Predictor,
    image: Path,
    out: Path,
    wanted: Wanted,
    strips: Sequence[Mapping[str, Path]],
) -> list[Path]:
    """Do what predict_in() does, from strips of the rasters, the upper ones first.

    Raises:
        ValueError: the image cannot be read.
    """
    files = _files(part, image, wanted)
    join_strips(predictor, image, strips, files)
    _write_others(predictor, image, files, wanted)
    return _publish(files, out)


def _files(part: Path, image: Path, wanted: Wanted) -> dict[str, Path]:
    return {name: part / f"{image.stem}_{name}" for name in wanted.files()}


def _write_others(
    predictor: Predictor, pixels: Path, files: Mapping[str, Path], wanted: Wanted
) -> None:
    """Write what is made from the rasters."""
    write_styles(files, predictor.model.info)
    if wanted.polygons:
        from partialseg.mapping.polygons import write_polygons  # scipy takes a second to import

        write_polygons(files[CLASSES], files[POLYGONS], wanted.min_area)
    if wanted.areas or wanted.overlay:
        areas = class_areas(files[CLASSES])
        if wanted.areas:
            write_areas(areas, files[AREAS[0]], files[AREAS[1]])
        if wanted.overlay:
            write_overlay(pixels, files[CLASSES], files[OVERLAY], areas, predictor.reading)


def _publish(files: Mapping[str, Path], out: Path) -> list[Path]:
    """Move finished maps, with what lies beside them, from their folder to `out`.

    Other maps of the image, of an earlier run, are removed: they may not fit the new class map.
    """
    # The class map comes last: if it is there, all maps are.
    part = files[CLASSES].parent
    made = sorted(part.iterdir(), key=lambda file: file == files[CLASSES])
    stem = files[CLASSES].name.removesuffix(f"_{CLASSES}")
    for ending in set(MAPS) - files.keys():
        file = out / f"{stem}_{ending}"
        for old in (file, file.with_suffix(".qml"), Path(f"{file}.aux.xml")):
            old.unlink(missing_ok=True)
    for file in made:
        side = f"{file.name}.aux.xml"  # of an earlier map: QGIS would use its statistics
        if side not in {other.name for other in made}:
            (out / side).unlink(missing_ok=True)
        os.replace(file, out / file.name)
    return [out / file.name for file in files.values()]


def write_styles(files: Mapping[str, Path], info: ModelInfo) -> None:
    """Write a style for QGIS beside each of the rasters that are in `files`."""
    for name, file in files.items():
        if file.suffix == ".tif":
            classes = name == CLASSES
            style = class_style(info.class_names, info.palette) if classes else share_style()
            file.with_suffix(".qml").write_text(style, encoding="utf-8")
