import csv
import json
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from pyproj import Geod

from class_maps import NAMES, frame, write_map
from partialseg.mapping.areas import ClassArea, class_areas, row_areas, write_areas
from partialseg.source.raster import ground_size

LOCAL_FEET = 'LOCAL_CS["site", UNIT["foot", 0.3048], AXIS["x", EAST], AXIS["y", NORTH]]'


def test_pixels_of_degrees_shrink_towards_the_pole_and_sum_to_the_ellipsoid() -> None:
    place = frame("EPSG:4326", Affine(0.01, 0, 20, 0, -0.01, 60), 100, 1000)
    areas = row_areas(place)
    assert areas is not None and areas.shape == (1000,)
    assert areas[0] < areas[500] < areas[999]
    parallels = [(20.0 + step, north) for north in (60, 50) for step in np.linspace(0, 1, 1001)]
    east, north = zip(*(parallels[:1001] + parallels[:1000:-1]), strict=True)
    area, _ = Geod(ellps="WGS84").polygon_area_perimeter(east, north)
    assert areas.sum() * 100 == pytest.approx(abs(area), rel=1e-5)


@pytest.mark.parametrize(
    "crs, transform",
    [
        ("EPSG:2180", Affine(0.25, 0, 300_000, 0, -0.25, 600_000)),
        ("EPSG:2180", Affine(0.2, 0.15, 300_000, 0.15, -0.2, 600_000)),
        ("EPSG:3857", Affine(0.5, 0, 2_000_000, 0, -0.5, 6_800_000)),
        ("EPSG:2263", Affine(1, 0, 980_000, 0, -1, 200_000)),  # US feet
    ],
)
def test_areas_agree_with_pixel_sizes_where_angles_are_kept(crs: str, transform: Affine) -> None:
    areas = row_areas(frame(crs, transform))
    across, down = ground_size(crs, transform, 100, 80) or (0, 0)
    assert areas is not None
    assert areas.mean() == pytest.approx(across * down, rel=1e-6)


def test_an_equal_area_projection_keeps_areas_where_it_bends_angles() -> None:
    areas = row_areas(frame("EPSG:3035", Affine(1, 0, 1_500_000, 0, -1, 1_500_000)))
    np.testing.assert_allclose(areas, np.ones(80), rtol=1e-6)


def test_a_local_system_is_a_plane_with_its_unit() -> None:
    areas = row_areas(frame(LOCAL_FEET, Affine(2, 0, 0, 0, -3, 0)))
    np.testing.assert_allclose(areas, np.full(80, 6 * 0.3048**2), rtol=1e-12)


def test_without_a_crs_there_is_no_area() -> None:
    assert row_areas(frame(None, Affine.identity())) is None


def test_one_pixel_is_enough() -> None:
    areas = row_areas(frame("EPSG:2180", Affine(10, 0, 500_000, 0, -10, 600_000), 1, 1))
    assert areas is not None
    assert areas.tolist() == pytest.approx([100 / 0.9993**2], rel=1e-6)


@pytest.mark.parametrize("north", [100, 90.2])
def test_coordinates_outside_the_crs_are_told(north: float) -> None:
    with pytest.raises(ValueError, match=r"lie outside its CRS, WGS 84"):
        row_areas(frame("EPSG:4326", Affine(0.01, 0, 20, 0, -0.01, north)))


def test_classes_are_counted_over_bands_of_rows(tmp_path: Path) -> None:
    ids = np.zeros((1200, 10), np.int64)
    ids[600:, :] = 2
    ids[-1, :4] = 255
    place = frame("EPSG:4326", Affine(0.001, 0, 20, 0, -0.001, 60), 10, 1200)
    areas = class_areas(write_map(tmp_path / "map.tif", place, ids))
    by_row = row_areas(place)
    assert by_row is not None
    assert areas.nodata_pixels == 4
    assert [area.class_name for area in areas.classes] == list(NAMES)
    assert [area.pixels for area in areas.classes] == [6000, 0, 5996]
    assert [area.share for area in areas.classes] == [6000 / 11996, 0, 5996 / 11996]
    expected = [by_row[:600].sum() * 10, 0, by_row[600:].sum() * 10 - by_row[-1] * 4]
    assert [area.area_m2 for area in areas.classes] == pytest.approx(expected, rel=1e-12)


def test_a_map_without_crs_has_pixels_and_shares_alone(tmp_path: Path) -> None:
    place = frame(None, Affine.identity(), 2, 2)
    areas = class_areas(write_map(tmp_path / "map.tif", place, np.array([[0, 1], [1, 1]])))
    assert areas.classes[1] == ClassArea(
        class_id=1, class_name="house", pixels=3, area_m2=None, share=0.75
    )


def test_a_map_of_nodata_has_shares_of_zero(tmp_path: Path) -> None:
    place = frame(None, Affine.identity(), 2, 2)
    areas = class_areas(write_map(tmp_path / "map.tif", place, np.full((2, 2), 255)))
    assert [area.share for area in areas.classes] == [0, 0, 0]
    assert areas.nodata_pixels == 4


def test_an_id_without_a_name_is_refused(tmp_path: Path) -> None:
    place = frame(None, Affine.identity(), 2, 2)
    file = write_map(tmp_path / "map.tif", place, np.array([[0, 1], [7, 5]]))
    with pytest.raises(ValueError, match=r"map\.tif: holds the id 5, but names 3 classes"):
        class_areas(file)


def test_tables_list_every_class_and_nodata(tmp_path: Path) -> None:
    place = frame(LOCAL_FEET, Affine(1, 0, 0, 0, -1, 0), 2, 2)
    areas = class_areas(write_map(tmp_path / "map.tif", place, np.array([[0, 1], [1, 255]])))
    write_areas(areas, tmp_path / "areas.csv", tmp_path / "areas.json")
    with (tmp_path / "areas.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.reader(stream))
    square_foot = 0.3048**2
    assert rows[0] == ["class_id", "class_name", "pixels", "area_m2", "share"]
    assert [row[:3] for row in rows[1:]] == [
        ["0", "field", "1"],
        ["1", "house", "2"],
        ["2", "lake", "0"],
        ["255", "nodata", "1"],
    ]
    assert float(rows[2][3]) == pytest.approx(2 * square_foot)
    assert rows[4][3:] == ["", ""]
    content = json.loads((tmp_path / "areas.json").read_text(encoding="utf-8"))
    assert content["nodata_pixels"] == 1
    assert content["units"].keys() == {"pixels", "area_m2", "share", "nodata_pixels"}
    assert content["classes"][2] == {
        "class_id": 2,
        "class_name": "lake",
        "pixels": 0,
        "area_m2": 0.0,
        "share": 0.0,
    }
