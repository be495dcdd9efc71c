from pathlib import Path

import numpy as np
import pytest
import shapely
from affine import Affine
from numpy.typing import NDArray
from rasterio.windows import Window
from shapely import Polygon, box

from partialseg.mapping.class_map import class_map_layout
from partialseg.mapping.cog import new_cog
from partialseg.mapping.frame import Frame
from partialseg.mapping.polygons import find_regions
from partialseg.source.raster import open_raster

NAMES = ("field", "house", "lake")
RING = """
    00000
    01110
    01210
    01110
    00000
"""
CROSSING = """
    100
    110
    010
    011
    001
    101
"""
CORNERS = """
    10
    01
    10
"""
U_SHAPE = """
    101
    101
    101
    111
"""
# The ones close a ring by a corner, at a cut: its inside is a hole that touches the outside.
PINCHED = """
    1110
    1011
    1001
    1111
"""


def ids_of(drawing: str) -> NDArray[np.uint8]:
    rows = drawing.split()
    return np.array([[255 if cell == "." else int(cell) for cell in row] for row in rows], np.uint8)


def regions_of(folder: Path, ids: NDArray[np.uint8], strip_rows: int) -> list[tuple[int, Polygon]]:
    """Return ids and normalised polygons, in a fixed order."""
    frame = Frame(width=ids.shape[1], height=ids.shape[0], crs=None, transform=Affine.identity())
    layout = class_map_layout(NAMES, ((1, 1, 1), (2, 2, 2), (3, 3, 3)), {})
    with new_cog(folder / "map.tif", frame, layout) as writer:
        writer.write(ids[None], Window(0, 0, frame.width, frame.height))
    with open_raster(folder / "map.tif") as raster:
        found = [
            (int(class_id), shapely.normalize(polygon))
            for regions in find_regions(raster, strip_rows)
            for class_id, polygon in zip(regions.ids, regions.polygons, strict=True)
        ]
    return sorted(found, key=lambda region: (region[0], region[1].wkt))


def flat(x0: int, y0: int, x1: int, y1: int) -> Polygon:
    return shapely.normalize(box(x0, y0, x1, y1))


@pytest.mark.parametrize("strip_rows", [1, 2, 3, 5])
def test_a_ring_has_a_hole_and_a_region_inside(tmp_path: Path, strip_rows: int) -> None:
    ring = Polygon(box(1, 1, 4, 4).exterior, [box(2, 2, 3, 3).exterior])
    around = Polygon(box(0, 0, 5, 5).exterior, [box(1, 1, 4, 4).exterior])
    assert regions_of(tmp_path, ids_of(RING), strip_rows) == [
        (0, shapely.normalize(around)),
        (1, shapely.normalize(ring)),
        (2, flat(2, 2, 3, 3)),
    ]


@pytest.mark.parametrize("strip_rows", [1, 2, 3, 4])
def test_regions_that_touch_at_a_corner_stay_apart(tmp_path: Path, strip_rows: int) -> None:
    found = regions_of(tmp_path, ids_of(CORNERS), strip_rows)
    assert found == [
        (0, flat(0, 1, 1, 2)),
        (0, flat(1, 0, 2, 1)),
        (0, flat(1, 2, 2, 3)),
        (1, flat(0, 0, 1, 1)),
        (1, flat(0, 2, 1, 3)),
        (1, flat(1, 1, 2, 2)),
    ]


def test_parts_that_meet_below_a_cut_are_one_region(tmp_path: Path) -> None:
    arms = regions_of(tmp_path, ids_of(U_SHAPE), 1)
    assert [(class_id, polygon.area) for class_id, polygon in arms] == [(0, 3), (1, 9)]
    corners = {(0, 0), (1, 0), (1, 3), (2, 3), (2, 0), (3, 0), (3, 4), (0, 4)}
    assert set(arms[1][1].exterior.coords) == corners


def test_nodata_is_no_region(tmp_path: Path) -> None:
    assert regions_of(tmp_path, ids_of("..0 ..."), 1) == [(0, flat(2, 0, 3, 1))]
    assert regions_of(tmp_path, ids_of("... ..."), 1) == []


@pytest.mark.parametrize("drawing", [RING, CROSSING, CORNERS, U_SHAPE, PINCHED])
@pytest.mark.parametrize("strip_rows", [1, 2, 3])
def test_cuts_do_not_show(tmp_path: Path, drawing: str, strip_rows: int) -> None:
    ids = ids_of(drawing)
    assert_same(regions_of(tmp_path, ids, strip_rows), regions_of(tmp_path, ids, 100))


@pytest.mark.slow
@pytest.mark.parametrize("classes, seed", [(2, 1), (2, 2), (3, 3)])
@pytest.mark.parametrize("strip_rows", [1, 7, 32])
def test_cuts_do_not_show_in_noise(
    tmp_path: Path, classes: int, seed: int, strip_rows: int
) -> None:
    rng = np.random.default_rng(seed)
    ids = rng.choice([0] * 3 + list(range(classes)) + [255], (64, 48)).astype(np.uint8)
    found = regions_of(tmp_path, ids, strip_rows)
    assert_same(found, regions_of(tmp_path, ids, 64))
    for class_id in range(classes):
        pixels = sum(polygon.area for found_id, polygon in found if found_id == class_id)
        assert pixels == (ids == class_id).sum()


def assert_same(found: list[tuple[int, Polygon]], expected: list[tuple[int, Polygon]]) -> None:
    """Compare as sets of points, and by the number of corners: no seam is left."""
    assert [class_id for class_id, _ in found] == [class_id for class_id, _ in expected]
    left = {key(*region): region[1] for region in found}
    right = {key(*region): region[1] for region in expected}
    assert left.keys() == right.keys() and len(left) == len(found)
    assert all(polygon.is_valid and polygon.equals(right[name]) for name, polygon in left.items())


def key(class_id: int, polygon: Polygon) -> tuple[object, ...]:
    return (
        class_id,
        polygon.area,
        polygon.bounds,
        polygon.length,
        shapely.count_coordinates(polygon),
    )
