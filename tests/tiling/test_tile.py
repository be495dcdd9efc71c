import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import rasterio

from code_of_stage import SRC
from partialseg.source.index import write_index
from partialseg.tiling.cut import THREADS
from partialseg.tiling.params import Tile
from partialseg.tiling.patches import PatchStore
from partialseg.tiling.tile import tile
from rasters import LEGEND, draw_orthophoto, write_raster

MakeSource = Callable[..., Path]


def params(**changed: Any) -> Tile:
    values = {"source_size": 32, "size": 32, "split": "random", "split_seed": 1}
    return Tile(**(values | {"val": 0.2, "test": 0.2, "train_truth": "masks"} | changed))


def write_lists(source: Path, names: dict[str, list[str]]) -> None:
    for split, cells in names.items():
        (source / f"{split}.txt").write_text("\n".join(cells), encoding="utf-8")


def test_native_patches_are_the_windows_of_the_orthophoto(
    make_source: MakeSource, tmp_path: Path
) -> None:
    source = make_source({"a": (70, 110)})
    patches = tile(source, tmp_path / "out", params())
    # 110 px are 3 whole cells of 32 and a partial one, so row 1 begins at k = 4.
    assert [patch.name for patch in patches] == ["a_0", "a_1", "a_2", "a_4", "a_5", "a_6"]
    with rasterio.open(source / "images" / "a.tif") as raster:
        image = raster.read()
    with rasterio.open(source / "masks" / "a.tif") as raster:
        mask = raster.read(1)
    store = PatchStore(tmp_path / "out")
    fifth = store.patches[4]
    assert (fifth.row, fifth.column, fifth.index) == (1, 1, 4)
    np.testing.assert_array_equal(store.image(fifth), image[:, 32:64, 32:64].transpose(1, 2, 0))
    np.testing.assert_array_equal(store.truth(fifth), mask[32:64, 32:64])
    assert fifth.counts == tuple(np.bincount(mask[32:64, 32:64].ravel(), minlength=3))
    assert fifth.crs == "EPSG:2180"
    assert fifth.transform == (0.25, 0.0, 500_008.0, 0.0, -0.25, 599_992.0)


def test_resampled_patches_average_the_image_and_pick_the_mask(
    make_source: MakeSource, tmp_path: Path
) -> None:
    source = make_source({"a": (64, 192)})
    tile(source, tmp_path / "out", params(source_size=64, size=32))
    with rasterio.open(source / "images" / "a.tif") as raster:
        image = raster.read()[:, :, 64:128].astype(float)
    with rasterio.open(source / "masks" / "a.tif") as raster:
        mask = raster.read(1)[:, 64:128]
    store = PatchStore(tmp_path / "out")
    patch = store.patches[1]
    means = image.reshape(3, 32, 2, 32, 2).mean(axis=(2, 4)).transpose(1, 2, 0)
    assert np.abs(store.image(patch) - means).max() <= 0.5  # rounded to uint8
    np.testing.assert_array_equal(store.truth(patch), mask[1::2, 1::2])
    assert patch.transform == (0.5, 0.0, 500_016.0, 0.0, -0.5, 600_000.0)
    assert patch.gsd == pytest.approx(0.5, rel=1e-3)  # the map grid is stretched a little


def test_a_wrong_crs_leaves_the_pixel_size_unknown(
    make_source: MakeSource, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = make_source({"a": (32, 96)})
    index = source / "index.json"
    index.write_text(index.read_text().replace("EPSG:2180", "EPSG:4326"))
    tile(source, tmp_path / "out", params())
    assert [patch.gsd for patch in PatchStore(tmp_path / "out").patches] == [None] * 3
    said = capsys.readouterr().out
    assert "a.tif: pixel size unknown: the coordinates" in said and said.count("\n") == 1


def test_512_to_384_keeps_image_and_mask_on_one_another(tmp_path: Path) -> None:
    """An edge at pixel 200 of 512 lies at 150 of 384 in both."""
    ids = np.zeros((1, 512, 1_536), np.uint8)
    ids[..., 200:512] = ids[..., 712:1_024] = ids[..., 1_224:] = 1
    write_raster(tmp_path / "images" / "a.tif", np.repeat(ids * 200, 3, axis=0))
    write_raster(tmp_path / "masks" / "a.tif", ids)
    write_index(tmp_path, tmp_path / "images", tmp_path / "masks", LEGEND)
    tile(tmp_path, tmp_path / "out", params(source_size=512, size=384))
    store = PatchStore(tmp_path / "out")
    for patch in store.patches:
        assert (store.truth(patch)[7] == (np.arange(384) >= 150)).all()
        assert (store.image(patch)[7, :, 0] == np.where(np.arange(384) >= 150, 200, 0)).all()


def test_official_lists_give_the_published_names(make_source: MakeSource, tmp_path: Path) -> None:
    # In cells of 512: 3 of 4 columns and 2 of 3 rows are whole; 2 x 2 without a remainder.
    source = make_source({"A-1": (1_200, 1_700), "B-2": (1_024, 1_024)})
    names = {
        "train": ["A-1_0", "A-1_1", "A-1_4", "B-2_3"],
        "val": ["A-1_5", "B-2_0"],
        "test": ["A-1_2", "A-1_6", "B-2_1", "B-2_2"],
    }
    write_lists(source, names)
    tile(source, tmp_path / "out", params(source_size=512, size=384, split="official"))
    store = PatchStore(tmp_path / "out")
    for split, expected in names.items():
        assert sorted(patch.name for patch in store.of_split(split)) == expected


def test_cells_that_no_list_names_belong_to_no_split(
    make_source: MakeSource, tmp_path: Path
) -> None:
    source = make_source({"a": (32, 128)})
    write_lists(source, {"train": ["a_0"], "val": ["a_1"], "test": ["a_3"]})
    patches = tile(source, tmp_path / "out", params(split="official"))
    assert [patch.split for patch in patches] == ["train", "val", "none", "test"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "val", "test"),
    [("official", 0.0, 0.0), ("random", 0.2, 0.2), ("orthophoto", 0.3, 0.3), ("pattern", "b", "c")],
)
def test_an_orthophoto_named_like_a_cell_of_another_is_no_such_cell(
    make_source: MakeSource, tmp_path: Path, method: str, val: float | str, test: float | str
) -> None:
    source = make_source({"a": (64, 64), "a_1": (64, 64), "b": (64, 64), "c": (64, 64)})
    lists = {"train": ["a_0", "a_1_0"], "val": ["a_1", "b_0"], "test": ["a_2", "a_1_1"]}
    write_lists(source, lists)
    changed = params(split=method, val=val, test=test, split_seed=5)
    patches = tile(source, tmp_path / "out", changed)
    split_of = {patch.name: patch.split for patch in patches}
    counts = {name: list(split_of.values()).count(name) for name in ("train", "val", "test")}
    match method:
        case "official":
            for name, cells in lists.items():
                assert sorted(cell for cell in split_of if split_of[cell] == name) == sorted(cells)
        case "random":
            assert counts == {"train": 10, "val": 3, "test": 3}
        case _:
            assert counts == {"train": 8, "val": 4, "test": 4}
            assert split_of["a_1"] == split_of["a_0"]


@pytest.mark.parametrize("kind", ["images", "masks"])
def test_a_truncated_file_is_named_itself(
    make_source: MakeSource, tmp_path: Path, kind: str
) -> None:
    source = make_source({"a": (256, 256)})
    noise = np.random.default_rng(1).integers(0, 3, (3, 256, 256), np.uint8)
    broken = write_raster(source / kind / "a.tif", noise if kind == "images" else noise[:1])
    broken.write_bytes(broken.read_bytes()[:30_000])
    write_index(source, source / "images", source / "masks", LEGEND)
    with pytest.raises(ValueError, match=rf"{kind}/a\.tif: cannot be read as a raster"):
        tile(source, tmp_path / "out", params())
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_whole_orthophotos_are_held_out(make_source: MakeSource, tmp_path: Path) -> None:
    source = make_source(dict.fromkeys("abcde", (64, 64)))
    patches = tile(source, tmp_path / "out", params(split="orthophoto"))
    split_of = {patch.orthophoto: patch.split for patch in patches}
    assert all(patch.split == split_of[patch.orthophoto] for patch in patches)
    assert sorted(split_of.values()) == ["test", "train", "train", "train", "val"]


def test_cells_are_drawn_at_random(make_source: MakeSource, tmp_path: Path) -> None:
    source = make_source({"a": (160, 160)})
    patches = tile(source, tmp_path / "out", params())
    splits = [patch.split for patch in patches]
    assert {name: splits.count(name) for name in set(splits)} == {"train": 15, "val": 5, "test": 5}
    again = tile(source, tmp_path / "again", params())
    assert again == patches
    assert tile(source, tmp_path / "other", params(split_seed=2)) != patches


def test_ignored_pixels_are_without_truth(tmp_path: Path) -> None:
    ids = np.zeros((1, 32, 320), np.uint8)
    ids[..., :40] = 9  # the ignored id: the whole first cell and 8 columns of the second
    write_raster(tmp_path / "images" / "a.tif", np.repeat(ids, 3, axis=0))
    write_raster(tmp_path / "masks" / "a.tif", ids)
    write_index(tmp_path, tmp_path / "images", tmp_path / "masks", LEGEND)
    patches = tile(tmp_path, tmp_path / "out", params())
    assert (patches[0].split, patches[0].no_truth, patches[0].counts) == ("none", 1_024, (0, 0, 0))
    assert (patches[1].no_truth, patches[1].counts) == (256, (768, 0, 0))


def test_equal_inputs_give_equal_bytes(make_source: MakeSource, tmp_path: Path) -> None:
    source = make_source({"a": (96, 96)})
    for name in ("one", "two"):
        tile(source, tmp_path / name, params())
    files = sorted(p.relative_to(tmp_path / "one") for p in (tmp_path / "one").rglob("*.*"))
    assert [str(file) for file in files] == [
        "images/a.npy",
        "manifest.csv",
        "masks/a.npy",
        "patches.json",
    ]
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


@pytest.mark.parametrize(
    ("sizes", "changed", "message"),
    [
        ({"a": (64, 31)}, {}, r"images/a\.tif: 31 x 64 px is smaller than one cell of 32 px"),
        ({"a": (64, 64)}, {"split": "orthophoto"}, r"of 1 items 1 go to val and 1 to test"),
        (
            {"a": (64, 64)},
            {"split": "pattern", "val": "b*", "test": "c*"},
            r"tile: an empty split: \{'train': 4, 'val': 0, 'test': 0\} patches",
        ),
        ({"a": (64, 64)}, {"split": "official"}, r"train\.txt: missing; the split 'official'"),
    ],
)
def test_what_cannot_be_cut_is_named_and_leaves_nothing(
    make_source: MakeSource,
    tmp_path: Path,
    sizes: dict[str, tuple[int, int]],
    changed: dict[str, Any],
    message: str,
) -> None:
    source = make_source(sizes)
    with pytest.raises(ValueError, match=message):
        tile(source, tmp_path / "out", params(**changed))
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_a_class_id_out_of_range_leaves_nothing(make_source: MakeSource, tmp_path: Path) -> None:
    source = make_source({"a": (64, 64)})
    ids = np.zeros((1, 64, 64), np.uint8)
    ids[0, 60, 60] = 3
    write_raster(source / "masks" / "a.tif", ids)
    write_index(source, source / "images", source / "masks", LEGEND)
    with pytest.raises(ValueError, match=r"masks/a\.tif: class id 3 on 1 pixels"):
        tile(source, tmp_path / "out", params())
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_a_full_disk_leaves_nothing(
    make_source: MakeSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make_source({"a": (64, 64)})

    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")  # as write() says it: without a name

    monkeypatch.setattr("partialseg.tiling.patches.PatchWriter.append", full)
    with pytest.raises(OSError, match=r"No space left on device: '.*/out'"):
        tile(source, tmp_path / "out", params())
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"size": 64}, "size 64 must not exceed source_size 32"),
        ({"size": 31}, "greater than or equal to 32"),
        ({"val": 1.0}, r"val must be a share in 0 <= share < 1 for split 'random', got 1\.0"),
        (
            {"test": "Tile_*"},
            r"0 <= share < 1 for split 'random', got 'Tile_\*'",
        ),
        ({"split": "pattern"}, r"needs a file name pattern as val or test, got 0\.2 and 0\.2"),
        ({"split": "pattern", "test": ""}, r"file name pattern or a list of them for .* got ''"),
        ({"val": "none"}, r"val must be a share in 0 <= share < 1 for split 'random', got 'none'"),
        ({"gsd": 0.5}, "one of source_size and gsd must be given, .*, got 32 and 0.5"),
        ({"source_size": None}, "one of source_size and gsd must be given, .* got None and None"),
        ({"groups": "a"}, "groups need the split orthophoto or pattern, got 'random'"),
        ({"split": "orthophoto", "groups": "("}, r"groups '\(' is no regular expression: missing"),
        ({"split": "spatial"}, r"'official', 'orthophoto', 'random' or 'pattern'"),
    ],
)
def test_parameters_out_of_range(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        params(**changed)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_orthophoto(make_source: MakeSource, tmp_path: Path) -> None:
    """Of an orthophoto of 64 MB, a row of cells is in memory for each thread."""
    source = make_source({"a": (4_096, 4_096)})
    small = params(source_size=256, size=256)
    tile(source, tmp_path / "warm", small)
    tracemalloc.start()
    tile(source, tmp_path / "out", small)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    row = 4_096 * 256 * 4
    assert peak < THREADS * row + 2 * 2**20


@pytest.mark.parametrize("suffix", [".tif", ".png"])
def test_the_number_of_threads_changes_no_byte(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(2)
    image, ids = draw_orthophoto(rng, 200, 150)
    write_raster(tmp_path / "images" / f"a{suffix}", image, crs=None)
    write_raster(tmp_path / "masks" / f"a{suffix}", ids, crs=None)
    write_index(tmp_path, tmp_path / "images", tmp_path / "masks", LEGEND)
    trees: list[dict[str, bytes]] = []
    for threads in (1, 3, 10):  # 5 rows of cells
        monkeypatch.setattr("partialseg.tiling.cut.THREADS", threads)
        out = tmp_path / f"out{threads}"
        tile(tmp_path, out, params(source_size=40))
        trees.append({file.name: file.read_bytes() for file in out.rglob("*") if file.is_file()})
    assert trees[0] == trees[1] == trees[2]


@pytest.mark.slow
def test_the_command_writes_store_and_contact_sheet(
    make_source: MakeSource, tmp_path: Path
) -> None:
    source = make_source({"a": (96, 96)})
    (tmp_path / "params.yaml").write_text(
        "datasets: {x: {tile: {source_size: 32, size: 32, split: random, split_seed: 1, "
        "val: 0.2, test: 0.2, train_truth: masks}, splits: {main: {}, few: {val: 0.1, test: 0.1}}}}"
    )
    command = [sys.executable, SRC / "tile.py", "--dataset", "x", "--source", source]
    outputs = ["--out", "patches", "--contact-sheet", "plots/x/patches.png"]
    for split, counts in (
        ("few", "{'train': 7, 'val': 1, 'test': 1, 'none': 0}"),
        ("main", "{'train': 5, 'val': 2, 'test': 2, 'none': 0}"),
    ):
        done = subprocess.run(
            [*command, "--split", split, *outputs],
            cwd=tmp_path,
            check=True,
            capture_output=True,
            text=True,
        )
        table, last = done.stdout.rsplit("\n", 2)[:2]
        assert last == f"9 patches of 32 px: {counts}"
        assert table.startswith("class       value      train px    val px    test px\n")
    assert len(PatchStore(tmp_path / "patches").patches) == 9
    assert cv2.imread(str(tmp_path / "plots" / "x" / "patches.png")) is not None
