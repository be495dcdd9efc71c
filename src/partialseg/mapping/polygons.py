"""A class map as polygons: a GeoPackage with one feature a region."""

import os
import warnings
from pathlib import Path

import numpy as np
import pyogrio.raw
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyogrio.errors import DataLayerError, DataSourceError, FeatureError

from partialseg.mapping.areas import row_areas
from partialseg.mapping.class_map import read_classes
from partialseg.mapping.frame import Frame, frame_of
from partialseg.mapping.part import part_folder
from partialseg.mapping.regions import Regions, find_regions
from partialseg.raster import open_raster

LAYER = "land_cover"
FIELDS = ("class_id", "class_name", "area_m2", "area_px")
STRIP_PIXELS = 2**24
# QGIS lays a raster without georeference below the x axis: one unit a pixel, y upwards.
UNREFERENCED = Affine.scale(1, -1)


def write_polygons(class_map: Path, file: Path, min_area: float) -> int:
    """Write the regions of a class map as a GeoPackage, and return how many they are.

    A region is what pixels of one class that share sides make up. Those smaller than min_area
    (m2; pixels where the map has no CRS) are left out. The layer land_cover has the fields
    class_id, class_name, area_m2 (null without a CRS) and area_px. Where the map has no
    georeference, a pixel is a unit, x = column and y = -row, as QGIS shows such a map.

    Raises:
        ValueError: min_area is negative, or the class map is damaged.
        OSError: the file cannot be written.
    """
    if not min_area >= 0:
        raise ValueError(f"min_area must be at least 0, got {min_area}")
    with part_folder(file) as folder, open_raster(class_map) as raster:
        names = np.array(read_classes(raster)[0], object)
        frame = frame_of(raster)
        by_row = row_areas(frame)
        part = folder / "polygons.gpkg"
        empty = Regions(ids=np.empty(0, np.uint8), polygons=np.empty(0, object))
        count = _append(part, file, empty, names, frame, by_row, min_area)
        for regions in find_regions(raster, max(1, STRIP_PIXELS // raster.width)):
            count += _append(part, file, regions, names, frame, by_row, min_area)
        os.replace(part, file)
    return count


def _append(
    part: Path,
    file: Path,
    regions: Regions,
    names: NDArray[np.object_],
    frame: Frame,
    by_row: NDArray[np.float64] | None,
    min_area: float,
) -> int:
    """Write the regions that are large enough behind those in `part`, and count them."""
    pixels = shapely.area(regions.polygons)
    areas = _areas(regions, pixels, by_row)
    large = (pixels if by_row is None else areas) >= min_area
    regions, pixels, areas = regions[large], pixels[large], areas[large]
    place = UNREFERENCED if frame.transform == Affine.identity() else frame.transform
    polygons = shapely.transform(
        regions.polygons, lambda corners: np.stack(place @ tuple(corners.T), axis=1)
    )
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "'crs' was not provided")
            pyogrio.raw.write(
                part,
                shapely.to_wkb(polygons),
                [regions.ids.astype(np.int32), names[regions.ids], areas, pixels.astype(np.int64)],
                FIELDS,
                layer=LAYER,
                driver="GPKG",
                geometry_type="Polygon",
                crs=frame.crs.to_wkt() if frame.crs else None,
                append=part.exists(),
                dataset_options={"VERSION": "1.2"},  # older GDAL and QGIS warn of later ones
            )
    except (DataSourceError, DataLayerError, FeatureError) as error:
        raise OSError(f"{file}: cannot be written (is the disk full?): {error}") from error
    return len(polygons)


def _areas(
    regions: Regions, pixels: NDArray[np.float64], by_row: NDArray[np.float64] | None
) -> NDArray[np.float64]:
    """Return m2 by the mean row of each region; NaN, which is written as null, without a CRS."""
    if by_row is None:
        return np.full(len(pixels), np.nan)
    mean_rows = shapely.get_y(shapely.centroid(regions.polygons)) - 0.5
    return pixels * np.interp(mean_rows, np.arange(len(by_row)), by_row)
