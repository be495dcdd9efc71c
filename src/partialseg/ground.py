"""How large a pixel is on the ground."""

import math

from affine import Affine
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError


def ground_size(crs: str, transform: Affine, width: int, height: int) -> tuple[float, float] | None:
    """Return the metres on the ground between two columns and between two rows of a raster.

    They are means over the middle row and the middle column, along geodesics: so pixels of
    degrees, of feet and of the Mercator projection have their true size. None without a CRS.

    Raises:
        ValueError: the CRS is unknown, or the coordinates lie outside it.
    """
    if not crs:
        return None
    row = (0, height / 2), (width, height / 2)
    column = (width / 2, 0), (width / 2, height)
    try:
        known = CRS.from_user_input(crs)
        across, down = (
            _distance(known, *(transform @ end for end in ends)) for ends in (row, column)
        )
    except CRSError as error:
        raise ValueError(f"CRS {crs}: {error}") from error
    if not (0 < across < math.inf and 0 < down < math.inf):
        x, y = transform @ (width / 2, height / 2)
        raise ValueError(f"the coordinates ({x:g}, {y:g}) lie outside its CRS, {known.name}")
    return across / width, down / height


def _distance(crs: CRS, start: tuple[float, float], end: tuple[float, float]) -> float:
    if crs.geodetic_crs is None:  # a local system: a plane with a unit of its own
        return math.dist(start, end) * crs.axis_info[0].unit_conversion_factor
    to_degrees = Transformer.from_crs(crs, crs.geodetic_crs, always_xy=True)
    xs, ys = to_degrees.transform((start[0], end[0]), (start[1], end[1]))
    geod = crs.get_geod()
    assert geod is not None
    if not all(-90 <= y <= 90 and abs(x) <= 360 for x, y in zip(xs, ys, strict=True)):
        return math.inf
    return float(geod.inv(xs[0], ys[0], xs[1], ys[1])[2])
