"""The archive of benchmarks/full_size.py has the layout and numbers of the real one."""

import os
import sys
from collections import Counter
from pathlib import Path

import pytest
import rasterio

import interrupted
from full_archive import lists, sheets, write_archive
from full_size import Clone, change_params, served
from partialseg.datasets.landcover_ai.download import Download, download
from partialseg.datasets.landcover_ai.fetch import fetch
from partialseg.datasets.sample.download import cell_names
from partialseg.source.index import read_index
from partialseg.tiling.params import Tile
from partialseg.tiling.tile import tile
from sampled import sitecustomize


def test_the_whole_archive_has_the_numbers_of_the_real_one() -> None:
    all_sheets = sheets(1.0)
    assert Counter(sheet.gsd for sheet in all_sheets) == {0.25: 33, 0.5: 8}
    cells = [
        name
        for sheet in all_sheets
        for name in cell_names(sheet.name, sheet.height, sheet.width, 512)
    ]
    assert len(set(cells)) == 10_674
    parts = lists(cells)
    assert {name: len(part) for name, part in parts.items()} == {
        "train": 7_470,
        "val": 1_602,
        "test": 1_602,
    }
    assert sorted(parts["train"] + parts["val"] + parts["test"]) == sorted(cells)
    assert Counter(sheet.gsd for sheet in sheets(0.1)) == {0.25: 3, 0.5: 1}


@pytest.mark.slow
def test_an_archive_comes_over_a_line_that_breaks_and_is_cut(tmp_path: Path) -> None:
    archive = tmp_path / "made.zip"
    md5 = write_archive(archive, 0.1, cell=32, pieces=2, side=128)
    with served(archive, 0) as url:
        section = {"urls": (url,), "md5": md5, "archive": str(tmp_path / "fetched.zip")}
        params = Download(**section, retries=1, timeout=5.0, disk=0.0)
        download(params, tmp_path / "source")
    assert (tmp_path / "fetched.zip").read_bytes() == archive.read_bytes()
    source = read_index(tmp_path / "source")
    forms = set()
    for item in source.orthophotos:
        assert item.mask
        with rasterio.open(item.image) as image, rasterio.open(item.mask) as mask:
            assert (image.count, image.crs.to_epsg()) == (3, 2180)
            forms.add((mask.count, image.block_shapes[0][1] < image.width))
    assert forms == {(1, False), (1, True), (3, False), (3, True)}
    cut = Tile(
        source_size=32,
        size=32,
        split="official",
        split_seed=1,
        val=0.0,
        test=0.0,
        train_truth="masks",
    )
    patches = tile(tmp_path / "source", tmp_path / "patches", cut)
    assert len(patches) == 3 * 306 + 72
    assert Counter(patch.split for patch in patches) == {"train": 692, "val": 149, "test": 149}


def test_the_first_answer_breaks_off_and_no_other(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(1_000))
    md5 = "ede3d3b685b4e137ba4cb2521329a75e"  # of 1,000 zeros
    with served(tmp_path / "file", 0) as url:
        with pytest.raises(OSError, match=r"broke off"):
            fetch([url], md5, tmp_path / "got", retries=0, timeout=5.0)
        assert (tmp_path / "got.part").stat().st_size == 400
        fetch([url], md5, tmp_path / "got", retries=0, timeout=5.0)
    assert (tmp_path / "got").read_bytes() == bytes(1_000)


@pytest.mark.slow
def test_a_stage_is_killed_after_some_cpu_time_unless_it_has_ended(tmp_path: Path) -> None:
    clone = Clone(folder=tmp_path)
    clone.project.mkdir()
    works = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'while True: pass'])"
    assert interrupted.killed(clone, [sys.executable, "-c", works], 0.5)
    assert not interrupted.killed(clone, [sys.executable, "-c", ""], 60)
    with pytest.raises(SystemExit, match="failed with status 3"):
        interrupted.killed(clone, [sys.executable, "-c", "raise SystemExit(3)"], 60)


def test_the_experiment_is_one_epoch_of_the_real_configuration() -> None:
    section = {"download": {}, "train": {}, "recipes": {"tuned": {}}, "evaluate": {}}
    params = {"dataset": "sample", "datasets": {"landcover_ai": section}}
    change_params(params, "http://here", "0" * 32, ["unet"])
    assert (params["dataset"], params["architectures"]) == ("landcover_ai", ["unet"])
    assert section["download"] == {"urls": ["http://here"], "md5": "0" * 32}
    assert section["recipes"]["tuned"]["epochs"] == 1


def test_samples_name_the_function_of_the_project_and_the_network() -> None:
    frame = sys._getframe()
    assert sitecustomize.innermost(frame) == ("", False)
    code = "def forward():\n    import sys\n    return sys._getframe()\nframe = forward()"
    found: dict[str, object] = {}
    file = os.path.join(os.sep, "project", "partialseg", "models", "unet.py")
    exec(compile(code, file, "exec"), found)
    assert sitecustomize.innermost(found["frame"]) == ("unet.forward", True)
