"""The files of reference points: written for a person to label, and read with their classes."""

import csv
import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio.raw
import shapely
from numpy.typing import NDArray
from pyogrio.errors import DataLayerError, DataSourceError, FeatureError
from pyproj import CRS, Transformer
from rasterio.io import DatasetReader

from partialseg.core.files import new_file, part_folder
from partialseg.mapping.frame import Frame, frame_of
from partialseg.source.raster import open_raster

LAYER = "reference_points"
ID, REFERENCE, X, Y = "id", "reference", "x", "y"


@dataclass(frozen=True, kw_only=True)
class Points:
    """Points in the pixels of a map, x = column and y = row (N, 2), and what people said of each.

    references are texts, '' where a point has not been labelled yet.
    """

    places: NDArray[np.float64]
    references: tuple[str, ...]


def write_points(file: Path, class_map: Path, places: NDArray[np.float64]) -> None:
    """Write points (N, 2) in pixels as a GeoPackage, or as CSV if the file is called so.

    They have the CRS of the map, a number and an empty field `reference`.

    Raises:
        ValueError: the file has another ending, or exists: it may hold somebody's work.
        OSError: it cannot be written.
    """
    _check_ending(file)
    if file.exists():
        raise ValueError(f"{file}: exists; points are drawn into a new file")
    with open_raster(class_map) as raster:
        frame = frame_of(raster)
    x, y = frame.placed @ tuple(places.T)
    if file.suffix.lower() == ".csv":
        with new_file(file) as part, part.open("w", newline="", encoding="utf-8") as stream:
            rows = csv.writer(stream, lineterminator="\n")
            rows.writerow((ID, X, Y, REFERENCE))
            rows.writerows((n, *place, "") for n, place in enumerate(zip(x, y, strict=True), 1))
        return
    numbers, empty = np.arange(1, len(places) + 1), np.full(len(places), "", object)
    with part_folder(file) as folder, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "'crs' was not provided")
        try:
            pyogrio.raw.write(
                folder / "points.gpkg",
                shapely.to_wkb(shapely.points(x, y)),
                [numbers, empty],
                (ID, REFERENCE),
                layer=LAYER,
                driver="GPKG",
                geometry_type="Point",
                crs=frame.crs.to_wkt() if frame.crs else None,
                dataset_options={"VERSION": "1.2"},  # older GDAL and QGIS warn of later ones
            )
        except (DataSourceError, DataLayerError, FeatureError) as error:
            raise OSError(f"{file}: cannot be written (is the disk full?): {error}") from error
        os.replace(folder / "points.gpkg", file)


def read_points(file: Path, raster: DatasetReader) -> Points:
    """Read the points of a GeoPackage or a CSV file in the pixels of an open map.

    Raises:
        ValueError: the file cannot be read, lacks a field, or its CRS and the map's do not fit.
    """
    _check_ending(file)
    frame = frame_of(raster)
    if file.suffix.lower() == ".csv":
        x, y, references = _read_csv(file)
    else:
        x, y, references = _read_package(file, frame)
    places = np.stack(~frame.placed @ (x, y), axis=1)
    return Points(places=places, references=tuple(text.strip() for text in references))


def _check_ending(file: Path) -> None:
    if file.suffix.lower() not in (".gpkg", ".csv"):
        raise ValueError(f"{file}: points are in a .gpkg or a .csv file")


def _read_csv(file: Path) -> tuple[NDArray[np.float64], NDArray[np.float64], list[str]]:
    try:
        with file.open(newline="", encoding="utf-8-sig") as stream:
            rows = list(csv.DictReader(stream))
            x, y = (np.array([float(row[name]) for row in rows]) for name in (X, Y))
            return x, y, [row[REFERENCE] or "" for row in rows]
    except KeyError as error:
        needed = f"{X}, {Y}, {REFERENCE}"
        raise ValueError(f"{file}: has no column {error}; needed are {needed}") from None
    except (ValueError, TypeError) as error:
        raise ValueError(f"{file}: {X} and {Y} must be numbers: {error}") from None


def _read_package(
    file: Path, frame: Frame
) -> tuple[NDArray[np.float64], NDArray[np.float64], list[str]]:
    try:
        # Those without geometries are tables, such as the styles that QGIS saves.
        layers = [name for name, geometry in pyogrio.list_layers(file) if geometry]
        if len(layers) != 1:
            raise ValueError(f"{file}: has the layers {layers}; one is needed")
        meta, _, geometries, columns = pyogrio.raw.read(file, layer=layers[0])
    except (DataSourceError, DataLayerError) as error:
        raise ValueError(f"{file}: cannot be read: {error}") from error
    fields = list(meta["fields"])
    if REFERENCE not in fields:
        raise ValueError(f"{file}: has no field {REFERENCE!r}, only {fields}")
    points = shapely.from_wkb(geometries)
    if not (shapely.get_type_id(points) == 0).all():
        raise ValueError(f"{file}: holds other geometries than points")
    x, y = shapely.get_x(points), shapely.get_y(points)
    if (meta["crs"] is None) != (frame.crs is None):
        raise ValueError(f"{file}: CRS {meta['crs']}, but the map has {frame.crs_text or None}")
    if frame.crs is not None:
        known, ours = CRS.from_user_input(meta["crs"]), CRS.from_user_input(frame.crs_text)
        x, y = Transformer.from_crs(known, ours, always_xy=True).transform(x, y)
    return x, y, [_text(value) for value in columns[fields.index(REFERENCE)]]


def _text(value: Any) -> str:
    """Return a field as text; an empty one of numbers is NaN."""
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return ""
    return str(int(value)) if isinstance(value, float | np.floating | np.integer) else str(value)
