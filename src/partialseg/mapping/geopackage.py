"""Write GeoPackages: layers of geometries, and their styles for QGIS."""

import sqlite3
import warnings
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pyogrio
import pyogrio.raw
import shapely
from numpy.typing import NDArray
from pyogrio.errors import DataLayerError, DataSourceError, FeatureError

from partialseg.mapping.frame import Frame

GEOMETRY = "geom"
# As QGIS creates it, so that it can save other styles there, too.
LAYER_STYLES = """
create table layer_styles (
    id integer primary key autoincrement not null,
    f_table_catalog text(256), f_table_schema text(256), f_table_name text(256),
    f_geometry_column text(256), styleName text(30), styleQML text, styleSLD text,
    useAsDefault boolean, description text, owner text(30), ui text(30),
    update_time datetime default (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
)
"""


def write_layer(
    part: Path,
    layer: str,
    kind: str,
    frame: Frame,
    geometries: NDArray[Any],
    columns: Mapping[str, NDArray[Any]],
) -> None:
    """Append geometries (N,) of a kind, in the CRS of a map, with columns (N,) to a layer.

    The file and the layer are created if they are not there.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "'crs' was not provided")
        pyogrio.raw.write(
            part,
            shapely.to_wkb(geometries),
            [*columns.values()],
            [*columns],
            layer=layer,
            driver="GPKG",
            geometry_type=kind,
            layer_options={"GEOMETRY_NAME": GEOMETRY},
            crs=frame.crs.to_wkt() if frame.crs else None,
            append=part.exists(),
            dataset_options={"VERSION": "1.2"},  # older GDAL and QGIS warn of later ones
        )


def add_style(part: Path, layer: str, style: str) -> None:
    """Add a default style to a layer of a GeoPackage that has no styles yet."""
    with closing(sqlite3.connect(part)) as connection, connection:
        connection.execute(LAYER_STYLES)
        connection.execute(
            "insert into gpkg_contents (table_name, data_type, identifier, description) "
            "values ('layer_styles', 'attributes', 'layer_styles', '')"
        )
        values = {
            "f_table_catalog": "",
            "f_table_schema": "",
            "f_table_name": layer,
            "f_geometry_column": GEOMETRY,
            "styleName": "classes",
            "styleQML": style,
            "useAsDefault": 1,
        }
        places = ", ".join("?" * len(values))
        connection.execute(
            f"insert into layer_styles ({', '.join(values)}) values ({places})", [*values.values()]
        )


@contextmanager
def write_errors(file: Path) -> Iterator[None]:
    """Turn the errors of what cannot be written into an OSError that names the file."""
    try:
        yield
    except (DataSourceError, DataLayerError, FeatureError, sqlite3.Error) as error:
        raise OSError(f"{file}: cannot be written (is the disk full?): {error}") from error
