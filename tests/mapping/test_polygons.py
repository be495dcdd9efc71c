import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import pyogrio.raw
import pytest
import shapely
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.windows import Window
from shapely import Polygon, box

from partialseg.mapping import polygons as polygons_module
from partialseg.mapping.areas import class_areas
from partialseg.mapping.class_map import class_map_layout
from partialseg.mapping.cog import new_cog
from partialseg.mapping.frame import Frame
from partialseg.mapping.polygons import write_polygons
from rasters import limited_files

NAMES = ("field", "house ü", "lake")
IDS = np.array([[0, 0, 0, 0], [0, 1, 1, 255], [2, 0, 0, 0]], np.uint8)
PLACE = Affine(0.5, 0, 500_000, 0, -0.5, 600_000)
ROTATED = Affine(0.3, 0.4, 500_000, 0.4, -0.3, 600_000)


def write_map(
    file: Path, ids: NDArray[np.uint8], crs: str | None = "EPSG:2180", transform: Affine = PLACE
) -> Path:
    frame = Frame(
        width=ids.shape[1],
        height=ids.shape[0],
        crs=CRS.from_user_input(crs) if crs else None,
        transform=transform,
    )
    layout = class_map_layout(NAMES, ((1, 1, 1), (2, 2, 2), (3, 3, 3)), {})
    with new_cog(file, frame, layout) as writer:
        writer.write(ids[None], Window(0, 0, frame.width, frame.height))
    return file


def read(file: Path) -> tuple[dict[str, Any], list[Polygon], dict[str, list[Any]]]:
    """Return what the layer says of itself, and its geometries and columns by class and area."""
    meta, _, geometry, columns = pyogrio.raw.read(file, layer="land_cover")
    order = np.lexsort((columns[3], columns[0]))
    polygons = list(shapely.normalize(shapely.from_wkb(geometry[order])))
    table = {
        str(name): column[order].tolist()
        for name, column in zip(meta["fields"], columns, strict=True)
    }
    return meta, polygons, table


def test_each_region_is_a_feature_in_map_coordinates(tmp_path: Path) -> None:
    file = tmp_path / "out" / "map.gpkg"
    assert write_polygons(write_map(tmp_path / "map.tif", IDS), file, 0) == 4
    meta, polygons, table = read(file)
    assert meta["geometry_type"] == "Polygon" and meta["crs"] == "EPSG:2180"
    assert list(meta["dtypes"]) == ["int32", "object", "float64", "int64"]
    assert table["class_id"] == [0, 0, 1, 2]
    assert table["class_name"] == ["field", "field", "house ü", "lake"]
    assert table["area_px"] == [3, 5, 2, 1]
    true_size = 0.25 / 0.9993**2  # of a pixel on the central meridian of EPSG:2180
    assert table["area_m2"] == pytest.approx([size * true_size for size in (3, 5, 2, 1)], rel=1e-6)
    assert polygons[2].equals(box(500_000.5, 599_999, 500_001.5, 599_999.5))
    assert [path.name for path in file.parent.iterdir()] == ["map.gpkg"]


def test_a_rotated_map_gives_rotated_polygons(tmp_path: Path) -> None:
    write_polygons(write_map(tmp_path / "map.tif", IDS, transform=ROTATED), tmp_path / "a.gpkg", 0)
    lake = read(tmp_path / "a.gpkg")[1][3]
    corners = [ROTATED @ corner for corner in ((0, 2), (1, 2), (1, 3), (0, 3))]
    assert lake.symmetric_difference(Polygon(corners)).area < 1e-6
    assert lake.area == pytest.approx(0.25)


def test_without_georeference_a_pixel_is_a_unit_and_y_points_up(tmp_path: Path) -> None:
    class_map = write_map(tmp_path / "map.tif", IDS, crs=None, transform=Affine.identity())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert write_polygons(class_map, tmp_path / "map.gpkg", 2) == 3
    meta, polygons, table = read(tmp_path / "map.gpkg")
    assert meta["crs"] is None or "Undefined" in meta["crs"]
    assert table["area_px"] == [3, 5, 2]
    assert np.isnan(table["area_m2"]).all()
    assert polygons[2].equals(box(1, -2, 3, -1))


def test_regions_smaller_than_the_least_area_are_left_out(tmp_path: Path) -> None:
    class_map = write_map(tmp_path / "map.tif", IDS)
    assert write_polygons(class_map, tmp_path / "map.gpkg", 0.6) == 2  # 2 pixels are 0.5007 m2
    assert read(tmp_path / "map.gpkg")[2]["area_px"] == [3, 5]


def test_no_region_is_an_empty_layer(tmp_path: Path) -> None:
    class_map = write_map(tmp_path / "map.tif", np.full((4, 4), 255, np.uint8))
    assert write_polygons(class_map, tmp_path / "map.gpkg", 0) == 0
    layers = pyogrio.list_layers(tmp_path / "map.gpkg").tolist()
    assert layers == [["land_cover", "Polygon"], ["layer_styles", None]]
    assert read(tmp_path / "map.gpkg")[2]["class_name"] == []


@pytest.mark.slow
def test_many_strips_give_the_features_of_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = np.random.default_rng(3).choice([0, 0, 0, 1, 2, 255], (90, 60)).astype(np.uint8)
    class_map = write_map(tmp_path / "map.tif", ids)
    write_polygons(class_map, tmp_path / "one.gpkg", 0)
    monkeypatch.setattr(polygons_module, "STRIP_PIXELS", 7 * 60)
    count = write_polygons(class_map, tmp_path / "many.gpkg", 0)
    _, _, one = read(tmp_path / "one.gpkg")
    _, _, many = read(tmp_path / "many.gpkg")
    assert len(many["area_px"]) == count
    assert sorted(many["area_m2"]) == pytest.approx(sorted(one["area_m2"]), rel=1e-12)
    assert [many[name] for name in ("class_id", "area_px")] == [
        one[name] for name in ("class_id", "area_px")
    ]


def test_regions_sum_to_the_areas_of_the_classes(tmp_path: Path) -> None:
    ids = np.random.default_rng(4).integers(0, 3, (600, 20)).astype(np.uint8)
    far = Affine(2, 0, 150_000, 0, -2, 400_000)  # where the scale changes from row to row
    class_map = write_map(tmp_path / "map.tif", ids, transform=far)
    write_polygons(class_map, tmp_path / "map.gpkg", 0)
    _, _, table = read(tmp_path / "map.gpkg")
    for area in class_areas(class_map).classes:
        chosen = np.array(table["class_id"]) == area.class_id
        assert np.array(table["area_px"])[chosen].sum() == area.pixels
        assert np.array(table["area_m2"])[chosen].sum() == pytest.approx(area.area_m2, rel=1e-6)


@pytest.mark.parametrize("min_area", [-1, float("nan")])
def test_a_negative_least_area_is_refused(tmp_path: Path, min_area: float) -> None:
    class_map = write_map(tmp_path / "map.tif", IDS)
    with pytest.raises(ValueError, match="min_area must be at least 0, got"):
        write_polygons(class_map, tmp_path / "map.gpkg", min_area)


@pytest.mark.slow
@pytest.mark.parametrize("limit", [150_000, 400_000])
def test_a_full_disk_leaves_the_earlier_file(tmp_path: Path, limit: int) -> None:
    ids = np.random.default_rng(4).integers(0, 3, (100, 100)).astype(np.uint8)
    class_map = write_map(tmp_path / "map.tif", ids)
    file = tmp_path / "out" / "map.gpkg"
    file.parent.mkdir()
    file.write_text("earlier")
    with pytest.raises(OSError, match=r"map\.gpkg: cannot be written"), limited_files(limit):
        write_polygons(class_map, file, 0)
    assert file.read_text() == "earlier"
    assert list(file.parent.iterdir()) == [file]
