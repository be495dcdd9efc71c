"""Data sets of other people in at most twelve lines, none of their files written or renamed."""

import os
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray

from code_of_stage import SRC
from partialseg.core.params import load_section
from partialseg.datasets.download import download
from partialseg.presets.add import add_preset
from partialseg.source.index import read_index
from partialseg.tiling.params import Tile
from partialseg.tiling.patches import Patch, PatchStore
from partialseg.tiling.tile import tile
from rasters import write_raster

REAL = Path(os.environ.get("PARTIALSEG_DATA", SRC.parent.parent / "shared" / "data"))
real = pytest.mark.skipif(not REAL.is_dir(), reason=f"the real data are not at {REAL}")
CUT = "partial_cells: pad, split_seed: 1, train_truth: masks"

LOVEDA = """
download:
  path: PATH
  gsd: 0.3
  legend:
    mask_values: ids
    classes: [{name: background, colour: [9, 9, 9], values: [1]},
      {name: house, colour: [1, 1, 1], values: [2]}, {name: road, colour: [2, 1, 1], values: [3]},
      {name: water, colour: [3, 1, 1], values: [4]}, {name: bare, colour: [4, 1, 1], values: [5]},
      {name: wood, colour: [5, 1, 1], values: [6]}, {name: field, colour: [6, 1, 1], values: [7]}]
    ignored_values: [0]
tile: {source_size: 512, size: 128, split: pattern, val: '1', test: '2', CUT}
"""
CHESAPEAKE = """
download:
  path: PATH
  gsd: 1.0
  legend:
    mask_values: ids
    classes: [{name: water, colour: [1, 1, 1], values: [1]},
      {name: tree, colour: [2, 1, 1], values: [2]}, {name: low, colour: [3, 1, 1], values: [3]},
      {name: barren, colour: [4, 1, 1], values: [4]}, {name: built, colour: [5, 1, 1], values: [5]},
      {name: road, colour: [6, 1, 1], values: [6]}]
    ignored_values: [0, 15]
tile: {source_size: 256, size: 64, split: pattern, val: 0.25, test: 'val_*', CUT}
"""
KOREA = """
download:
  path: PATH
  bands: [3, 2, 1]
  legend:
    mask_values: ids
    classes: [{name: building, colour: [1, 1, 1], values: [10]},
      {name: road, colour: [2, 1, 1], values: [30]},
      {name: field, colour: [3, 1, 1], values: [50, 60, 90]},
      {name: forest, colour: [4, 1, 1], values: [70, 71, 75]},
      {name: background, colour: [5, 1, 1], values: [100]}]
tile: {gsd: 20.0, size: 64, split: pattern, val: '*_1[24]', test: ['*_11', '*_0'], CUT}
"""
ISPRS = """
download:
  path: PATH
  gsd: 0.05
  legend:
    mask_values: ids
    classes: [{name: impervious, colour: [1, 1, 1], values: [1]},
      {name: building, colour: [2, 1, 1], values: [2]}, {name: low, colour: [3, 1, 1], values: [3]},
      {name: tree, colour: [4, 1, 1], values: [4]}, {name: car, colour: [5, 1, 1], values: [5]},
      {name: clutter, colour: [6, 1, 1], values: [6]}]
    ignored_values: [0]
tile: {source_size: 128, size: 64, split: random, val: 0.2, test: 0.2, CUT}
"""


def cut(folder: Path, preset: str, path: Path) -> PatchStore:
    """Add a data set, download and cut it."""
    preset = preset.replace("CUT", CUT).strip() + "\n"
    assert len(preset.splitlines()) <= 12
    (folder / "foreign.yaml").write_text(preset)
    params = folder / "params.yaml"
    shutil.copy(SRC.parent / "params.yaml", params)
    add_preset(params, str(folder / "foreign.yaml"), "", str(path))
    download("foreign", params, folder / "source")
    section = load_section(params, "datasets.foreign.tile", Tile)
    tile(folder / "source", folder / "patches", section)
    return PatchStore(folder / "patches")


def centres(side: int, size: int) -> NDArray[np.intp]:
    """Return which pixels of a cell lie under the centres of the pixels of a patch."""
    return ((np.arange(size) + 0.5) * side / size).astype(int)


def counted(folder: Path, cell: int, size: int) -> Counter[int]:
    """Return how often the masks of a folder hold each value, read with numpy alone."""
    counts: Counter[int] = Counter()
    for file in sorted((folder / "masks").iterdir()):
        with rasterio.open(file) as raster:
            ids = raster.read(1)
        for top in range(0, ids.shape[0], cell):
            for left in range(0, ids.shape[1], cell):
                part = ids[top : top + cell, left : left + cell]
                part = part[np.ix_(centres(cell, size), centres(cell, size))]
                values, of_values = np.unique(part, return_counts=True)
                counts.update(dict(zip(values.tolist(), of_values.tolist(), strict=True)))
    return counts


def split_of(patches: list[Patch]) -> dict[str, set[str]]:
    return {
        name: {patch.orthophoto for patch in patches if patch.split == name}
        for name in ("train", "val", "test")
    }


@pytest.mark.slow
@real
@pytest.mark.parametrize(
    ("name", "preset", "cell", "size", "values"),
    [
        ("loveda", LOVEDA, 512, 128, [[1], [2], [3], [4], [5], [6], [7]]),
        ("chesapeake", CHESAPEAKE, 256, 64, [[1], [2], [3], [4], [5], [6]]),
        ("sentinel2-korea", KOREA, 128, 64, [[10], [30], [50, 60, 90], [70, 71, 75], [100]]),
        ("potsdam-crop", ISPRS, 128, 64, [[1], [2], [3], [4], [5], [6]]),
        ("vaihingen-crop", ISPRS, 128, 64, [[1], [2], [3], [4], [5], [6]]),
    ],
)
def test_real_sets_as_they_are(
    tmp_path: Path, name: str, preset: str, cell: int, size: int, values: list[list[int]]
) -> None:
    store = cut(tmp_path, preset, REAL / name)
    counts = counted(REAL / name, cell, size)
    wanted = [sum(counts[value] for value in of_class) for of_class in values]
    assert np.sum([patch.counts for patch in store.patches], axis=0).tolist() == wanted
    ignored = sum(patch.no_truth for patch in store.patches)
    assert ignored == sum(counts.values()) - sum(wanted)


@pytest.mark.slow
@real
def test_the_bands_of_korea_are_turned_and_its_splits_are_listed(tmp_path: Path) -> None:
    store = cut(tmp_path, KOREA.replace("gsd: 20.0", "source_size: 64"), REAL / "sentinel2-korea")
    patch = next(item for item in store.patches if item.name == "202309_patchN_11_0")
    with rasterio.open(REAL / "sentinel2-korea" / "images" / "202309_patchN_11.tif") as raster:
        blue, green, red = raster.read(window=((0, 64), (0, 64)))
    assert (store.image(patch) == np.stack([red, green, blue], axis=-1)).all()
    assert split_of(store.patches) == {
        "train": {"202309_patchN_3", "202309_patchN_8", "202412_patchN_1", "202412_patchN_19"},
        "val": {"202309_patchN_12", "202412_patchN_14"},
        "test": {"202309_patchN_11", "202412_patchN_0"},
    }


@pytest.mark.slow
@real
def test_patches_of_sentinel_are_cut_at_20_m(tmp_path: Path) -> None:
    store = cut(tmp_path, KOREA, REAL / "sentinel2-korea")
    assert {round(patch.gsd or 0) for patch in store.patches} == {20}
    assert len(store.patches) == 8 * 16


ZURICH = """
download:
  path: PATH
  images: 'images_tif/{name}.tif'
  masks: 'groundtruth/{name}_GT.tif'
  bands: [3, 2, 1]
  stretch: [[0, 510], [100, 200], [0, 1020]]
  gsd: 0.62
  legend: {mask_values: colours, ignored_colours: [[255, 255, 255]],
    classes: [{name: road, colour: [0, 0, 0]}, {name: tree, colour: [0, 125, 0]}]}
tile: {source_size: 32, size: 32, split: pattern, val: zh2, test: zh3, CUT}
"""


def test_zurich_deep_images_of_four_bands(tmp_path: Path) -> None:
    bands = np.zeros((4, 40, 50), np.uint16)
    bands[:] = np.array([200, 150, 100, 9])[:, None, None]  # blue, green, red, infrared
    colours = np.zeros((3, 40, 50), np.uint8)
    colours[1, :, 10:] = 125
    colours[:, 30:] = 255
    for name in ("zh1", "zh2", "zh3"):
        write_raster(tmp_path / "data/images_tif" / f"{name}.tif", bands, crs=None)
        write_raster(tmp_path / "data/groundtruth" / f"{name}_GT.tif", colours, crs=None)
    store = cut(tmp_path, ZURICH, tmp_path / "data")
    assert store.image(store.patches[0])[0, 0].tolist() == [50, 128, 50]
    of_one = [patch for patch in store.patches if patch.orthophoto == "zh1"]
    assert np.sum([patch.counts for patch in of_one], axis=0).tolist() == [300, 1200]
    assert {patch.gsd for patch in store.patches} == {0.62}


DRONEDEPLOY = """
download:
  path: PATH
  images: 'image-chips/{name}.png'
  masks: 'label-chips/{name}.png'
  legend:
    mask_values: ids
    classes: [{name: ground, colour: [1, 1, 1], values: [40]},
      {name: water, colour: [2, 1, 1], values: [80]}]
    ignored_values: [0]
tile: {source_size: 32, size: 32, split: orthophoto, val: 0.3, test: 0.3, groups: '^[a-z]+', CUT}
"""


def test_dronedeploy_ids_times_40_in_three_bands(tmp_path: Path) -> None:
    ids = np.full((3, 30, 30), 40, np.uint8)
    ids[:, 10:], ids[:, 20:] = 80, 0
    for name in ("a-1", "a-2", "b-1", "c-1"):
        image = np.ones((3, 30, 30), np.uint8)
        write_raster(tmp_path / "data/image-chips" / f"{name}.png", image, crs=None)
        write_raster(tmp_path / "data/label-chips" / f"{name}.png", ids, crs=None)
    store = cut(tmp_path, DRONEDEPLOY, tmp_path / "data")
    assert {patch.counts for patch in store.patches} == {(300, 300)}
    assert {patch.no_truth for patch in store.patches} == {32 * 32 - 600}
    splits = split_of(store.patches)
    assert sorted(map(len, splits.values())) == [1, 1, 2]
    assert {"a-1", "a-2"} in splits.values()


MASSACHUSETTS = """
download:
  path: PATH
  images: 'tiff/{train,val,test}/{name}.tiff'
  masks: 'tiff/{train,val,test}_labels/{name}.tif'
  gsd: 1.0
  legend:
    mask_values: ids
    classes: [{name: other, colour: [1, 1, 1], values: [0]},
      {name: road, colour: [2, 1, 1], values: [255]}]
tile: {source_size: 32, size: 32, split: pattern, val: 'val_*', test: 'test_*', CUT}
"""


def test_massachusetts_roads_of_255_in_official_folders(tmp_path: Path) -> None:
    ids = np.zeros((1, 32, 32), np.uint8)
    ids[:, :4] = 255
    for split in ("train", "val", "test"):
        image = write_raster(
            tmp_path / "data/tiff" / split / "1.tif", np.ones((3, 32, 32), np.uint8)
        )
        image.rename(image.with_suffix(".tiff"))
        write_raster(tmp_path / "data/tiff" / f"{split}_labels" / "1.tif", ids)
    store = cut(tmp_path, MASSACHUSETTS, tmp_path / "data")
    assert {name: len(items) for name, items in split_of(store.patches).items()} == {
        "train": 1,
        "val": 1,
        "test": 1,
    }
    assert {patch.counts for patch in store.patches} == {(28 * 32, 4 * 32)}
    assert [item.name for item in read_index(tmp_path / "source").orthophotos] == [
        "test_1",
        "train_1",
        "val_1",
    ]
