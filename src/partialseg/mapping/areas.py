"""How much ground each class of a class map covers."""

import csv
import math
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS, Geod, Transformer
from pyproj.exceptions import CRSError

from partialseg.core.files import new_file, write_json
from partialseg.mapping.class_map import NODATA, class_bands, read_classes
from partialseg.mapping.frame import Frame, frame_of
from partialseg.source.raster import open_raster

SAMPLED_ROWS = 65
SAMPLED_COLUMNS = 3
# Half of the pixels that a sample measures: geodesics are exact to some 15 nm, too little for a
# single pixel of centimetres, and too many pixels would no longer be flat.
REACH = 8
UNITS = {
    "pixels": "number of pixels of the class",
    "area_m2": "square metres of ground, on the ellipsoid; null: the map has no CRS",
    "share": "pixels of the class divided by all pixels that are not nodata",
    "nodata_pixels": f"number of pixels of value {NODATA}, which belong to no class",
}


@dataclass(frozen=True, kw_only=True)
class ClassArea:
    """What a class covers: pixels, m2 (None: without a CRS) and share of the valid pixels."""

    class_id: int
    class_name: str
    pixels: int
    area_m2: float | None
    share: float


@dataclass(frozen=True, kw_only=True)
class MapAreas:
    """What every class of a map covers, by id, and the number of pixels without a class."""

    classes: tuple[ClassArea, ...]
    nodata_pixels: int


def row_areas(frame: Frame) -> NDArray[np.float64] | None:
    """Return the ground in m2 that a pixel of each row covers, float64 (H,), None without a CRS.

    It is the mean over some columns, measured by geodesics in some rows and interpolated between.

    Raises:
        ValueError: the CRS is unknown, or the coordinates lie outside it.
    """
    if not frame.crs:
        return None
    try:
        crs = CRS.from_user_input(frame.crs_text)
    except CRSError as error:
        raise ValueError(f"CRS {frame.crs_text}: {error}") from error
    if crs.geodetic_crs is None:  # a local system: a plane with a unit of its own
        unit = crs.axis_info[0].unit_conversion_factor
        return np.full(frame.height, abs(frame.transform.determinant) * unit**2)
    reach = min(REACH, frame.width / 2, frame.height / 2)
    rows = np.linspace(reach, frame.height - reach, SAMPLED_ROWS)
    columns = np.linspace(reach, frame.width - reach, SAMPLED_COLUMNS)
    samples = _pixel_areas(crs, frame, *np.meshgrid(columns, rows), reach).mean(axis=1)
    return np.interp(np.arange(frame.height) + 0.5, rows, samples)


def class_areas(class_map: Path) -> MapAreas:
    """Count the pixels and the ground of each class of a class map, by bands of rows.

    Raises:
        ValueError: the file is damaged or no class map.
    """
    with open_raster(class_map) as raster:
        names, _ = read_classes(raster)
        by_row = row_areas(frame_of(raster))
        pixels = np.zeros(NODATA + 1, np.int64)
        areas = np.zeros(NODATA + 1)
        for top, ids in class_bands(raster):
            counts = np.stack([np.bincount(row, minlength=NODATA + 1) for row in ids])
            pixels += counts.sum(axis=0)
            if by_row is not None:
                areas += by_row[top : top + len(ids)] @ counts
    if pixels[len(names) : NODATA].any():
        unknown = len(names) + int(np.argmax(pixels[len(names) : NODATA] > 0))
        raise ValueError(f"{class_map}: holds the id {unknown}, but names {len(names)} classes")
    valid = max(1, int(pixels[:NODATA].sum()))
    classes = tuple(
        ClassArea(
            class_id=index,
            class_name=name,
            pixels=int(pixels[index]),
            area_m2=None if by_row is None else float(areas[index]),
            share=int(pixels[index]) / valid,
        )
        for index, name in enumerate(names)
    )
    return MapAreas(classes=classes, nodata_pixels=int(pixels[NODATA]))


def write_areas(areas: MapAreas, csv_file: Path, json_file: Path) -> None:
    """Write the areas as a table, with a last row for nodata, and as JSON with the units.

    Raises:
        OSError: a file cannot be written.
    """
    rows = [asdict(area) for area in areas.classes]
    nodata = {"class_id": NODATA, "class_name": "nodata", "pixels": areas.nodata_pixels}
    with new_file(csv_file) as file, file.open("w", newline="", encoding="utf-8") as stream:
        lines = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        lines.writeheader()
        lines.writerows([*rows, nodata])
    content = {"classes": rows, "nodata_pixels": areas.nodata_pixels, "units": UNITS}
    write_json(json_file, content)


def _pixel_areas(
    crs: CRS,
    frame: Frame,
    columns: NDArray[np.float64],
    rows: NDArray[np.float64],
    reach: float,
) -> NDArray[np.float64]:
    """Return the ground in m2 of a pixel at each place: |across x down| along geodesics."""
    to_degrees = Transformer.from_crs(crs, crs.geodetic_crs, always_xy=True)
    geod = crs.get_geod()
    assert geod is not None

    a, b, c, d, e, f = tuple(frame.transform)[:6]

    def vector(dx: float, dy: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        places = ((columns + sign * dx, rows + sign * dy) for sign in (-1, 1))
        ends = (to_degrees.transform(a * x + b * y + c, d * x + e * y + f) for x, y in places)
        return _geodesics(geod, *ends)

    azimuth_across, across = vector(reach, 0)
    azimuth_down, down = vector(0, reach)
    areas = across * down * np.abs(np.sin(azimuth_across - azimuth_down)) / (2 * reach) ** 2
    if not (np.isfinite(areas) & (areas > 0)).all():
        x, y = frame.transform @ (frame.width / 2, frame.height / 2)
        raise ValueError(f"the coordinates near ({x:g}, {y:g}) lie outside its CRS, {crs.name}")
    return areas


def _geodesics(
    geod: Geod,
    starts: tuple[NDArray[np.float64], NDArray[np.float64]],
    ends: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return azimuths (radians, half way) and lengths (m) between places in degrees."""
    latitudes = np.abs([starts[1], ends[1]])
    if not (latitudes <= 90).all():
        return np.full_like(starts[0], math.nan), np.full_like(starts[0], math.nan)
    forward, back, length = geod.inv(*starts, *ends)
    # The azimuth turns along the way: half way it is the mean of both ends.
    turn = (back + 180 - forward + 180) % 360 - 180
    return np.radians(forward + turn / 2), length
