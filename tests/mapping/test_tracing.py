import numpy as np
import pytest
import shapely
from numpy.typing import NDArray
from rasterio import features

from partialseg.mapping.tracing import trace

NODATA = 255
# Holes that touch the shell and each other by corners, with a region inside one of them.
TOUCHING = """
    1111111
    1011111
    1101101
    1111011
    1100011
    1102011
    1100011
    1111111
"""
# Two regions of one class around a corner, and one region on both sides of another corner.
CORNERS = """
    110
    001
    011
"""


def ids_of(drawing: str) -> NDArray[np.uint8]:
    return np.array([[int(cell) for cell in row] for row in drawing.split()], np.uint8)


def traced(ids: NDArray[np.uint8]) -> list[tuple[int, bytes]]:
    classes, polygons = trace(ids)
    assert shapely.is_valid(polygons).all()
    shapes = shapely.to_wkb(shapely.normalize(polygons))
    return sorted(zip(classes.tolist(), shapes, strict=True))


def by_rasterio(ids: NDArray[np.uint8]) -> list[tuple[int, bytes]]:
    found = features.shapes(ids, mask=ids != NODATA, connectivity=4)
    return sorted(
        (int(value), shapely.to_wkb(shapely.normalize(shapely.geometry.shape(shape))))
        for shape, value in found
    )


def test_a_pixel_is_a_square_of_its_class() -> None:
    classes, polygons = trace(np.array([[NODATA, NODATA], [NODATA, 4]], np.uint8))
    assert classes.dtype == np.uint8 and classes.tolist() == [4]
    assert shapely.normalize(polygons[0]).wkt == "POLYGON ((1 1, 1 2, 2 2, 2 1, 1 1))"
    _, polygons = trace(np.zeros((1, 1), np.uint8), top=7)
    assert polygons[0].bounds == (0, 7, 1, 8)


def test_a_hole_belongs_to_the_region_around_it_however_far_left_its_outline_is() -> None:
    ids = np.zeros((5, 9), np.uint8)
    ids[1:4, 1:3] = ids[1:4, 4:6] = ids[2, 7] = 1
    classes, polygons = trace(ids)
    around = polygons[classes == 0][0]
    assert len(polygons) == 4
    assert sorted(ring.bounds for ring in around.interiors) == [
        (1, 1, 3, 4),
        (4, 1, 6, 4),
        (7, 2, 8, 3),
    ]
    assert around.exterior.bounds == (0, 0, 9, 5) and around.area == 32


def test_nodata_is_no_region() -> None:
    classes, polygons = trace(np.full((2, 3), NODATA, np.uint8))
    assert len(classes) == len(polygons) == 0


@pytest.mark.parametrize("drawing", [TOUCHING, CORNERS])
@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_outlines_that_touch_at_corners_are_those_of_rasterio(drawing: str, turns: int) -> None:
    ids = np.ascontiguousarray(np.rot90(ids_of(drawing), turns))
    assert traced(ids) == by_rasterio(ids)


def test_noise_gives_the_polygons_of_rasterio() -> None:
    rng = np.random.default_rng(0)
    for _ in range(40):
        height, width = rng.integers(1, 14, 2)
        ids = rng.choice([0, 0, 1, 2, NODATA], (height, width)).astype(np.uint8)
        ids[rng.random(ids.shape) < rng.random() / 2] = 0
        assert traced(ids) == by_rasterio(ids)


def test_a_large_drawing_gives_the_polygons_of_rasterio() -> None:
    rng = np.random.default_rng(1)
    coarse = rng.choice([0, 1, 2, 3, NODATA], (40, 50)).astype(np.uint8)
    ids = np.kron(coarse, np.ones((6, 5), np.uint8))
    ids[rng.random(ids.shape) < 0.02] = 3
    assert traced(ids) == by_rasterio(ids)
