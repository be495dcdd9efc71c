import json
import math
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio.raw
import pytest
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyproj import Transformer

from assess import main
from class_maps import NAMES, frame, write_map
from partialseg.assessment.assess import Left, assess, draw_points
from partialseg.assessment.tables import text
from partialseg.core.command import run
from partialseg.mapping.geopackage import add_style

PLACE = Affine(0.5, 0, 300_000, 0, -0.5, 600_000)


def ids() -> NDArray[np.uint8]:
    """Half field, a quarter house, a quarter lake; a row of nodata on top."""
    values = np.zeros((21, 20), np.uint8)
    values[:, 10:15], values[:, 15:], values[0] = 1, 2, 255
    return values


@pytest.fixture
def class_map(tmp_path: Path) -> Path:
    return write_map(tmp_path / "map.tif", frame("EPSG:2180", PLACE, 20, 21), ids())


# Column, row and reference: field 3 of 4 right, house and lake 2 of 2; then one without a
# reference, one on nodata and one beside the map.
POINTS = (
    *((2, 3, "field"), (4, 5, "field"), (6, 9, "0"), (8, 12, "lake")),
    *((11, 3, "house"), (13, 8, "house"), (16, 4, " lake "), (18, 7, "2")),
    *((3, 15, ""), (5, 0, "field"), (30, 5, "field")),
)
NUMBERED = ((2, 3, 1), (4, 5, 1), (11, 3, 2), (13, 8, 2), (16, 4, 3), (18, 7, 3))
COUNTS = [[3, 0, 1], [0, 2, 0], [0, 0, 2]]


def write_csv(file: Path, points: tuple[tuple[int, int, str], ...] = POINTS) -> Path:
    lines = ["x,y,reference"]
    for column, row, reference in points:
        x, y = PLACE @ (column + 0.5, row + 0.5)
        lines.append(f"{x},{y},{reference}")
    file.write_text("\n".join(lines) + "\n")
    return file


def write_package(file: Path, crs: str | None, field: str = "reference") -> Path:
    corners = np.array([PLACE @ (column + 0.5, row + 0.5) for column, row, _ in POINTS])
    if crs not in (None, "EPSG:2180"):
        moved = Transformer.from_crs("EPSG:2180", crs, always_xy=True).transform(*corners.T)
        corners = np.stack(moved, axis=1)
    references = np.array([text or None for _, _, text in POINTS], object)
    rewrite(file, shapely.to_wkb(shapely.points(corners)), {field: references}, crs)
    return file


def rewrite(
    file: Path,
    geometries: NDArray[Any],
    columns: dict[str, NDArray[Any]],
    crs: str | None,
    kind: str = "Point",
) -> None:
    file.unlink(missing_ok=True)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "'crs' was not provided")
        pyogrio.raw.write(
            file,
            geometries,
            list(columns.values()),
            list(columns),
            layer="points",
            driver="GPKG",
            geometry_type=kind,
            crs=crs,
        )


def test_points_of_a_csv_file_are_counted_at_their_pixels(class_map: Path, tmp_path: Path) -> None:
    found = assess(class_map, write_csv(tmp_path / "points.csv"))
    assert found.counts.tolist() == COUNTS
    assert (found.left_out, found.class_names) == (Left(unlabelled=1, outside=2), NAMES)
    assert [item.mapped for item in found.accuracy.classes] == pytest.approx([0.5, 0.25, 0.25])
    assert found.accuracy.overall.value == pytest.approx(0.5 * 0.75 + 0.25 + 0.25)
    assert found.area_m2 == pytest.approx(400 * 0.25, rel=2e-3)


@pytest.mark.parametrize("crs", ["EPSG:2180", "EPSG:4326"])
def test_points_of_a_geopackage_are_brought_to_the_crs_of_the_map(
    class_map: Path, tmp_path: Path, crs: str
) -> None:
    found = assess(class_map, write_package(tmp_path / "points.gpkg", crs))
    assert found.counts.tolist() == COUNTS
    assert found.left_out == Left(unlabelled=1, outside=2)


@pytest.mark.parametrize("name", ["points.gpkg", "points.csv"])
@pytest.mark.parametrize("crs", ["EPSG:2180", None])
def test_drawn_points_are_read_again_at_their_pixels(
    tmp_path: Path, name: str, crs: str | None
) -> None:
    place = frame(crs, PLACE if crs else Affine.identity(), 20, 21)
    class_map = write_map(tmp_path / "map.tif", place, ids())
    file = tmp_path / name
    draw_points(class_map, file, 24, seed=3)
    if name.endswith("csv"):
        lines = file.read_text().splitlines()
        assert lines[0] == "id,x,y,reference,drawn_from"
        file.write_text("\n".join(line.replace(",,", ",field,") for line in lines))
    else:
        meta, _, geometries, (numbers, _, marks) = pyogrio.raw.read(file)
        assert list(meta["fields"]) == ["id", "reference", "drawn_from"]
        assert numbers.tolist() == list(range(1, 25))
        labels = np.full(24, "field", object)
        columns = {"id": numbers, "reference": labels, "drawn_from": marks}
        rewrite(file, geometries, columns, meta["crs"])
    found = assess(class_map, file)
    # 4 of each class, and 12 by pixels.
    assert found.counts.tolist() == [[10, 0, 0], [7, 0, 0], [7, 0, 0]]
    assert found.left_out == Left(unlabelled=0, outside=0)
    assert (found.area_m2 is None) == (crs is None)


@pytest.mark.parametrize("name", ["points.gpkg", "points.csv"])
def test_points_that_were_drawn_from_another_map_are_refused(
    class_map: Path, tmp_path: Path, name: str
) -> None:
    draw_points(class_map, tmp_path / name, 24, seed=3)
    other = ids()
    other[5, 5] = 1
    again = write_map(tmp_path / "again.tif", frame("EPSG:2180", PLACE, 20, 21), other)
    with pytest.raises(
        ValueError, match=rf"{name}: was drawn from another map, and so is no random"
    ):
        assess(again, tmp_path / name)


@pytest.mark.parametrize(
    "references",
    [
        np.array([0, 1, 2], np.int32),
        np.array([0.0, 1.0, 2.0]),
        np.array(["field", "1", " lake"], object),
    ],
)
def test_references_are_names_or_ids_of_any_type(
    class_map: Path, tmp_path: Path, references: NDArray[Any]
) -> None:
    corners = np.array([PLACE @ (column + 0.5, 3.5) for column in (2, 11, 16) * 2])
    corners[3:, 1] -= 3
    geometries = shapely.to_wkb(shapely.points(corners))
    rewrite(tmp_path / "a.gpkg", geometries, {"reference": np.tile(references, 2)}, "EPSG:2180")
    found = assess(class_map, tmp_path / "a.gpkg")
    assert found.counts.tolist() == [[2, 0, 0], [0, 2, 0], [0, 0, 2]]


def test_a_reference_between_two_ids_is_refused_and_nan_is_none(
    class_map: Path, tmp_path: Path
) -> None:
    corners = np.array([PLACE @ (column + 0.5, 3.5) for column in (2, 11)])
    geometries = shapely.to_wkb(shapely.points(corners))
    for value, message in (
        (0.5, "reference '0.5': the map"),
        (math.inf, "reference 'inf': the map"),
    ):
        columns = {"reference": np.array([value, 1.0])}
        rewrite(tmp_path / "a.gpkg", geometries, columns, "EPSG:2180")
        with pytest.raises(ValueError, match=message):
            assess(class_map, tmp_path / "a.gpkg")
    rewrite(tmp_path / "a.gpkg", geometries, {"reference": np.array([math.nan, 9.0])}, "EPSG:2180")
    with pytest.raises(ValueError, match=r"reference '9': the map"):
        assess(class_map, tmp_path / "a.gpkg")


def test_a_file_with_a_saved_style_and_multipoints_of_one_point_is_read(
    class_map: Path, tmp_path: Path
) -> None:
    file = write_package(tmp_path / "points.gpkg", "EPSG:2180")
    meta, _, geometries, columns = pyogrio.raw.read(file)
    several = shapely.to_wkb([shapely.MultiPoint([item]) for item in shapely.from_wkb(geometries)])
    named = dict(zip(meta["fields"], columns, strict=True))
    rewrite(file, several, named, meta["crs"], kind="MultiPoint")
    add_style(file, "points", "<qgis/>")
    assert assess(class_map, file).counts.tolist() == COUNTS


@pytest.mark.parametrize(
    ("geometries", "message"),
    [
        ([shapely.Point(300_001, 599_998), shapely.Point()], "a point has no place; delete it$"),
        ([shapely.Point(300_001, 599_998), None], "a point has no place; delete it$"),
        ([shapely.MultiPoint([(0, 0), (1, 1)])], "holds other geometries than single points$"),
        ([shapely.Point(0, 0).buffer(1)], "holds other geometries than single points$"),
    ],
)
def test_other_geometries_than_points_are_refused(
    class_map: Path, tmp_path: Path, geometries: list[Any], message: str
) -> None:
    references = np.full(len(geometries), "field", object)
    written = np.array([None if item is None else item.wkb for item in geometries], object)
    rewrite(tmp_path / "a.gpkg", written, {"reference": references}, "EPSG:2180", kind="Unknown")
    with pytest.raises(ValueError, match=message):
        assess(class_map, tmp_path / "a.gpkg")


def test_a_package_of_two_layers_is_refused(class_map: Path, tmp_path: Path) -> None:
    file = write_package(tmp_path / "points.gpkg", "EPSG:2180")
    meta, _, geometries, columns = pyogrio.raw.read(file)
    pyogrio.raw.write(
        file,
        geometries,
        columns,
        meta["fields"],
        layer="more",
        driver="GPKG",
        geometry_type="Point",
        crs=meta["crs"],
    )
    with pytest.raises(ValueError, match=r"has the layers \['points', 'more'\]; one is needed$"):
        assess(class_map, file)


def test_points_left_of_the_map_and_above_it_are_outside(class_map: Path, tmp_path: Path) -> None:
    file = write_csv(tmp_path / "points.csv", (*POINTS[:8], (-1, 4, "field"), (3, -2, "field")))
    found = assess(class_map, file)
    assert found.counts.tolist() == COUNTS
    assert found.left_out == Left(unlabelled=0, outside=2)


def test_no_usable_point_is_said_so(class_map: Path, tmp_path: Path) -> None:
    file = write_csv(tmp_path / "points.csv", ((3, 5, ""), (40, 5, "field"), (41, 5, "field")))
    message = r"points\.csv: no point can be used: 1 without a reference, 2 outside the map or on"
    with pytest.raises(ValueError, match=message):
        assess(class_map, file)
    (tmp_path / "empty.csv").write_text("x,y,reference\n")
    with pytest.raises(ValueError, match=r"empty\.csv: no point can be used: 0 without"):
        assess(class_map, tmp_path / "empty.csv")


def test_a_csv_file_may_name_its_columns_and_ids_as_other_programs_write_them(
    class_map: Path, tmp_path: Path
) -> None:
    """GDAL writes X and Y, pandas ids with gaps as 0.0; `map` is somebody's own column."""
    file = write_csv(tmp_path / "points.csv")
    lines = file.read_text().replace("field", "0.0").splitlines()
    lines = ["X,Y,Reference,map", *(f"{line},lake" for line in lines[1:])]
    file.write_text("\n".join(lines))
    assert assess(class_map, file).counts.tolist() == COUNTS


def test_a_point_at_the_end_of_the_world_is_outside(class_map: Path, tmp_path: Path) -> None:
    file = write_csv(tmp_path / "points.csv", POINTS[:8])
    file.write_text(file.read_text() + "1e300,-1e300,field\n")
    found = assess(class_map, file)
    assert found.counts.tolist() == COUNTS
    assert found.left_out == Left(unlabelled=0, outside=1)


def test_where_names_are_numbers_ids_are_refused(tmp_path: Path) -> None:
    """Class 0 is called 1: a reference 1 is that, and a 0 is nothing."""
    names = ("1", "2", "3")
    class_map = write_map(
        tmp_path / "map.tif", frame("EPSG:2180", PLACE, 20, 21), ids(), names=names
    )
    points = tuple((column, row, str(number)) for column, row, number in NUMBERED)
    found = assess(class_map, write_csv(tmp_path / "points.csv", points))
    assert found.counts.tolist() == [[2, 0, 0], [0, 2, 0], [0, 0, 2]]
    file = write_csv(tmp_path / "points.csv", (*points, (5, 5, "0")))
    with pytest.raises(ValueError, match=r"reference '0': the map has the classes 1, 2, 3$"):
        assess(class_map, file)


def test_pixels_of_unequal_ground_are_told(class_map: Path, tmp_path: Path) -> None:
    """From 60 degrees north to the equator a pixel grows to twice its ground."""
    place = Affine(0.03, 0, 0, 0, -0.03, 60)
    tall = ids()[1:].repeat(100, axis=0)
    wide = write_map(tmp_path / "wide.tif", frame("EPSG:4326", place, 20, 2000), tall)
    lines = ["x,y,reference"]
    for column, row, reference in POINTS[:8]:
        x, y = place @ (column + 0.5, 100 * row - 50)
        lines.append(f"{x},{y},{reference}")
    (tmp_path / "points.csv").write_text("\n".join(lines))
    found = assess(wide, tmp_path / "points.csv")
    assert found.pixel_ratio == pytest.approx(1.966, abs=0.005)  # 2 on a sphere
    assert "times as much ground as others, but points are drawn among pixels" in text(found)
    flat = text(assess(class_map, write_csv(tmp_path / "flat.csv")))
    assert "as much ground" not in flat


def test_a_csv_file_with_a_byte_order_mark_is_read(class_map: Path, tmp_path: Path) -> None:
    file = write_csv(tmp_path / "points.csv")
    file.write_text(file.read_text(), encoding="utf-8-sig")
    assert assess(class_map, file).counts.tolist() == COUNTS


def test_areas_are_told_in_a_unit_that_suits_the_map(tmp_path: Path) -> None:
    def told(side: float, crs: str | None) -> list[str]:
        transform = Affine(side, 0, 300_000, 0, -side, 600_000) if crs else Affine.identity()
        class_map = write_map(tmp_path / "map.tif", frame(crs, transform, 20, 21), ids())
        lines = ["x,y,reference"]
        placed = transform if crs else Affine.scale(1, -1)
        for column, row, reference in POINTS[:8]:
            x, y = placed @ (column + 0.5, row + 0.5)
            lines.append(f"{x},{y},{reference}")
        (tmp_path / "points.csv").write_text("\n".join(lines))
        shown = text(assess(class_map, tmp_path / "points.csv"))
        table = [line for line in shown.splitlines() if line.startswith("|")][6:]
        head, house = (line.split("|") for line in (table[0], table[3]))
        return [head[4].strip(), house[4].strip(), house[5].strip()]

    # House is a quarter of 400 pixels: 25 m2 of 0.5 m, and 100 km2 or 10,000 ha of 1 km. Of the
    # house points none is wrong, and none of another class is one.
    assert told(0.5, "EPSG:2180") == ["mapped, m²", "25", "25 ± 0"]
    assert told(1000, "EPSG:2180")[0] == "mapped, ha"
    assert float(told(1000, "EPSG:2180")[1].replace(",", "")) == pytest.approx(10_000, rel=0.01)
    assert told(1, None) == ["mapped, share of the map", "0.2500", "0.2500 ± 0.0000"]


def test_the_tables(class_map: Path, tmp_path: Path) -> None:
    shown = text(assess(class_map, write_csv(tmp_path / "points.csv")))
    lines = shown.splitlines()
    assert "|       |   field |   house |   lake |   sum |" in lines
    assert "| field |       3 |       0 |      1 |     4 |" in lines
    assert "| sum   |       3 |       2 |      3 |     8 |" in lines
    row = next(line for line in lines if line.startswith("| lake") and "%" in line)
    # 0.25 of 0.375 is right; mapped on 25 m2.
    assert "66.7% ±" in row and "100.0% ± 0.0%" in row
    assert "Overall accuracy: 87.5% ±" in shown
    assert "Fewer than 30 points, so rough intervals: field (4), house (2), lake (2)." in lines
    assert "Left out, without a reference: 1 points." in lines
    assert "Left out, outside the map or on its nodata: 2 points." in lines


def test_the_command_draws_and_assesses(
    class_map: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    drawn = tmp_path / "drawn.gpkg"
    monkeypatch.setattr(sys, "argv", ["assess.py", str(class_map), str(drawn), "--draw", "24"])
    main()
    assert pyogrio.read_info(drawn)["features"] == 24
    points, out = write_csv(tmp_path / "points.csv"), tmp_path / "out.json"
    arguments = ["assess.py", str(class_map), str(points), "--json", str(out)]
    monkeypatch.setattr(sys, "argv", arguments)
    capsys.readouterr()
    main()
    assert "Overall accuracy: 87.5%" in capsys.readouterr().out
    written = json.loads(out.read_text())
    assert written["confusion"] == COUNTS
    assert (written["points"], written["points_left_out"]) == (8, {"unlabelled": 1, "outside": 2})
    lake = written["classes"]["lake"]
    assert lake["share"]["value"] == pytest.approx(0.375)
    assert lake["estimated_m2"]["value"] == pytest.approx(0.375 * written["area_m2"])
    assert written["overall_accuracy"]["value"] == pytest.approx(0.875)
    assert list(written["classes"]) == list(NAMES)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("x,y,reference\n1,a,field\n", r"points\.csv: x and y must be numbers: "),
        (
            "x;y;reference\n300001;599999;field\n",
            r"needs the columns x, y and reference, separated by commas; has x;y;reference$",
        ),
        ("x,y,reference\nnan,599999,field\n", r"points\.csv: x and y must be finite numbers$"),
        ("", r"points\.csv: needs the columns x, y and reference, separated by commas; has none$"),
        ("x,y,reference,Reference\n", r"points\.csv: has several columns reference$"),
        ("x,y,reference\n\n1,2\n", r"points\.csv: row 3 has 2 columns, and not 3$"),
        (
            "x,y,reference\n300001,599999,barn\n",
            r"reference 'barn': the map has the classes f",
        ),
        (
            "x,y,reference\n300001.1,599998.1,field\n300001.2,599998.2,field\n",
            r"2 points lie in one pixel \(column 2, row 3\), which a sample has once$",
        ),
        (
            "x,y,reference\n300001,599998,field\n",
            r"^class field: has 200 pixels on the map and 1 refer",
        ),
    ],
)
def test_points_that_cannot_be_used_are_refused(
    class_map: Path, tmp_path: Path, change: str, message: str
) -> None:
    (tmp_path / "points.csv").write_text(change)
    with pytest.raises(ValueError, match=message):
        assess(class_map, tmp_path / "points.csv")


def test_packages_that_cannot_be_used_are_refused(class_map: Path, tmp_path: Path) -> None:
    other = write_package(tmp_path / "other.gpkg", "EPSG:2180", field="class")
    with pytest.raises(ValueError, match=r"has no field 'reference', only \['class'\]$"):
        assess(class_map, other)
    with pytest.raises(ValueError, match=r"CRS None, but the map has EPSG:2180$"):
        assess(class_map, write_package(tmp_path / "none.gpkg", None))
    (tmp_path / "bad.gpkg").write_text("x")
    with pytest.raises(ValueError, match=r"bad\.gpkg: cannot be read: "):
        assess(class_map, tmp_path / "bad.gpkg")
    with pytest.raises(ValueError, match=r"points\.shp: points are in a \.gpkg or a \.csv file$"):
        assess(class_map, tmp_path / "points.shp")


def test_results_do_not_overwrite_the_points(
    class_map: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    points = write_csv(tmp_path / "points.csv")
    before = points.read_bytes()
    arguments = ["assess.py", str(class_map), str(points), "--json", str(points)]
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit):
        main()
    assert capsys.readouterr().err.endswith("points.csv would be overwritten\n")
    assert points.read_bytes() == before


def test_drawn_points_overwrite_nothing(
    class_map: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    points = write_csv(tmp_path / "points.csv")
    before = points.read_bytes()
    arguments = ["assess.py", str(class_map), str(points), "--draw", "24"]
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit):
        run(main)
    assert capsys.readouterr().err == f"error: {points}: exists; points are drawn into a new file\n"
    assert points.read_bytes() == before
