"""How good a class map is, by reference points that a person labelled."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rasterio.io import DatasetReader
from rasterio.windows import Window

from partialseg.assessment.draw import draw
from partialseg.assessment.estimate import Accuracy, estimate
from partialseg.assessment.points import Points, read_points, write_points
from partialseg.mapping.areas import class_areas
from partialseg.mapping.class_map import NODATA, read_classes
from partialseg.source.raster import open_raster, read_values


@dataclass(frozen=True, kw_only=True)
class Assessment:
    """The points (K, K) by mapped and reference class, what follows, and the area of the map.

    area_m2 is None where the map has no CRS. unlabelled and outside count the points left out:
    those without a reference, and those outside the map or on its nodata.
    """

    class_names: tuple[str, ...]
    counts: NDArray[np.int64]
    accuracy: Accuracy
    area_m2: float | None
    unlabelled: int
    outside: int


def assess(class_map: Path, points_file: Path) -> Assessment:
    """Compare a class map with reference points.

    Raises:
        ValueError: the map or the points cannot be used, or a class has too few points.
    """
    areas = class_areas(class_map)
    with open_raster(class_map) as raster:
        names, _ = read_classes(raster)
        points = read_points(points_file, raster)
        mapped = _classes_at(raster, points.places)
    references = _reference_ids(points, names, points_file)
    labelled, inside = references >= 0, mapped != NODATA
    used = labelled & inside
    _check_distinct(points.places[used], points_file)
    counts = np.zeros((len(names), len(names)), np.int64)
    np.add.at(counts, (mapped[used], references[used]), 1)
    known = areas.classes[0].area_m2 is not None
    sizes = np.array([item.area_m2 if known else item.pixels for item in areas.classes], float)
    if not sizes.sum():
        raise ValueError(f"{class_map}: has no pixel of any class")
    return Assessment(
        class_names=names,
        counts=counts,
        accuracy=estimate(counts, sizes / sizes.sum(), names),
        area_m2=float(sizes.sum()) if known else None,
        unlabelled=int((inside & ~labelled).sum()),
        outside=int((~inside).sum()),
    )


def draw_points(class_map: Path, file: Path, number: int, seed: int) -> None:
    """Draw points from a class map, by class, into a new file for a person to label.

    Raises:
        ValueError: the map cannot be used, the number does not fit it, or the file exists.
        OSError: the file cannot be written.
    """
    pixels = [item.pixels for item in class_areas(class_map).classes]
    write_points(file, class_map, draw(class_map, pixels, number, seed))


def _classes_at(raster: DatasetReader, places: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return the class id (N,) of the pixel at each place, NODATA outside the map."""
    columns, rows = np.floor(places).astype(np.int64).T
    inside = (columns >= 0) & (columns < raster.width) & (rows >= 0) & (rows < raster.height)
    ids = np.full(len(places), NODATA, np.uint8)
    for index in np.flatnonzero(inside):
        window = Window(int(columns[index]), int(rows[index]), 1, 1)
        ids[index] = read_values(raster, window)[0, 0, 0]
    return ids


def _reference_ids(points: Points, names: Sequence[str], file: Path) -> NDArray[np.int64]:
    """Return the class id (N,) of each reference, -1 where there is none yet."""
    ids = {"": -1} | {str(index): index for index in range(len(names))}
    ids |= {name: index for index, name in enumerate(names)}
    for text in points.references:
        if text not in ids:
            raise ValueError(
                f"{file}: reference {text!r}: the map has the classes {', '.join(names)}, or "
                f"0..{len(names) - 1}"
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
