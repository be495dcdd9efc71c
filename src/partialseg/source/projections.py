"""Let rasterio use its own database of coordinate systems, whatever the environment names."""

import os
from functools import cache

import rasterio
from rasterio._env import PROJDataFinder, set_proj_data_search_path
from rasterio.crs import CRS
from rasterio.errors import CRSError

VARIABLES = ("PROJ_DATA", "PROJ_LIB")
KNOWN = 4326  # an EPSG code that every database has


@cache
def use_own_projections() -> None:
    """Turn rasterio from the proj.db that PROJ_DATA or PROJ_LIB name to that of its own wheel.

    QGIS, OSGeo4W, PostGIS and conda set these variables, and rasterio obeys them. With the database
    of another version of PROJ it takes every CRS for a local one, without an error; pyproj and
    pyogrio do not, as they ignore the variables.

    Raises:
        ValueError: rasterio has no database of its own, and cannot use the one that is named.
    """
    if own := PROJDataFinder().search_wheel():
        for name in VARIABLES:  # every rasterio.Env would return to them
            os.environ.pop(name, None)
        set_proj_data_search_path(own)
    try:
        with rasterio.Env():  # which keeps PROJ's own messages from stderr
            CRS.from_epsg(KNOWN)
    except CRSError as error:
        named = [f"{name}={os.environ[name]}" for name in VARIABLES if name in os.environ]
        raise ValueError(
            f"{' '.join(named) or 'PROJ'}: no database of coordinate systems that rasterio "
            f"{rasterio.__version__} can use; unset {' and '.join(VARIABLES)}: {error}"
        ) from error
