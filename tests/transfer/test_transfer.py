"""The stage on two made data sets of different classes and pixel sizes, with known scores."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import nn

from checkpoints import checkpoint_of
from partialseg.engine import checkpoint as checkpoints
from partialseg.engine.checkpoint import Checkpoint, save_checkpoint
from partialseg.evaluation.params import Evaluate
from partialseg.evaluation.runs import Cell, Run
from partialseg.source.index import index_files
from partialseg.source.legend import LandCoverClass, Legend
from partialseg.source.pairing import files_in_folders
from partialseg.source.reading import Reading
from partialseg.tiling.params import Tile
from partialseg.tiling.patches import Imagery
from partialseg.transfer.cut import OtherSet
from partialseg.transfer.params import Transfer
from partialseg.transfer.results import read_transfer
from partialseg.transfer.table import transfer_table
from partialseg.transfer.transfer import Trained, transfer
from rasters import write_raster
from small_run import Lookup

# By the red value, as conftest.py draws the classes; 250: house, but less surely.
FIELD, HOUSE, LAKE, UNSURE = [9.0, 0.0, 0.0], [0.0, 9.0, 0.0], [0.0, 0.0, 9.0], [0.3, 0.4, 0.3]
TABLE = [FIELD] * 80 + [HOUSE] * 80 + [LAKE] * 90 + [UNSURE] * 6
FOREIGN = Legend(
    classes=tuple(
        LandCoverClass(name=name, colour=(place, 0, 0))
        for place, name in enumerate(("meadow", "roof", "river", "asphalt", "cloud"))
    ),
    mask_values="ids",
)
HOME = Transfer(split="main", background=("field",), building=("house",), water=("lake",))
THERE = Transfer(
    split="main",
    background=("meadow",),
    building=("roof",),
    water=("river",),
    road=("asphalt",),
    ignore=("cloud",),
)
TILE = Tile(
    source_size=999,
    size=500,
    split="pattern",
    split_seed=1,
    val=0.0,
    test="*_test",
    train_truth="masks",
)


@pytest.fixture
def trained(make_patches: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Trained:
    """Return a run of a network that answers by the table, of 32 px patches of 0.25 m."""
    network = Lookup(TABLE)
    run = Run(
        cell=Cell(
            split="main",
            fraction="0.15",
            labelling="points",
            architecture="unet",
            recipe="reproduction",
        ),
        seed=42,
    )
    made = checkpoint_of(
        network,
        ground_sampling_distances=[0.25],
        class_weights=None,
        imagery=Imagery(names=("red", "green", "blue")),
    )
    folder = tmp_path / "runs" / run.path
    folder.mkdir(parents=True)
    save_checkpoint(made, folder / "best.pt")

    def build(_: Checkpoint) -> nn.Module:
        return network.eval()

    monkeypatch.setattr(checkpoints.Checkpoint, "build", build)
    patches = make_patches(size=32)
    return Trained(
        dataset="sample", patches=patches, folder=tmp_path / "runs", runs=[run], transfer=HOME
    )


def other_set(
    folder: Path, pairs: dict[str, tuple[Any, Any]], gsd: float | None = None, **changes: Any
) -> OtherSet:
    """Write and index a source of (red values, ids), PNG without a pixel size; gsd states one."""
    for name, (red, ids) in pairs.items():
        image = np.stack([np.array(red, np.uint8)] + [np.full_like(np.array(red, np.uint8), 9)] * 2)
        write_raster(folder / "images" / f"{name}.png", image, crs=None)
        write_raster(folder / "masks" / f"{name}.png", np.array(ids, np.uint8)[None], crs=None)
    files = files_in_folders(folder / "images", folder / "masks", None)
    index_files(folder, files, FOREIGN, Reading(gsd=gsd))
    return OtherSet(dataset="abroad", source=folder, tile=TILE, transfer=replace(THERE, **changes))


def columns(*values: int) -> list[list[int]]:
    """Return 4 rows of these values."""
    return [list(values)] * 4


EVALUATE = {
    "batch_size": 2,
    "precision": "float32",
    "threads": 1,
    "workers": 0,
    "panel_patches": 1,
    "examples": 0,
    "calibration_bins": 2,
}


def params() -> Evaluate:
    from partialseg.evaluation.params import Spatial

    spatial = Spatial(
        boundary_ratio=0.02, tolerances_px=(1.0,), tolerances_m=(1.0,), objects="", object_areas=()
    )
    return Evaluate(**EVALUATE, spatial=spatial)


# Columns of 4 px: meadow right, meadow as house, roof right, river as field, asphalt and cloud
# (left out), river right, roof right.
RED = columns(0, 80, 80, 0, 160, 0, 160, 250)
IDS = columns(0, 0, 1, 2, 3, 4, 2, 1)


def test_a_network_is_scored_in_common_classes_at_its_own_pixel_size(
    trained: Trained, tmp_path: Path
) -> None:
    other = other_set(tmp_path / "b", {"x_test": (RED, IDS), "y": (RED, IDS)}, gsd=0.25)
    before = sorted(tmp_path.glob("runs/**/*"))
    out = tmp_path / "out" / "abroad" / "main.json"
    detail = transfer(trained, other, out, params()).detail
    assert detail["classes"] == ["background", "building", "water"]
    assert detail["left_out"] == {"trained": [], "tested": ["road"]}
    (run,) = detail["runs"]
    assert np.array(run["other"]["confusion"])[[0, 1, 3]][:, [0, 1, 3]].tolist() == [
        [4, 4, 0],
        [0, 8, 0],
        [4, 0, 4],
    ]
    assert run["other"]["iou"] == pytest.approx(
        {"background": 4 / 12, "building": 8 / 12, "water": 4 / 8}
    )
    assert run["other"]["miou"] == pytest.approx((4 / 12 + 8 / 12 + 4 / 8) / 3)
    assert run["other"]["accuracy"] == pytest.approx(16 / 24)
    assert run["own"]["iou"] == {"background": 1, "building": 1, "water": 1}
    assert (run["seed"], run["label_fraction"]) == (42, 0.15)
    assert detail["other"] == {
        "patches": 1,
        "orthophotos": 1,
        "pixels": 24,
        "majority": {"class": "background", "miou": pytest.approx(1 / 9), "accuracy": 1 / 3},
    }
    assert detail["pixel_size"] == {
        "network": [0.25],
        "network_assumed": False,
        "files_assumed": 0,
        "files_assumed_gsd": None,
    }
    assert read_transfer(out).detail == json.loads(out.read_text())
    assert sorted(path.name for path in out.parent.iterdir()) == ["main.json", "main.md"]
    assert sorted(tmp_path.glob("runs/**/*")) == before


def test_pixels_of_another_size_become_those_of_the_network(
    trained: Trained, tmp_path: Path
) -> None:
    # 1 m: a pixel becomes 4 x 4 of 0.25 m, 40 x 40 px become 160 x 160: 5 x 5 patches of 32 px.
    ids = np.zeros((40, 40), int)
    ids[:20] = 2  # the upper half is water
    red = np.where(ids == 2, 160, 0)
    pair = {"x_test": (red.tolist(), ids.tolist())}
    other = other_set(tmp_path / "b", pair, assumed_gsd=1.0)
    out = tmp_path / "out.json"
    results = transfer(trained, other, out, params())
    other_facts = results.detail["other"]
    assert (other_facts["patches"], other_facts["pixels"]) == (25, 160 * 160)
    assert results.detail["pixel_size"]["files_assumed_gsd"] == 1.0
    text = out.with_suffix(".md").read_text()
    assert "The pixel size of 1 of these orthophotos is unknown and assumed to be 1 m" in text
    # Around the border red is 140, 100, 60 and 20: the two lowest rows of water look like houses.
    scores = results.detail["runs"][0]["other"]
    assert scores["confusion"][3] == [0, 2 * 160, 0, 78 * 160, 0]
    assert scores["confusion"][0] == [80 * 160, 0, 0, 0, 0]
    assert scores["miou"] == pytest.approx((1 + 0 + 78 / 80) / 3)
    rows = [[cell.strip() for cell in row.split("|")] for row in text.splitlines()[4:6]]
    network, trivial = (row[1:-1] for row in rows)
    assert network[:3] == ["1", "UNet 15 %", "0.6583"]
    assert network[3:5] == ["3072 of 3072 px right (3 patches)", "0.9875"]
    assert network[5:] == ["1.0000", "0.0000", "0.9750"]
    assert trivial[:3] == ["-", "all background", "0.2500"]  # half the pixels, of two classes


def test_few_patches_show_counts_and_have_no_rank(trained: Trained, tmp_path: Path) -> None:
    other = other_set(tmp_path / "b", {"x_test": (RED, IDS)}, gsd=0.25)
    results = transfer(trained, other, tmp_path / "out.json", params())
    first = transfer_table(results).splitlines()[2]
    assert [cell.strip() for cell in first.split("|")][1:4] == [
        "-",
        "UNet 15 %",
        "16 of 24 px right (1 patches)",
    ]
    assert not results.ranked("other")
    assert "8 of 24 px right" in transfer_table(results).splitlines()[3]


def test_nothing_is_assumed_without_a_word(trained: Trained, tmp_path: Path) -> None:
    other = other_set(tmp_path / "b", {"x_test": (RED, IDS)})
    with pytest.raises(ValueError, match=r"x_test\.png: tells no pixel size; .*assumed_gsd"):
        transfer(trained, other, tmp_path / "out.json", params())
    assert not (tmp_path / "out.json").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"road": ()}, "datasets.abroad.transfer: .*'asphalt' is listed 0 times"),
        (
            {"ignore": ("cloud", "meadow", "roof", "river"), "background": (), "building": ()}
            | {"water": ()},
            "sample and abroad have no class in common",
        ),
    ],
)
def test_classes_that_do_not_fit_are_an_error(
    trained: Trained, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    other = other_set(tmp_path / "b", {"x_test": (RED, IDS)}, gsd=0.25, **changes)
    with pytest.raises(ValueError, match=message):
        transfer(trained, other, tmp_path / "out.json", params())


def test_a_split_without_test_orthophotos_is_an_error(trained: Trained, tmp_path: Path) -> None:
    other = other_set(tmp_path / "b", {"x": (RED, IDS)}, gsd=0.25)
    with pytest.raises(ValueError, match=r"datasets\.abroad\.splits\.main: holds out no orthoph"):
        transfer(trained, other, tmp_path / "out.json", params())


def test_lists_of_an_official_split_name_orthophotos(trained: Trained, tmp_path: Path) -> None:
    other = other_set(tmp_path / "b", {"x": (RED, IDS), "y": (RED, IDS)}, gsd=0.25)
    other = replace(other, tile=replace(TILE, split="official"))
    for name, lines in {"train": "y", "val": "", "test": "x"}.items():
        (tmp_path / "b" / f"{name}.txt").write_text(lines + "\n")
    detail = transfer(trained, other, tmp_path / "out.json", params()).detail
    assert (detail["other"]["orthophotos"], detail["other"]["pixels"]) == (1, 24)
    (tmp_path / "b" / "test.txt").write_text("x_0\n")
    with pytest.raises(ValueError, match=r"splits\.main: .*test\.txt: no full cell is named 'x_0'"):
        transfer(trained, other, tmp_path / "out.json", params())


def test_without_runs_there_is_one_line(trained: Trained, tmp_path: Path) -> None:
    other = other_set(tmp_path / "b", {"x_test": (RED, IDS)}, gsd=0.25)
    with pytest.raises(ValueError, match="no run of sample is listed for this split and label fr"):
        transfer(replace(trained, runs=[]), other, tmp_path / "out.json", params())


def test_a_set_without_a_test_split_is_scored_on_its_validation(
    trained: Trained, tmp_path: Path
) -> None:
    manifest = trained.patches / "manifest.csv"
    text = manifest.read_text()
    assert ",test," in text
    manifest.write_text(text.replace(",test,", ",none,"))
    other = other_set(tmp_path / "b", {"x_test": (RED, IDS)}, gsd=0.25)
    results = transfer(trained, other, tmp_path / "out.json", params())
    assert results.detail["own"]["scored"] == "val"
    assert "sample has no test split: its own scores" in (tmp_path / "out.md").read_text()


@pytest.mark.parametrize(
    ("own", "there", "message"),
    [
        (("nir", "red", "green"), None, "see nir, red, green, and the images of abroad have red"),
        (
            None,
            ("nir", "red", "green"),
            r"those of sample are unknown: band_names in datasets\.",
        ),
        (None, None, ""),
    ],
)
def test_bands_must_not_be_others(
    trained: Trained,
    tmp_path: Path,
    own: tuple[str, str, str] | None,
    there: tuple[str, str, str] | None,
    message: str,
) -> None:
    (file,) = tmp_path.glob("runs/**/best.pt")
    network = checkpoints.load_checkpoint(file)
    save_checkpoint(replace(network, imagery=Imagery(names=own)), file)
    other = other_set(tmp_path / "b", {"x_test": (RED, IDS)}, gsd=0.25)
    if there:
        files = files_in_folders(tmp_path / "b/images", tmp_path / "b/masks", None)
        index_files(tmp_path / "b", files, FOREIGN, Reading(gsd=0.25, band_names=there))
    if not message:
        assert transfer(trained, other, tmp_path / "out.json", params()).detail["runs"]
        return
    with pytest.raises(ValueError, match=message):
        transfer(trained, other, tmp_path / "out.json", params())
