"""How good a class map is, by reference points that a person labelled."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rasterio.io import DatasetReader
from rasterio.windows import Window

from partialseg.assessment.draw import draw
from partialseg.assessment.estimate import Accuracy, check_enough, estimate
from partialseg.assessment.points import Points, check_new, read_points, write_points
from partialseg.mapping.areas import MapAreas, class_areas, row_areas
from partialseg.mapping.class_map import NODATA, read_classes
from partialseg.mapping.frame import Frame, frame_of
from partialseg.source.raster import open_raster, read_values

MOST = 2**53  # px: more than a map has


@dataclass(frozen=True, kw_only=True)
class Left:
    """Points that were left out: without a reference; outside the map or on its nodata."""

    unlabelled: int
    outside: int


@dataclass(frozen=True, kw_only=True)
class Assessment:
    """The points (K, K) by mapped and reference class, what follows, and the area of the map.

    area_m2 is None where the map has no CRS. pixel_ratio is the ground that the largest pixel of
    the map covers over that of the smallest one, 1 without a CRS.
    """

    class_names: tuple[str, ...]
    counts: NDArray[np.int64]
    accuracy: Accuracy
    area_m2: float | None
    pixel_ratio: float
    left_out: Left


def assess(class_map: Path, points_file: Path) -> Assessment:
    """Compare a class map with reference points.

    Raises:
        ValueError: the map or the points cannot be used, the points were drawn from another map, or
            a class has too few of them.
    """
    with open_raster(class_map) as raster:
        frame = frame_of(raster)
        names, _ = read_classes(raster)
        points = read_points(points_file, frame)
        mapped = _classes_at(raster, points.places)
    by_row = row_areas(frame)
    references = _reference_ids(points, names, points_file)
    areas = class_areas(class_map)
    if points.maps - {mark_of(areas, frame)}:
        raise ValueError(
            f"{points_file}: was drawn from another map, and so is no random sample of the classes "
            f"of {class_map}; draw points from this one"
        )
    labelled, inside = references >= 0, mapped != NODATA
    used = labelled & inside
    left_out = Left(unlabelled=int((inside & ~labelled).sum()), outside=int((~inside).sum()))
    if not used.any():
        raise ValueError(
            f"{points_file}: no point can be used: {left_out.unlabelled} without a reference, "
            f"{left_out.outside} outside the map or on its nodata"
        )
    _check_distinct(points.places[used], points_file)
    counts = np.zeros((len(names), len(names)), np.int64)
    np.add.at(counts, (mapped[used], references[used]), 1)
    check_enough(counts.sum(axis=1).tolist(), [item.pixels for item in areas.classes], names)
    known = areas.classes[0].area_m2 is not None
    sizes = np.array([item.area_m2 if known else item.pixels for item in areas.classes], float)
    return Assessment(
        class_names=names,
        counts=counts,
        accuracy=estimate(counts, sizes / sizes.sum()),
        area_m2=float(sizes.sum()) if known else None,
        pixel_ratio=1.0 if by_row is None else float(by_row.max() / by_row.min()),
        left_out=left_out,
    )


def draw_points(class_map: Path, file: Path, number: int, seed: int) -> None:
    """Draw points from a class map, by class, into a new file for a person to label.

    Raises:
        ValueError: the map cannot be used, the number or the seed does not fit, or the file exists.
        OSError: the file cannot be written.
    """
    check_new(file)
    if seed < 0:
        raise ValueError(f"seed: must be at least 0, got {seed}")
    areas = class_areas(class_map)
    places = draw(class_map, [item.pixels for item in areas.classes], number, seed)
    with open_raster(class_map) as raster:
        frame = frame_of(raster)
    write_points(file, frame, places, mark_of(areas, frame))


def mark_of(areas: MapAreas, frame: Frame) -> str:
    """Return a mark by which points know the map that they were drawn from."""
    classes = [(item.class_name, item.pixels) for item in areas.classes]
    made_of = json.dumps([classes, frame.crs_text, tuple(frame.transform)[:6]])
    # A letter first: a spreadsheet would rewrite what looks like a number.
    return "m" + hashlib.sha256(made_of.encode()).hexdigest()[:12]


def _classes_at(raster: DatasetReader, places: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return the class id (N,) of the pixel at each place, NODATA outside the map."""
    columns, rows = np.floor(np.clip(places, -1, MOST)).astype(np.int64).T
    inside = (columns >= 0) & (columns < raster.width) & (rows >= 0) & (rows < raster.height)
    ids = np.full(len(places), NODATA, np.uint8)
    for index in np.flatnonzero(inside):
        window = Window(int(columns[index]), int(rows[index]), 1, 1)
        ids[index] = read_values(raster, window)[0, 0, 0]
    return ids


def _reference_ids(points: Points, names: Sequence[str], file: Path) -> NDArray[np.int64]:
    """Return the class id (N,) of each reference, -1 where there is none yet."""
    ids = {"": -1} | {name: index for index, name in enumerate(names)}
    numbers = {str(index): index for index in range(len(names))}
    if not numbers.keys() & ids.keys():  # else a number is a name, and nobody knows which is meant
        ids |= numbers | {f"{number}.0": index for number, index in numbers.items()}
    for text in points.references:
        if text not in ids:
            or_number = f", or 0..{len(names) - 1}" if "0" in ids else ""
            raise ValueError(
                f"{file}: reference {text!r}: the map has the classes {', '.join(names)}{or_number}"
            )
    return np.array([ids[text] for text in points.references], np.int64)


def _check_distinct(places: NDArray[np.float64], file: Path) -> None:
    pixels, counts = np.unique(np.floor(places), axis=0, return_counts=True)
    if (counts > 1).any():
        column, row = pixels[counts > 1][0].astype(int).tolist()
        raise ValueError(
            f"{file}: {counts.max()} points lie in one pixel (column {column}, row {row}), which a "
            "sample has once"
        )
