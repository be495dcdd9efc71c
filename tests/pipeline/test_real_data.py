"""Real images and masks, which are no part of the project."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import rasterio
import yaml

from code_of_stage import SRC
from partialseg.comparison.compared import read_compared_runs
from partialseg.core.params import load_section
from partialseg.datasets.download import download
from partialseg.engine.checkpoint import RunId
from partialseg.evaluation.evaluate import evaluate
from partialseg.evaluation.params import Evaluate
from partialseg.evaluation.runs import AXES, listed_runs, run_files
from partialseg.figures.compare import compare
from partialseg.labelling.label import label
from partialseg.source.index import read_index, write_index
from partialseg.source.legend import LANDCOVER_AI
from partialseg.tiling.params import Tile
from partialseg.tiling.patches import PatchStore
from partialseg.tiling.tile import tile
from partialseg.training.params import Train
from partialseg.training.train import TrainFolders, train
from small_labels import label_params

PARAMS = SRC.parent / "params.yaml"
REAL = Path(os.environ.get("PARTIALSEG_DATA", SRC.parent.parent / "shared" / "data"))
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not REAL.is_dir(), reason=f"the real data are not at {REAL}"),
]


@pytest.fixture
def landcover_source(tmp_path: Path) -> Path:
    """The real mask at full size, under an image that is drawn from it."""
    mask = next((REAL / "landcoverai" / "masks").glob("*.tif"))
    (tmp_path / "masks").mkdir()
    (tmp_path / "images").mkdir()
    shutil.copy(mask, tmp_path / "masks")
    with rasterio.open(mask) as raster:
        ids, profile = raster.read(1), raster.profile
    grey = np.array([90, 200, 40, 20, 150], np.uint8)[ids]
    profile.update(count=3, photometric="RGB")
    with rasterio.open(tmp_path / "images" / mask.name, "w", **profile) as raster:
        raster.write(np.stack([grey, grey, grey]))
    write_index(tmp_path, tmp_path / "images", tmp_path / "masks", LANDCOVER_AI)
    return tmp_path


def test_a_real_landcover_mask_at_full_size(landcover_source: Path, tmp_path: Path) -> None:
    params = Tile(
        source_size=512,
        size=384,
        split="random",
        split_seed=1,
        val=0.15,
        test=0.15,
        train_truth="masks",
    )
    patches = tile(landcover_source, tmp_path / "patches", params)
    # 4,136 px wide and 4,701 high: 8 of 9 columns and 9 of 10 rows are whole.
    assert len(patches) == 72
    assert [patch.name for patch in patches[7:9]] == [
        "N-33-60-D-c-4-2_7",
        "N-33-60-D-c-4-2_9",
    ]
    shares = np.sum([patch.counts for patch in patches], axis=0) / (72 * 384**2)
    with rasterio.open(next((landcover_source / "masks").glob("*.tif"))) as raster:
        ids = raster.read(1)[: 9 * 512, : 8 * 512]
        west, north, pixel = raster.transform.c, raster.transform.f, raster.transform.a
    whole = np.bincount(ids.ravel(), minlength=5) / ids.size
    assert np.abs(shares - whole).max() < 0.001
    # The shares of the whole mask, without its partial cells.
    assert np.abs(shares - [0.641, 0.018, 0.245, 0.077, 0.019]).max() < 0.01
    last = patches[-1]
    assert last.transform[0] == pytest.approx(pixel * 512 / 384)
    assert last.transform[2] == pytest.approx(west + 7 * 512 * pixel)
    assert last.transform[5] == pytest.approx(north - 8 * 512 * pixel)

    summary = label(tmp_path / "patches", tmp_path / "labels", 0.1, 42, label_params())
    train_patches = PatchStore(tmp_path / "patches").of_split("train")
    assert (len(train_patches), summary.visible) == (50, 50 * 14_745)
    truth = np.sum([patch.counts for patch in train_patches], axis=0) / (50 * 384**2)
    drawn = np.array(list(summary.counts.values())) / summary.visible
    assert np.abs(drawn - truth).max() < 0.002


@pytest.fixture(scope="module")
def dubai_params(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped `folder` section on three parts each of tiles 1, 4, 6, with a small network."""
    folder = tmp_path_factory.mktemp("dubai")
    for kind in ("images", "masks"):
        (folder / kind).mkdir()
        for file in sorted((REAL / "dubai" / kind).glob("Tile_[146]_image_part_00[1-3].*")):
            (folder / kind / file.name).symlink_to(file)
    params = yaml.safe_load(PARAMS.read_text())
    section = params["datasets"]["folder"]
    section["download"]["path"] = str(folder)
    section["tile"] |= {"size": 96}
    section["train"] |= {"base_channels": 2, "epochs": 1, "workers": 0}
    section["evaluate"] |= {"workers": 0, "panel_patches": 2}
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    return folder / "params.yaml"


def test_the_dubai_images_go_through_the_whole_pipeline(dubai_params: Path) -> None:
    root = dubai_params.parent

    def section(name: str, kind: type) -> object:
        return load_section(dubai_params, f"datasets.folder.{name}", kind)

    download("folder", dubai_params, root / "source")
    assert len(read_index(root / "source").orthophotos) == 9
    patches = tile(root / "source", root / "patches", section("tile", Tile))
    store = PatchStore(root / "patches")
    # Whole 384 px cells: 2 x 1 in tile 1, 2 x 2 in tiles 4 (test) and 6 (validation).
    counts = {name: len(store.of_split(name)) for name in ("train", "val", "test")}
    assert counts == {"train": 6, "val": 12, "test": 12}
    assert all(sum(patch.counts) + patch.no_truth == 96**2 for patch in patches)
    assert sum(patch.no_truth for patch in patches) > 0
    runs, metrics = root / "runs", root / "metrics"
    axes = (["unet", "unetplusplus"], ["reproduction"], [42])
    listed = listed_runs(["main"], ["0.1", "0.15"], ["random"], *axes)
    for fraction in ("0.1", "0.15"):
        label(root / "patches", root / "labels" / fraction, float(fraction), 42, label_params())
    for item in listed:
        folders = TrainFolders(
            patches=root / "patches",
            labels=root / "labels" / item.cell.fraction,
            out=runs / item.path,
            resume=root / "resume" / item.path,
        )
        axes_of_run = {name: getattr(item.cell, name) for name in AXES if name != "fraction"}
        run_id = RunId(dataset="folder", seed=item.seed, **axes_of_run)
        train(run_id, folders, section("train", Train))
        files = run_files(runs, metrics, item)
        evaluate(root / "patches", runs / item.path, files, section("evaluate", Evaluate))
    compared = read_compared_runs("folder", listed, "0.1", runs, metrics)
    compare(compared, store, label_params(), root / "plots")
    known = sum(sum(patch.counts) for patch in store.of_split("test"))
    assert [result.confusion("test").sum() for result in compared.results] == [known] * 4
    assert all(0 < result.detail["test"]["miou"] < 1 for result in compared.results)
    assert (root / "plots" / "table.md").read_text().count("UNet") == 4
