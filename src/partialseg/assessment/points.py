"""The files of reference points: written for a person to label, and read with their classes."""

import csv
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio.raw
import shapely
from numpy.typing import NDArray
from pyogrio.errors import DataLayerError, DataSourceError
from pyproj import CRS, Transformer

from partialseg.core.files import new_file, part_folder
from partialseg.mapping.frame import Frame
from partialseg.mapping.geopackage import write_errors, write_layer

LAYER = "reference_points"
# DRAWN_FROM: not `map`, which a file of another origin may well have, with the class in the map.
ID, REFERENCE, DRAWN_FROM, X, Y = "id", "reference", "drawn_from", "x", "y"

# x and y (N,), and the other columns by name.
Columns = tuple[NDArray[np.float64], NDArray[np.float64], Mapping[str, Sequence[Any]]]


@dataclass(frozen=True, kw_only=True)
class Points:
    """Points in the pixels of a map, x = column and y = row (N, 2), and what people said of each.

    references are texts, '' where a point has not been labelled yet. maps are the marks of the maps
    from which points were drawn, empty for points from elsewhere.
    """

    places: NDArray[np.float64]
    references: tuple[str, ...]
    maps: frozenset[str]


def check_new(file: Path) -> None:
    """Check that points can be drawn into a file.

    Raises:
        ValueError: it has another ending, or exists: it may hold somebody's work.
    """
    _check_ending(file)
    if file.exists():
        raise ValueError(f"{file}: exists; points are drawn into a new file")


def write_points(file: Path, frame: Frame, places: NDArray[np.float64], mark: str) -> None:
    """Write points (N, 2) in the pixels of a map as a GeoPackage, or as CSV by the file's ending.

    They have the CRS of the map, a number, an empty field `reference` and the mark of the map.

    Raises:
        OSError: the file cannot be written.
    """
    x, y = frame.placed @ tuple(places.T)
    if file.suffix.lower() == ".csv":
        with new_file(file) as part, part.open("w", newline="", encoding="utf-8") as stream:
            rows = csv.writer(stream, lineterminator="\n")
            rows.writerow((ID, X, Y, REFERENCE, DRAWN_FROM))
            for number, place in enumerate(zip(x, y, strict=True), start=1):
                rows.writerow((number, *place, "", mark))
        return
    columns = {
        ID: np.arange(1, len(places) + 1),
        REFERENCE: np.full(len(places), "", object),
        DRAWN_FROM: np.full(len(places), mark, object),
    }
    with part_folder(file) as folder:
        with write_errors(file):
            points = shapely.points(x, y)
            write_layer(folder / "points.gpkg", LAYER, "Point", frame, points, columns)
        os.replace(folder / "points.gpkg", file)


def read_points(file: Path, frame: Frame) -> Points:
    """Read the points of a GeoPackage or a CSV file in the pixels of a map.

    Raises:
        ValueError: the file cannot be read, lacks a field, or its CRS and the map's do not fit.
    """
    _check_ending(file)
    if file.suffix.lower() == ".csv":
        x, y, columns = _read_csv(file)
    else:
        x, y, columns = _read_package(file, frame)
    if not (np.isfinite(x) & np.isfinite(y)).all():
        raise ValueError(f"{file}: {X} and {Y} must be finite numbers")
    return Points(
        places=np.stack(~frame.placed @ (x, y), axis=1),
        references=tuple(map(_text, columns.get(REFERENCE, ()))),
        maps=frozenset(map(_text, columns.get(DRAWN_FROM, ()))) - {""},
    )


def _check_ending(file: Path) -> None:
    if file.suffix.lower() not in (".gpkg", ".csv"):
        raise ValueError(f"{file}: points are in a .gpkg or a .csv file")


def _read_csv(file: Path) -> Columns:
    try:
        with file.open(newline="", encoding="utf-8-sig") as stream:
            rows = list(csv.reader(stream))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{file}: is no CSV file in UTF-8: {error}") from None
    header = [name.strip().lower() for name in rows[0]] if rows else []  # GDAL writes X and Y
    if not {X, Y, REFERENCE} <= set(header):
        raise ValueError(
            f"{file}: needs the columns {X}, {Y} and {REFERENCE}, separated by commas; has "
            f"{', '.join(header) or 'none'}"
        )
    columns: dict[str, list[str]] = {}
    for name in (X, Y, REFERENCE, DRAWN_FROM):
        if header.count(name) > 1:
            raise ValueError(f"{file}: has several columns {name}")
        if name in header:
            columns[name] = []
    for line, row in enumerate(rows[1:], start=2):
        if not row:
            continue
        if len(row) != len(header):
            raise ValueError(f"{file}: row {line} has {len(row)} columns, and not {len(header)}")
        for name, values in columns.items():
            values.append(row[header.index(name)])
    try:
        x, y = (np.array(columns.pop(name), np.float64) for name in (X, Y))
    except ValueError as error:
        raise ValueError(f"{file}: {X} and {Y} must be numbers: {error}") from None
    return x, y, columns


def _read_package(file: Path, frame: Frame) -> Columns:
    try:
        # Those without geometries are tables, such as the styles that QGIS saves.
        layers = [name for name, geometry in pyogrio.list_layers(file) if geometry]
        if len(layers) != 1:
            raise ValueError(f"{file}: has the layers {layers}; one is needed")
        meta, _, geometries, columns = pyogrio.raw.read(file, layer=layers[0])
    except (DataSourceError, DataLayerError) as error:
        raise ValueError(f"{file}: cannot be read: {error}") from error
    named = dict(zip(meta["fields"], columns, strict=True))
    if REFERENCE not in named:
        raise ValueError(f"{file}: has no field {REFERENCE!r}, only {list(named)}")
    x, y = _coordinates(file, shapely.from_wkb(geometries))
    if (meta["crs"] is None) != (frame.crs is None):
        raise ValueError(f"{file}: CRS {meta['crs']}, but the map has {frame.crs_text or None}")
    if frame.crs is not None:
        known, ours = CRS.from_user_input(meta["crs"]), CRS.from_user_input(frame.crs_text)
        x, y = Transformer.from_crs(known, ours, always_xy=True).transform(x, y)
    return x, y, {name: named[name] for name in (REFERENCE, DRAWN_FROM) if name in named}


def _coordinates(
    file: Path, geometries: NDArray[Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if shapely.is_missing(geometries).any() or shapely.is_empty(geometries).any():
        raise ValueError(f"{file}: a point has no place; delete it")
    parts = shapely.get_parts(geometries)  # a layer of MultiPoints may hold single points
    if len(parts) != len(geometries) or not (shapely.get_type_id(parts) == 0).all():
        raise ValueError(f"{file}: holds other geometries than single points")
    return shapely.get_x(parts), shapely.get_y(parts)


def _text(value: Any) -> str:
    """Return a field as text: '' where it is empty, a whole number without a decimal point."""
    if value is None or (isinstance(value, float | np.floating) and np.isnan(value)):
        return ""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value).strip()
