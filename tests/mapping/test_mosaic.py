"""All class maps as one raster, and the table of their areas."""

import csv
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray

from class_maps import NAMES, frame, write_map
from partialseg.mapping.areas import MapAreas, class_areas
from partialseg.mapping.class_map import class_map_layout, read_classes
from partialseg.mapping.cog import new_cog
from partialseg.mapping.mosaic import (
    check_mosaic,
    check_places,
    measured,
    overlaps,
    total_of,
    write_mosaic,
)

CRS = "EPSG:2180"


def place(x: float, y: float = 600_000.0, pixel: float = 0.25) -> Affine:
    return Affine(pixel, 0, x, 0, -pixel, y)


def write(out: Path, name: str, transform: Affine, ids: NDArray[np.integer]) -> Path:
    """Write the class map of an image, which need not be there, and return the image."""
    out.mkdir(exist_ok=True)
    height, width = ids.shape
    write_map(out / f"{name}_classes.tif", frame(CRS, transform, width, height), ids)
    return Path("images", f"{name}.tif")


def areas_of(out: Path, *images: Path) -> dict[Path, MapAreas]:
    areas, failed = measured(out, images)
    assert not failed
    return areas


def test_maps_lie_in_their_place_and_nodata_hides_nothing(tmp_path: Path) -> None:
    """a at columns 0..7; b from column 4 and row 2 on, without data in its first two columns."""
    first, second = np.zeros((6, 8), int), np.full((6, 8), 2)
    first[0, 0], second[:, :2] = 1, 255
    a = write(tmp_path, "a", place(500_000), first)
    b = write(tmp_path, "b", place(500_001, 599_999.5), second)
    files = write_mosaic(tmp_path, areas_of(tmp_path, a, b))
    assert [file.name for file in files] == ["areas.csv", "classes.qml", "classes.vrt"]
    with rasterio.open(tmp_path / "classes.vrt") as raster:
        assert (raster.width, raster.height, raster.nodata) == (12, 8, 255)
        assert raster.transform == place(500_000)
        assert raster.crs.to_epsg() == 2180
        assert raster.colorinterp[0].name == "palette"
        assert read_classes(raster) == (NAMES, ((1, 1, 1), (2, 2, 2), (3, 3, 3)))
        ids = raster.read(1)
    expected = np.full((8, 12), 255)
    expected[:6, :8] = first
    expected[2:, 6:] = 2
    np.testing.assert_array_equal(ids, expected)
    assert '"field"' in (tmp_path / "classes.qml").read_text()


def test_overviews_of_an_earlier_mosaic_go_with_it(tmp_path: Path) -> None:
    """As gdaladdo and QGIS write them; they would show the earlier classes from afar."""
    image = write(tmp_path, "a", place(500_000), np.ones((5, 5), int))
    for ending in (".ovr", ".aux.xml"):
        (tmp_path / f"classes.vrt{ending}").touch()
    write_mosaic(tmp_path, areas_of(tmp_path, image))
    assert not list(tmp_path.glob("classes.vrt.*"))


def test_the_folder_can_be_moved(tmp_path: Path) -> None:
    image = write(tmp_path / "maps", "a", place(500_000), np.ones((5, 5), int))
    write_mosaic(tmp_path / "maps", areas_of(tmp_path / "maps", image))
    (tmp_path / "maps").rename(tmp_path / "moved")
    with rasterio.open(tmp_path / "moved" / "classes.vrt") as raster:
        assert (raster.read(1) == 1).all()


def test_coarser_maps_are_enlarged_to_the_finest_pixels(tmp_path: Path) -> None:
    a = write(tmp_path, "a", place(500_000, pixel=0.5), np.array([[0, 1]]))
    b = write(tmp_path, "b", place(500_001, pixel=0.1), np.full((5, 5), 2))
    write_mosaic(tmp_path, areas_of(tmp_path, a, b))
    with rasterio.open(tmp_path / "classes.vrt") as raster:
        assert raster.shape == (5, 15)
        np.testing.assert_array_equal(raster.read(1)[2], [0] * 5 + [1] * 5 + [2] * 5)


def test_the_table_has_each_map_and_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a = write(tmp_path, "a", place(500_000), np.array([[0, 0, 1, 255]]))
    b = write(tmp_path, "b", place(500_001), np.array([[0, 2, 2, 2]]))
    write_mosaic(tmp_path, areas_of(tmp_path, a, b))
    with (tmp_path / "areas.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["image"] for row in rows] == ["a.tif"] * 4 + ["b.tif"] * 4 + ["(all)"] * 4
    names = [*NAMES, "nodata"]
    assert [row["class_name"] for row in rows] == names * 3
    pixels = [int(row["pixels"]) for row in rows]
    assert pixels == [2, 1, 0, 1, 1, 0, 3, 0, 3, 1, 3, 1]
    assert float(rows[8]["area_m2"]) == pytest.approx(3 / 16, rel=2e-3)
    assert float(rows[8]["share"]) == pytest.approx(3 / 7)
    assert capsys.readouterr().out == ""  # a ends where b begins


def test_maps_that_overlap_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images = [
        write(tmp_path, name, place(500_000 + 2 * number), np.ones((4, 10), int))
        for number, name in enumerate("abc")
    ]  # 2.5 m wide, 2 m from each other
    write_mosaic(tmp_path, areas_of(tmp_path, *images))
    assert "areas.csv: 2 pair(s) of maps overlap" in capsys.readouterr().out


def test_shares_of_all_maps_are_those_of_the_ground(tmp_path: Path) -> None:
    """Two pixels of 1 m2 have class 0; of 16 m2, one has class 1 and one class 2."""
    a = write(tmp_path, "a", place(500_000, pixel=1), np.array([[0, 0]]))
    b = write(tmp_path, "b", place(500_100, pixel=4), np.array([[1, 2]]))
    shares = [area.share for area in total_of([*areas_of(tmp_path, a, b).values()]).classes]
    assert shares == pytest.approx([2 / 34, 16 / 34, 16 / 34], rel=1e-3)


def test_a_map_that_cannot_be_measured_does_not_end_the_others(tmp_path: Path) -> None:
    a = write(tmp_path, "a", place(500_000), np.zeros((600, 600), int))
    b = write(tmp_path, "b", place(500_200), np.random.default_rng(1).integers(0, 3, (600, 600)))
    file = tmp_path / "b_classes.tif"
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2] + bytes(len(content) // 4))
    areas, failed = measured(tmp_path, [b, a])
    assert (list(areas), list(failed)) == ([a], [b])
    assert failed[b].endswith(f"; delete {file}, so that it is made again")


def test_edges_that_touch_do_not_overlap() -> None:
    left = frame(CRS, place(500_000), 4, 4)
    assert overlaps([left, frame(CRS, place(500_001.0), 4, 4)]) == 0
    assert overlaps([left, frame(CRS, place(500_000.75), 4, 4)]) == 1


def test_without_a_crs_the_sum_has_no_area(tmp_path: Path) -> None:
    with_crs, without = (
        class_areas(write_map(tmp_path / "a.tif", frame(crs, place(5e5), 2, 1), np.array([[1, 0]])))
        for crs in (CRS, None)
    )
    assert total_of([with_crs]).classes == with_crs.classes
    both = total_of([with_crs, without])
    assert [area.area_m2 for area in both.classes] == [None, None, None]
    assert [area.pixels for area in both.classes] == [2, 2, 0]


@pytest.mark.parametrize(
    ("crs", "transform", "message"),
    [
        ("EPSG:2177", place(6.5e6), r"^b\.tif: EPSG:2177, but a\.tif: EPSG:2180; a mosaic has one"),
        (None, place(5e5), r"^b\.tif: no CRS, but a\.tif: EPSG:2180; a mosaic has one CRS"),
        (None, Affine.identity(), r"^b\.tif: has no georeference, so it has no place"),
        (CRS, Affine(0.2, 0.1, 5e5, 0.1, -0.2, 6e5), r"^b\.tif: is turned or mirrored"),
        (CRS, Affine(0.2, 0, 5e5, 0, 0.2, 6e5), r"^b\.tif: is turned or mirrored"),
    ],
)
def test_what_does_not_fit_into_one_raster_is_refused(
    crs: str | None, transform: Affine, message: str
) -> None:
    places = {
        Path("a.tif"): frame(CRS, place(500_000)),
        Path("b.tif"): frame(crs, transform),
    }
    with pytest.raises(ValueError, match=message):
        check_places(places)


def test_maps_that_are_there_are_checked_with_the_images(tmp_path: Path) -> None:
    old = write(tmp_path, "old", place(500_000), np.zeros((2, 2), int))
    new = {Path("new.tif"): frame("EPSG:4326", Affine(1e-5, 0, 19, 0, -1e-5, 52))}
    check_mosaic({}, tmp_path, [old], NAMES)
    with pytest.raises(ValueError, match=r"old_classes\.tif: EPSG:2180, but new\.tif: EPSG:4326"):
        check_mosaic(new, tmp_path, [old], NAMES)
    with pytest.raises(ValueError, match=r"has the classes field, house, lake, and others .* x$"):
        check_mosaic({}, tmp_path, [old], ("x",))


def test_maps_of_other_classes_leave_the_mosaic_as_it_was(tmp_path: Path) -> None:
    a = write(tmp_path, "a", place(500_000), np.zeros((2, 2), int))
    write_mosaic(tmp_path, areas_of(tmp_path, a))
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    b = tmp_path / "b_classes.tif"
    layout = class_map_layout(("sea",), ((9, 9, 9),), {})
    with new_cog(b, frame(CRS, place(500_000), 2, 2), layout) as writer:
        writer.write(np.zeros((1, 2, 2), np.uint8), rasterio.windows.Window(0, 0, 2, 2))
    with pytest.raises(ValueError, match=r"b_classes\.tif: has the classes sea, and others"):
        write_mosaic(tmp_path, areas_of(tmp_path, a, Path("b.tif")))
    assert {name: (tmp_path / name).read_bytes() for name in before} == before
