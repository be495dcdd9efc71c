"""GeoTIFFs that say of themselves, or leave out, where they lie and what their bands are."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.enums import ColorInterp
from rasterio.rpc import RPC

CORNER = Affine(0.25, 0, 500_000, 0, -0.25, 600_000)  # in EPSG:2180


def write_geotiff(
    file: Path,
    bands: NDArray[np.generic],
    *,
    kinds: Sequence[str] = (),
    names: Sequence[str] = (),
    points: tuple[list[GroundControlPoint], str] | None = None,
    rpcs: RPC | None = None,
    **profile: Any,
) -> Path:
    """Write (bands, H, W) with what is given alone: profile may hold crs and transform."""
    file.parent.mkdir(parents=True, exist_ok=True)
    count, height, width = bands.shape
    size = {"width": width, "height": height, "count": count, "dtype": bands.dtype.name}
    with rasterio.open(file, "w", driver="GTiff", **size, **profile) as raster:
        if kinds:
            raster.colorinterp = [ColorInterp[kind] for kind in kinds]
        for band, name in enumerate(names, 1):
            raster.set_band_description(band, name)
        if points:
            raster.gcps = points[0], CRS.from_user_input(points[1]) if points[1] else CRS()
        if rpcs:
            raster.rpcs = rpcs
        raster.write(bands)
    return file


def control_points(
    places: Sequence[tuple[float, float]], transform: Affine = CORNER
) -> list[GroundControlPoint]:
    """Return a control point for each (row, column), on the transform."""
    on_ground = [transform @ (column, row) for row, column in places]
    return [
        GroundControlPoint(row=row, col=column, x=x, y=y)
        for (row, column), (x, y) in zip(places, on_ground, strict=True)
    ]


def some_rpcs() -> RPC:
    """Return rational polynomials that are hardly more than a plane."""
    rest = [0.0] * 18
    return RPC(
        height_off=0,
        height_scale=1,
        lat_off=50,
        lat_scale=1,
        line_off=20,
        line_scale=20,
        long_off=20,
        long_scale=1,
        samp_off=30,
        samp_scale=30,
        line_num_coeff=[0.0, 1.0, *rest],
        line_den_coeff=[1.0, 0.0, *rest],
        samp_num_coeff=[1.0, 0.0, *rest],
        samp_den_coeff=[1.0, 0.0, *rest],
        err_bias=None,
        err_rand=None,
    )
