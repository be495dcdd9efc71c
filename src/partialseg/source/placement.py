"""Where a raster lies, by all that a file can say: transform, control points, a .prj beside it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from affine import Affine
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.errors import CRSError
from rasterio.io import DatasetReader

NO_TRANSFORM = Affine.identity()  # what GDAL gives for a file without one
FILLED_IN = Affine.scale(1, -1)  # what writers give who have none; GDAL takes it for none, too
MOST_OFF = 0.5  # px, of a control point
UNPLACED = "so its place and its pixel size are taken for unknown"


@dataclass(frozen=True, kw_only=True)
class Place:
    """CRS (None: unknown) and transform, pixel to map (the identity: unknown).

    remark says where they come from, or why they are unknown, if that is not the file's transform.
    """

    crs: CRS | None
    transform: Affine
    remark: str


def place_of(raster: DatasetReader) -> Place:
    """Return where an open raster lies; without a transform its CRS places nothing and is left out.

    The raster must not have been opened without overviews: GDAL then gives random numbers.
    """
    crs, transform, remark = raster.crs or None, raster.transform, ""
    on_earth = crs is not None and (crs.is_geographic or crs.is_projected)
    if transform == NO_TRANSFORM or (transform == FILLED_IN and on_earth):
        points, crs_of_points = raster.gcps
        transform, remark = _without_transform(raster, points)
        crs = crs_of_points or crs
    if transform == NO_TRANSFORM:
        return Place(crs=None, transform=transform, remark=remark)
    if crs is None:
        crs, beside = _crs_beside(Path(raster.name))
        remark = "; ".join(filter(None, (remark, beside)))
    return Place(crs=crs, transform=transform, remark=remark)


def _without_transform(
    raster: DatasetReader, points: Sequence[GroundControlPoint]
) -> tuple[Affine, str]:
    if points:
        transform, off = fitted(points)
        if off <= MOST_OFF:
            return transform, f"placed by its {len(points)} ground control points"
        reason = (
            f"they are up to {off:.3g} px off"
            if math.isfinite(off)
            else "that takes three which are on no line"
        )
        remark = f"its {len(points)} ground control point(s) make no transform ({reason})"
        return NO_TRANSFORM, f"{remark}, {UNPLACED}; gdalwarp rectifies it"
    if raster.rpcs:
        return NO_TRANSFORM, f"placed by RPCs alone, {UNPLACED}; gdalwarp -rpc rectifies it"
    if raster.crs:
        return NO_TRANSFORM, f"has a CRS but no transform, {UNPLACED}"
    return NO_TRANSFORM, ""


def fitted(points: Sequence[GroundControlPoint]) -> tuple[Affine, float]:
    """Return the affine transform of least squares through control points, and how far it is off.

    The distance is that of the worst point in pixels; infinite where the points fix no transform,
    for which rasterio.transform.from_gcps returns random numbers.
    """
    pixels = np.array([(point.col, point.row) for point in points], np.float64)
    ground = np.array([(point.x, point.y) for point in points], np.float64)
    pixel, place = pixels.mean(axis=0), ground.mean(axis=0)
    matrix, _, rank, _ = np.linalg.lstsq(pixels - pixel, ground - place, rcond=1e-9)
    area = abs(np.linalg.det(matrix))
    if rank < 2 or not area > 1e-9 * (matrix**2).sum():
        return NO_TRANSFORM, math.inf
    matrix[np.abs(matrix) < 1e-9 * np.abs(matrix).max()] = 0  # rounding is no rotation
    (a, d), (b, e) = matrix
    c, f = place - pixel @ matrix
    off = np.hypot(*((pixels - pixel) @ matrix + place - ground).T).max() / math.sqrt(area)
    return Affine(*map(float, (a, b, c, d, e, f))), float(off)


def prj_beside(file: Path) -> Path | None:
    """Return the .prj of the same name beside a file, None if there is none."""
    both = (file.with_suffix(".prj"), file.with_suffix(".PRJ"))
    return next((beside for beside in both if beside.is_file()), None)


def _crs_beside(file: Path) -> tuple[CRS | None, str]:
    """Return the CRS of a .prj of the same name, which GDAL does not read, and a remark on it."""
    beside = prj_beside(file)
    if beside is None:
        return None, ""
    try:
        text = beside.read_text(encoding="utf-8-sig").strip()
        crs = CRS.from_user_input(text, morph_from_esri_dialect=True)
    except (CRSError, UnicodeDecodeError):
        return None, f"without CRS, as {beside.name} beside it names none that can be read"
    code = crs.to_epsg()  # .prj files of ArcGIS name none
    crs = CRS.from_epsg(code) if code else crs
    return crs, f"its CRS is that of {beside.name} beside it"
