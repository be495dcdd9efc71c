import math

import pytest
from affine import Affine

from partialseg.source.raster import ground_size

FOOT = 0.3048006096012192  # the US survey foot in metres


def north_up(pixel: float, x: float, y: float) -> Affine:
    return Affine(pixel, 0, x, 0, -pixel, y)


def test_without_a_crs_nothing_is_known() -> None:
    assert ground_size("", Affine.identity(), 100, 100) is None


def test_metres_of_a_map_grid_are_metres_but_for_its_scale() -> None:
    """On the central meridian of a UTM zone a metre on the map is 1 / 0.9996 m on the ground."""
    across, down = ground_size("EPSG:32633", north_up(0.25, 500_000, 5_800_000), 400, 200)
    assert across == pytest.approx(0.25 / 0.9996, rel=1e-6)
    assert down == pytest.approx(0.25 / 0.9996, rel=1e-6)


def test_degrees_have_their_size_on_the_ellipsoid() -> None:
    """At 60 degrees north a degree is 55,800 m along the parallel, 111,412 m along the meridian."""
    across, down = ground_size("EPSG:4326", north_up(1e-5, 20 - 5e-4, 60 + 5e-4), 100, 100)
    assert across == pytest.approx(0.558, rel=1e-4)
    assert down == pytest.approx(1.11412, rel=1e-4)


def test_mercator_is_not_taken_at_its_word() -> None:
    """Its pixels shrink by the cosine of the latitude: at 60 degrees, here y = 8,399,737 m."""
    across, _ = ground_size("EPSG:3857", north_up(1.0, 2_000_000, 8_399_737.9 + 50), 100, 100)
    assert across == pytest.approx(0.5 * 1.0025, rel=2e-3)  # the ellipsoid is wider than a sphere


def test_feet_become_metres() -> None:
    across, down = ground_size("EPSG:2263", north_up(1.0, 984_250, 200_000), 100, 100)
    assert across == pytest.approx(FOOT, rel=1e-4)
    assert down == pytest.approx(FOOT, rel=1e-4)


def test_a_local_system_is_a_plane() -> None:
    local = 'LOCAL_CS["site",UNIT["US survey foot",0.3048006096012192]]'
    assert ground_size(local, north_up(2.0, 0, 0), 10, 10) == pytest.approx((2 * FOOT, 2 * FOOT))


def test_a_rotation_changes_no_size() -> None:
    straight = north_up(0.25, 500_000, 5_800_000)
    across, down = ground_size("EPSG:32633", straight @ Affine.rotation(30), 400, 400)
    assert across == pytest.approx(0.25 / 0.9996, rel=1e-6)
    assert down == pytest.approx(0.25 / 0.9996, rel=1e-6)


def test_the_sizes_of_an_oblong_pixel_are_told_apart() -> None:
    transform = Affine(0.25, 0, 500_000, 0, -0.5, 5_800_000)
    across, down = ground_size("EPSG:32633", transform, 400, 200)
    assert down / across == pytest.approx(2)


@pytest.mark.parametrize(
    ("crs", "transform", "message"),
    [
        (
            "EPSG:4326",
            north_up(0.25, 500_000, 600_000),
            r"\(500012, 599988\) lie outside .* WGS 84",
        ),
        ("EPSG:32633", north_up(0.25, 5e8, 6e9), "lie outside its CRS, WGS 84 / UTM zone 33N"),
        ("EPSG:4978", Affine.identity(), "lie outside its CRS"),
        ("EPSG:99999", Affine.identity(), "CRS EPSG:99999: .*not found"),
        ("EPSG:2180", Affine.scale(math.nan), "lie outside its CRS"),
    ],
)
def test_what_cannot_be_is_named(crs: str, transform: Affine, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ground_size(crs, transform, 100, 100)
