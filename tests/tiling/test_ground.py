"""Orthophotos that share ground go into one split; all are 32 px of 0.25 m, 8 m wide."""

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.crs import CRS
from rasterio.warp import transform
from shapely import box
from shapely.affinity import rotate

from partialseg.source.index import read_index, write_index
from partialseg.source.overlaps import Footprint, overlaps
from partialseg.tiling.ground import ground_groups
from partialseg.tiling.overview import shared_between_splits
from partialseg.tiling.params import Tile
from partialseg.tiling.tile import tile
from rasters import LEGEND, write_raster

# a, b and c make a chain in which a and c do not meet; d touches c; e lies apart.
CHAIN = {"a": 1000.0, "b": 1006.0, "c": 1012.0, "d": 1020.0, "e": 2000.0}


def write(
    folder: Path,
    places: Mapping[str, float],
    crs: str | None = "EPSG:2180",
    shade: int | None = None,
) -> Path:
    for name, x in places.items():
        grey = ord(name[0]) if shade is None else shade
        ids = np.arange(32 * 32, dtype=np.uint8).reshape(1, 32, 32) % 3
        write_raster(
            folder / "images" / f"{name}.tif", np.full((3, 32, 32), grey, np.uint8), x=x, crs=crs
        )
        write_raster(folder / "masks" / f"{name}.tif", ids, x=x, crs=crs)
    return folder


def forget_crs(folder: Path, *names: str) -> None:
    """Leave images and masks with their transform alone."""
    for kind in ("images", "masks"):
        for name in names:
            with rasterio.open(folder / kind / f"{name}.tif", "r+") as raster:
                raster.crs = CRS()


def index(folder: Path) -> Path:
    write_index(folder, folder / "images", folder / "masks", LEGEND)
    return folder


def groups(folder: Path) -> dict[str, str]:
    return ground_groups(read_index(index(folder)).orthophotos)


def splits(folder: Path, **changes: object) -> dict[str, str]:
    how: dict[str, object] = {"split": "orthophoto", "split_seed": 1, "val": 0.34, "test": 0.34}
    params = Tile(
        source_size=32,
        size=32,
        train_truth="masks",
        **{"groups": "ground"} | how | changes,  # type: ignore[arg-type]
    )
    patches = tile(index(folder), folder / "out", params)
    assert not shared_between_splits(read_index(folder), patches)
    return {patch.orthophoto: patch.split for patch in patches}


def test_a_chain_is_one_group_and_neighbours_are_none(tmp_path: Path) -> None:
    found = groups(write(tmp_path, CHAIN))
    assert found == {"a": "a", "b": "a", "c": "a", "d": "d", "e": "e"}


def test_two_chains_become_one_where_they_meet(tmp_path: Path) -> None:
    places = {"a": 1000.0, "c": 1020.0, "d": 1026.0, "b": 1006.0, "z": 1013.0}
    assert set(groups(write(tmp_path, places)).values()) == {"a"}


def test_groups_are_drawn_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = splits(write(tmp_path, CHAIN))
    assert found["a"] == found["b"] == found["c"]
    assert {found["a"], found["d"], found["e"]} == {"train", "val", "test"}
    assert (
        "5 orthophotos are in 3 groups that share ground; the largest, that of a, has 3"
    ) in capsys.readouterr().out.splitlines()


def test_without_shared_ground_the_draw_is_that_without_groups(tmp_path: Path) -> None:
    write(tmp_path, {name: 1000.0 + 100 * place for place, name in enumerate("abcdef")})
    assert splits(tmp_path) == splits(tmp_path, groups="")


def test_what_a_pattern_takes_takes_its_ground_along(tmp_path: Path) -> None:
    found = splits(write(tmp_path, CHAIN), split="pattern", val="a", test="e")
    assert found == {"a": "val", "b": "val", "c": "val", "d": "train", "e": "test"}


def test_patterns_that_tear_ground_apart_are_refused(tmp_path: Path) -> None:
    message = r"split: 'a' \(val\) and 'c' \(test\) are in one group .*share ground, directly or"
    with pytest.raises(ValueError, match=message):
        splits(write(tmp_path, CHAIN), split="pattern", val="a", test="c")
    assert not (tmp_path / "out").exists()


def test_one_group_leaves_nothing_for_training(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="of 1 items 1 go to val and 1 to test"):
        splits(write(tmp_path, {"a": 1000.0, "b": 1006.0, "c": 1012.0}))


def test_equal_images_are_of_one_ground(tmp_path: Path) -> None:
    write(tmp_path, {"b": 5000.0}, shade=7)
    write(tmp_path, {"e": 9000.0}, shade=8)
    (tmp_path / "images" / "f.tif").write_bytes((tmp_path / "images" / "b.tif").read_bytes())
    (tmp_path / "masks" / "f.tif").write_bytes((tmp_path / "masks" / "b.tif").read_bytes())
    assert groups(tmp_path) == {"b": "b", "e": "e", "f": "b"}


def test_coordinates_without_a_crs_are_compared_with_each_other(tmp_path: Path) -> None:
    forget_crs(write(tmp_path, CHAIN), *CHAIN)
    assert groups(tmp_path) == {"a": "a", "b": "a", "c": "a", "d": "d", "e": "e"}


def test_a_place_that_is_unknown_is_refused(tmp_path: Path) -> None:
    forget_crs(write(tmp_path, CHAIN), "c")
    with pytest.raises(
        ValueError, match=r"c\.tif: states no CRS, and .*a\.tif does; groups: ground"
    ):
        groups(tmp_path)


def test_an_image_without_georeference_is_refused(tmp_path: Path) -> None:
    write(tmp_path, CHAIN)
    for kind, bands in (("images", 3), ("masks", 1)):
        file = tmp_path / kind / "p.png"
        write_raster(file, np.ones((bands, 32, 32), np.uint8), crs=None)
    with pytest.raises(
        ValueError, match=r"p\.png: has no georeference, which groups: ground needs"
    ):
        groups(tmp_path)


def footprint(name: str, crs: str, x: float, y: float) -> Footprint:
    """Return a square of 100 m whose lower left corner is at (x, y)."""
    return Footprint(name=name, width=100, height=100, crs=crs, transform=(1, 0, x, 0, -1, y + 100))


def test_ground_is_compared_across_coordinate_systems() -> None:
    zone_33, zone_34 = "EPSG:32633", "EPSG:32634"
    (x,), (y,) = transform(
        CRS.from_string(zone_33), CRS.from_string(zone_34), [700_000], [5_700_000]
    )
    (west,), (south,) = transform(
        CRS.from_string(zone_33), CRS.from_string(zone_34), [700_300], [5_700_000]
    )
    found = overlaps(
        [
            footprint("a", zone_33, 700_000, 5_700_000),
            footprint("b", zone_34, x, y),
            footprint("c", zone_34, west, south),
            footprint("d", zone_33, 700_050, 5_700_000),
        ]
    )
    # North differs by 6 degrees times the sine of the latitude, 51.4: by 4.69 degrees.
    turned = rotate(box(0, 0, 1, 1), 4.69, origin=(0, 0))
    assert [(item.first, item.second) for item in found] == [("a", "b"), ("a", "d"), ("b", "d")]
    assert [item.share for item in found] == [
        pytest.approx(math.tan(math.radians(45 - 4.69 / 2)), abs=1e-3),
        pytest.approx(0.5, abs=1e-9),
        pytest.approx(turned.intersection(box(0.5, 0, 1.5, 1)).area, abs=1e-3),
    ]


def test_a_local_system_is_compared_with_itself_alone() -> None:
    local = 'LOCAL_CS["here",UNIT["metre",1]]'
    found = overlaps(
        [
            footprint("a", local, 0, 0),
            footprint("b", local, 50, 0),
            footprint("c", "EPSG:32633", 500_000, 0),
        ]
    )
    assert [(item.first, item.second, item.share) for item in found] == [("a", "b", 0.5)]
