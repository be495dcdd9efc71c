"""What `tile` prints: pixels by class and split, and orthophotos that are in two splits at once."""

from pathlib import Path

import numpy as np
import pytest

from partialseg.source.index import read_index, write_index
from partialseg.source.legend import LandCoverClass, Legend
from partialseg.tiling.assignment import wanted_splits
from partialseg.tiling.overview import class_table, shared_between_splits
from partialseg.tiling.params import Tile
from partialseg.tiling.tile import tile
from rasters import write_raster

LEGEND = Legend(
    classes=(
        LandCoverClass(name="field", colour=(1, 1, 1), values=(10, 20)),
        LandCoverClass(name="house", colour=(2, 2, 2), values=(30,)),
    ),
    mask_values="ids",
    ignored_ids=(0,),
)


def cut(folder: Path, places: dict[str, float]) -> None:
    """Cut orthophotos of 32 px (8 m) at these places east; only the first has a house."""
    for name, x in places.items():
        ids = np.full((1, 32, 32), 20, np.uint8)
        ids[:, 0] = 0
        if name == min(places):
            ids[:, 31] = 30
        image = np.full((3, 32, 32), 7 if x < 0 else 50 + ord(name[0]), np.uint8)
        write_raster(folder / "images" / f"{name}.tif", image, x=abs(x))
        write_raster(folder / "masks" / f"{name}.tif", ids, x=abs(x))
    write_index(folder, folder / "images", folder / "masks", LEGEND)
    tell(folder)


def tell(folder: Path) -> None:
    """Cut a source and print what src/tile.py does."""
    how = {"source_size": 32, "size": 32, "split": "pattern", "split_seed": 1}
    params = Tile(**how, val="v*", test="w*", train_truth="masks")
    patches = tile(folder, folder / "out", params)
    source = read_index(folder)
    print(class_table(source.legend, patches, wanted_splits(params)))
    print(*shared_between_splits(source, patches), sep="\n")


def test_a_table_of_pixels_and_classes_without_any(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cut(tmp_path, {"a": 0, "b": 100, "v": 200, "w": 300})
    lines = capsys.readouterr().out.strip().splitlines()
    assert [line.split() for line in lines] == [
        ["class", "value", "train", "px", "val", "px", "test", "px"],
        [*lines[1].split()],
        ["field", "10,", "20", str(30 * 32 + 31 * 32), str(31 * 32), str(31 * 32)],
        ["house", "30", "32", "0", "0"],
        ["(no", "truth)", "64", "32", "32"],
        ["class", "'house'", "has", "no", "pixel", "in", "val", "and", "test"],
    ]
    assert set(lines[1]) <= {"-", " "}


def test_ground_and_files_that_two_splits_share(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # b and v lie 2 m apart, a and b (both for training) 4 m; w touches v, and equals a.
    cut(tmp_path, {"a": -1000.0, "b": 1004.0, "v": 1006.0, "w": -1014.0})
    said = capsys.readouterr().out.splitlines()[6:]
    assert said == [
        "b (train) and v (val) share 75% of their ground",
        "a (train) and v (val) share 25% of their ground",
    ]


def test_equal_files_of_two_splits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a", "b", "v", "w"):
        shade = 9 if name in "bv" else ord(name)
        image = np.full((3, 32, 32), shade, np.uint8)
        write_raster(tmp_path / "images" / f"{name}.png", image, crs=None)
        write_raster(
            tmp_path / "masks" / f"{name}.png", np.full((1, 32, 32), 30, np.uint8), crs=None
        )
    write_index(tmp_path, tmp_path / "images", tmp_path / "masks", LEGEND)
    tell(tmp_path)
    assert capsys.readouterr().out.splitlines()[-1] == "b (train) and v (val) are equal images"
