"""Which maps a later run leaves out: those that it would write again."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mapping_models import PLAIN, Brightness
from partialseg.mapping.maps import Wanted, predict
from partialseg.mapping.origin import existing_maps, origin_of
from partialseg.mapping.rasters import RUNTIME_TAG, Predictor
from partialseg.mapping.tiles import Stitching
from rasters import write_raster

STITCHING = Stitching(tile=64, overlap=16, batch_size=1)
CLASSES = Wanted(
    probabilities=False, entropy=False, polygons=False, areas=False, overlay=False, min_area=0
)
POLYGONS = replace(CLASSES, polygons=True)
NOW: dict[str, Any] = {
    "digest": "0123",
    "views": "none",
    "reading": PLAIN,
    "stitching": STITCHING,
    "runtime": "arithmetic",
}


def map_it(folder: Path, wanted: Wanted) -> None:
    image = write_raster(folder / "a.tif", np.full((3, 20, 30), 51, np.uint8))
    tags = origin_of("0123", "none", PLAIN, STITCHING, wanted)
    predict(Predictor(Brightness(), PLAIN, STITCHING, tags), image, folder / "maps", wanted)


def told(folder: Path, wanted: Wanted, **changes: Any) -> str:
    asked = NOW | changes
    runtime = asked.pop("runtime")
    tags = {**origin_of(**asked, wanted=wanted), RUNTIME_TAG: runtime}
    return existing_maps([folder / "a.tif"], folder / "maps", wanted, tags).told(Path("maps"))


ALL_THERE = "1 of 1 images have their maps in maps"
AGAIN = "0 of 1 images have their maps in maps; maps that are made again: 1 by "


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, ALL_THERE),
        ({"stitching": replace(STITCHING, batch_size=4)}, ALL_THERE),
        ({"runtime": ""}, ALL_THERE),  # no one knows here what runs it elsewhere
        ({"digest": "4567"}, AGAIN + "another network"),
        ({"runtime": "torch"}, AGAIN + "another runtime"),
        ({"views": "flips"}, AGAIN + "other options"),
        ({"stitching": replace(STITCHING, overlap=32)}, AGAIN + "other options"),
        ({"reading": replace(PLAIN, bands=(3, 2, 1))}, AGAIN + "other options"),
        ({"reading": replace(PLAIN, gsd=0.5)}, AGAIN + "other options"),
        ({"reading": replace(PLAIN, stretch=(0, 100))}, AGAIN + "other options"),
    ],
)
def test_maps_count_if_they_would_be_the_same(
    tmp_path: Path, changes: dict[str, Any], line: str
) -> None:
    map_it(tmp_path, CLASSES)
    assert told(tmp_path, CLASSES, **changes) == line


def test_all_maps_of_an_image_are_of_its_last_run(tmp_path: Path) -> None:
    map_it(tmp_path, POLYGONS)
    assert told(tmp_path, POLYGONS) == told(tmp_path, CLASSES) == ALL_THERE
    larger = replace(POLYGONS, min_area=20)
    assert told(tmp_path, larger) == AGAIN + "runs without all of these files"
    # The class map alone is made again, perhaps by another network.
    map_it(tmp_path, CLASSES)
    assert not (tmp_path / "maps" / "a_polygons.gpkg").exists()
    assert told(tmp_path, CLASSES) == ALL_THERE
    assert told(tmp_path, POLYGONS) == "0 of 1 images have their maps in maps"
    # A file of that name, whoever put it there, is none of that run.
    (tmp_path / "maps" / "a_polygons.gpkg").touch()
    assert told(tmp_path, POLYGONS) == AGAIN + "runs without all of these files"


def test_a_map_without_tags_or_that_is_damaged_does_not_count(tmp_path: Path) -> None:
    image = write_raster(tmp_path / "a.tif", np.full((3, 20, 30), 51, np.uint8))
    predict(Predictor(Brightness(), PLAIN, STITCHING), image, tmp_path / "maps", CLASSES)
    assert told(tmp_path, CLASSES) == AGAIN + "an earlier version of predict.py, or damaged"
    map_it(tmp_path, CLASSES)
    file = tmp_path / "maps" / "a_classes.tif"
    file.write_bytes(file.read_bytes()[:100])
    assert told(tmp_path, CLASSES) == AGAIN + "an earlier version of predict.py, or damaged"


def test_an_image_without_a_map_is_no_reason(tmp_path: Path) -> None:
    map_it(tmp_path, CLASSES)
    (tmp_path / "maps" / "a_classes.tif").unlink()
    assert told(tmp_path, CLASSES) == "0 of 1 images have their maps in maps"
