import sqlite3
from contextlib import closing
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pyogrio
from affine import Affine

from class_maps import NAMES, frame, write_map
from partialseg.mapping.polygons import write_polygons
from partialseg.mapping.styles import class_style, polygon_style, share_style

PALETTE = ((230, 220, 130), (200, 20, 20), (0, 10, 255))


def test_a_class_map_has_an_entry_per_class() -> None:
    root = ElementTree.fromstring(class_style(NAMES, PALETTE))
    renderer = root.find("pipe/rasterrenderer")
    assert renderer is not None
    assert (renderer.get("type"), renderer.get("band")) == ("paletted", "1")
    entries = [
        (item.get("value"), item.get("label"), item.get("color"))
        for item in renderer.findall("colorPalette/paletteEntry")
    ]
    assert entries == [
        ("0", "field", "#e6dc82"),
        ("1", "house", "#c81414"),
        ("2", "lake", "#000aff"),
    ]


def test_names_are_escaped() -> None:
    root = ElementTree.fromstring(class_style(('a < b & "c"',), ((1, 2, 3),)))
    entry = root.find(".//paletteEntry")
    assert entry is not None and entry.get("label") == 'a < b & "c"'


def test_shares_are_shown_from_0_to_100_percent() -> None:
    items = ElementTree.fromstring(share_style()).findall(".//item")
    assert [(item.get("value"), item.get("label")) for item in items] == [
        ("0", "0 %"),
        ("0.2", "20 %"),
        ("0.4", "40 %"),
        ("0.6", "60 %"),
        ("0.8", "80 %"),
        ("1", "100 %"),
    ]


def test_polygons_are_categories_of_their_attribute() -> None:
    root = ElementTree.fromstring(polygon_style("class_name", NAMES, PALETTE))
    renderer = root.find("renderer-v2")
    assert renderer is not None and renderer.get("attr") == "class_name"
    values = [item.get("value") for item in renderer.findall("categories/category")]
    assert values == list(NAMES)
    fills = [item.get("value") for item in renderer.findall(".//Option[@name='color']")]
    assert fills == ["230,220,130,255", "200,20,20,255", "0,10,255,255"]


def test_a_geopackage_has_the_style_of_its_layer_and_still_one_layer_to_draw(
    tmp_path: Path,
) -> None:
    place = frame("EPSG:2180", Affine(0.5, 0, 300_000, 0, -0.5, 600_000), 4, 3)
    class_map = write_map(tmp_path / "a.tif", place, np.zeros((3, 4), np.uint8))
    file = tmp_path / "a.gpkg"
    write_polygons(class_map, file, 0)
    layers = dict(pyogrio.list_layers(file).tolist())
    assert layers == {"land_cover": "Polygon", "layer_styles": None}
    assert next(iter(layers)) == "land_cover"  # the first, which is read if none is asked for
    with closing(sqlite3.connect(file)) as connection:
        query = "select column_name from gpkg_geometry_columns where table_name = 'land_cover'"
        (column,) = connection.execute(query).fetchone()
        row = connection.execute(
            "select f_table_name, f_geometry_column, useAsDefault, styleQML from layer_styles"
        ).fetchall()
        tables = dict(connection.execute("select table_name, data_type from gpkg_contents"))
    palette = ((1, 1, 1), (2, 2, 2), (3, 3, 3))
    assert row == [("land_cover", column, 1, polygon_style("class_name", NAMES, palette))]
    assert tables == {"land_cover": "features", "layer_styles": "attributes"}
