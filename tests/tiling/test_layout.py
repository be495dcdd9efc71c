"""Cells of a wanted pixel size, cells that a border cuts, and splits by groups and shares."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from partialseg.core.classes import NO_TRUTH
from partialseg.source.index import index_files, read_index
from partialseg.source.pairing import files_in_folders
from partialseg.source.reading import Reading
from partialseg.tiling.params import Tile
from partialseg.tiling.patches import Patch, PatchStore
from partialseg.tiling.tile import SEVERAL, tile
from rasters import LEGEND, PIXEL, write_raster


def params(**changed: Any) -> Tile:
    how = {"source_size": 32, "size": 32, "split": "pattern", "split_seed": 1}
    return Tile(**how | {"val": "v*", "test": "t*", "train_truth": "masks"} | changed)


@pytest.fixture
def cut(tmp_path: Path, make_source: Callable[..., Path]) -> Callable[..., list[Patch]]:
    """Return a function that cuts orthophotos of the given sizes, one of 32 px each beside."""

    def make(size: tuple[int, int], **changed: Any) -> list[Patch]:
        source = make_source({"a": size, "v": (32, 32), "t": (32, 32)})
        return tile(source, tmp_path / "out", params(**changed))

    return make


def test_partial_cells_are_dropped_and_told(
    cut: Callable[..., list[Patch]], capsys: pytest.CaptureFixture[str]
) -> None:
    patches = cut((40, 50))
    assert [patch.name for patch in patches] == ["a_0", "t_0", "v_0"]
    # 32 x 32 of 40 x 50 px are cut.
    assert "1 of 3 orthophotos lie partly in cells that their right or lower border cuts" in (
        said := capsys.readouterr().out
    )
    assert "a loses most: 48.8%" in said


def test_padded_cells_have_no_truth_beyond_the_border(
    cut: Callable[..., list[Patch]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    patches = cut((40, 50), partial_cells="pad")
    assert [patch.name for patch in patches] == ["a_0", "a_1", "a_2", "a_3", "t_0", "v_0"]
    store = PatchStore(tmp_path / "out")
    source = tmp_path / "source"
    with rasterio.open(source / "images" / "a.tif") as raster:
        image = np.moveaxis(raster.read(), 0, -1)
    with rasterio.open(source / "masks" / "a.tif") as raster:
        ids = raster.read(1)
    right, last = store.patches[1], store.patches[3]
    assert (store.truth(right)[:, :18] == ids[:32, 32:]).all()
    assert (store.truth(right)[:, 18:] == NO_TRUTH).all()
    assert (store.image(last)[:8, :18] == image[32:, 32:]).all()
    assert store.image(last)[8:].max() == store.image(last)[:, 18:].max() == 0
    assert [patch.no_truth for patch in patches[:4]] == [0, 32 * 14, 24 * 32, 32 * 32 - 8 * 18]
    assert sum(sum(patch.counts) for patch in patches[:4]) == 40 * 50
    said = capsys.readouterr().out  # nothing is lost, and no pixel is without an image
    assert "left out" not in said
    assert "without an image" not in said


def test_an_orthophoto_smaller_than_a_cell_is_padded(cut: Callable[..., list[Patch]]) -> None:
    assert cut((8, 20), partial_cells="pad")[0].no_truth == 32 * 32 - 8 * 20
    with pytest.raises(ValueError, match=r"20 x 8 px is smaller than one cell .*partial_cells"):
        cut((8, 20))


def test_padding_is_no_part_of_a_mean(cut: Callable[..., list[Patch]], tmp_path: Path) -> None:
    cut((40, 40), source_size=64, partial_cells="pad")
    store = PatchStore(tmp_path / "out")
    patch = store.patches[0]
    assert patch.no_truth == 32 * 32 - 20 * 20
    image = store.image(patch)
    assert image[19, 19].min() > 0 and image[20].max() == 0


def test_cells_have_the_side_that_a_pixel_size_needs(
    cut: Callable[..., list[Patch]], tmp_path: Path
) -> None:
    """Patches of 0.5 m: twice as many pixels of the files, which have 0.25 m."""
    assert PIXEL == 0.25
    patches = cut((128, 64), source_size=None, gsd=0.5, partial_cells="pad")
    assert [patch.name for patch in patches] == ["a_0", "a_1", "t_0", "v_0"]
    # The CRS has a scale of 0.9993 in its middle.
    assert all(patch.gsd == pytest.approx(0.5, rel=1e-3) for patch in patches)
    assert patches[1].transform[4] == -0.5
    assert PatchStore(tmp_path / "out").summary.source_size == 64


def write(folder: Path, sizes: dict[str, tuple[int, int]], crs: str | None) -> None:
    for name, (height, width) in sizes.items():
        image = np.arange(height * width, dtype=np.uint8).reshape(1, height, width)
        write_raster(folder / "images" / f"{name}.tif", np.repeat(image, 3, axis=0), crs=crs)
        write_raster(folder / "masks" / f"{name}.tif", image % 3, crs=crs)


def index(folder: Path, reading: Reading) -> Path:
    files = files_in_folders(folder / "images", folder / "masks", None)
    index_files(folder, files, LEGEND, reading)
    return folder


def test_a_stated_pixel_size_is_that_of_files_without_one(tmp_path: Path) -> None:
    write(tmp_path, dict.fromkeys("avt", (64, 64)), crs=None)
    write(tmp_path, {"b": (64, 64)}, crs="EPSG:2180")
    source = index(tmp_path, Reading(gsd=2.0))
    patches = tile(source, tmp_path / "out", params(source_size=64))
    # Native pixels are halved, so they are twice as large.
    gsds = {patch.orthophoto: patch.gsd for patch in patches}
    assert (gsds["a"], gsds["b"]) == (4.0, pytest.approx(0.5, rel=1e-3))
    finer = tile(source, tmp_path / "out", params(source_size=None, gsd=0.25, partial_cells="pad"))
    # Cells of 4 px of 2 m, enlarged, and of 32 px of 0.25 m.
    assert [sum(patch.orthophoto == name for patch in finer) for name in "ab"] == [256, 4]
    assert finer[0].gsd == 0.25
    assert PatchStore(tmp_path / "out").summary.source_size == SEVERAL


def test_a_wanted_pixel_size_needs_one_of_the_files(tmp_path: Path) -> None:
    write(tmp_path, dict.fromkeys("avt", (64, 64)), crs=None)
    by_gsd = params(source_size=None, gsd=0.25)
    with pytest.raises(ValueError, match=r"a\.tif: tells no pixel size, which gsd in the section"):
        tile(index(tmp_path, Reading()), tmp_path / "out", by_gsd)
    with pytest.raises(ValueError, match=r"a\.tif: pixels of 2\.5 m are too coarse for .* 0\.25 m"):
        tile(index(tmp_path, Reading(gsd=2.5)), tmp_path / "out", by_gsd)


def splits(tmp_path: Path, names: str, **changed: Any) -> dict[str, str]:
    write(tmp_path, dict.fromkeys(names.split(), (32, 32)), crs=None)
    patches = tile(index(tmp_path, Reading()), tmp_path / "out", params(**changed))
    return {patch.orthophoto: patch.split for patch in patches}


def test_a_share_of_what_no_pattern_takes_is_drawn_by_groups(tmp_path: Path) -> None:
    names = "Train_1_a Train_1_b Train_2_a Train_2_b Val_1 Val_2"
    found = splits(tmp_path, names, test="Val_*", val=0.5, groups=r"Train_\d")
    assert (found["Val_1"], found["Val_2"]) == ("test", "test")
    assert found["Train_1_a"] == found["Train_1_b"] != found["Train_2_a"] == found["Train_2_b"]
    assert {found["Train_1_a"], found["Train_2_a"]} == {"train", "val"}


def test_several_patterns_and_no_test_split(tmp_path: Path) -> None:
    found = splits(tmp_path, "a b c d", val=("c", "d*"), test="none")
    assert found == {"a": "train", "b": "train", "c": "val", "d": "val"}


def test_a_test_split_that_is_wanted_must_not_be_empty(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"an empty split: .*'val': 1, 'test': 0"):
        splits(tmp_path, "a c", val="c", test=("x", "y"))


def test_read_bands_and_stretch_reach_the_patches(tmp_path: Path) -> None:
    bands = np.zeros((4, 32, 32), np.uint16)
    bands[:] = np.array([100, 200, 300, 400])[:, None, None]
    for name in "avt":
        write_raster(tmp_path / "images" / f"{name}.tif", bands)
        write_raster(tmp_path / "masks" / f"{name}.tif", np.zeros((1, 32, 32), np.uint8))
    with pytest.raises(ValueError, match=r"a\.tif: an image must be 8-bit, got uint16, or have a"):
        index(tmp_path, Reading())
    with pytest.raises(ValueError, match=r"needs the bands 5, 1, 1, got 4"):
        index(tmp_path, Reading(bands=(5, 1, 1)))
    reading = Reading(bands=(4, 3, 1), stretch=[[0, 510], [300, 400], [0, 100]])
    tile(index(tmp_path, reading), tmp_path / "out", params())
    assert read_index(tmp_path).reading == reading
    store = PatchStore(tmp_path / "out")
    assert store.image(store.patches[0])[5, 6].tolist() == [200, 0, 255]
