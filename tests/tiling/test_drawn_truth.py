"""Labels that a person drew: labels/ beside images/ and masks/."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray

from partialseg.core.classes import NO_TRUTH
from partialseg.datasets.download import download
from partialseg.labelling.label import label
from partialseg.labelling.labels import LabelStore
from partialseg.labelling.patterns.drawn import share
from partialseg.source.index import check_unchanged, read_index, write_index
from partialseg.tiling.params import Tile
from partialseg.tiling.patches import PatchStore
from partialseg.tiling.tile import tile
from rasters import LEGEND, write_raster
from small_labels import label_params

IGNORED = 9  # LEGEND's
LEFT, RIGHT = slice(0, 32), slice(32, 64)  # the two cells of an orthophoto


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Orthophotos a, b and c of two cells, whose masks are of class 0; on a, a person drew 1 and 2.

    The strokes are 8 px of class 1 and 4 of class 2 in the left cell; the right one has none.
    """
    for name in "abc":
        write_raster(tmp_path / "images" / f"{name}.tif", np.zeros((3, 32, 64), np.uint8))
        write_raster(tmp_path / "masks" / f"{name}.tif", np.zeros((1, 32, 64), np.uint8))
    draw(tmp_path, "a", strokes())
    return tmp_path


def strokes() -> NDArray[np.uint8]:
    drawn = np.full((32, 64), IGNORED, np.uint8)
    drawn[5, 3:11], drawn[20, 7:11] = 1, 2
    return drawn


def draw(folder: Path, name: str, ids: NDArray[np.generic]) -> None:
    write_raster(folder / "labels" / f"{name}.tif", ids[None])


def index(folder: Path) -> None:
    write_index(folder, folder / "images", folder / "masks", LEGEND, folder / "labels")


def params(**changed: Any) -> Tile:
    values = {"source_size": 32, "size": 32, "split": "pattern", "split_seed": 1}
    return Tile(**(values | {"val": "b", "test": "c", "train_truth": "labels"} | changed))


def cut(folder: Path, **changed: Any) -> PatchStore:
    index(folder)
    tile(folder, folder / "patches", params(**changed))
    return PatchStore(folder / "patches")


def test_training_patches_have_what_was_drawn_and_held_out_ones_the_mask(folder: Path) -> None:
    draw(folder, "b", np.ones((32, 64), np.uint8))  # it is held out
    store = cut(folder)
    (trained,) = store.of_split("train")
    expected = np.where(strokes() == IGNORED, NO_TRUTH, strokes())[:, LEFT]
    np.testing.assert_array_equal(store.truth(trained), expected)
    assert (trained.counts, trained.no_truth) == ((0, 8, 4), 1_012)
    assert store.patches[1].split == "none"  # the cell on which nothing was drawn
    for patch in (*store.of_split("val"), *store.of_split("test")):
        assert patch.counts == (1_024, 0, 0)


def test_cells_of_one_orthophoto_go_by_their_own_split(folder: Path) -> None:
    draw(folder, "a", np.ones((32, 64), np.uint8))
    for name, cells in (("train", ["a_0"]), ("val", ["a_1", "b_0"]), ("test", ["c_0"])):
        (folder / f"{name}.txt").write_text("\n".join(cells))
    store = cut(folder, split="official", val=0.0, test=0.0)
    held_out = {patch.name: patch.counts for patch in store.patches if patch.split != "none"}
    assert held_out == {
        "a_0": (0, 1_024, 0),
        "a_1": (1_024, 0, 0),
        "b_0": (1_024, 0, 0),
        "c_0": (1_024, 0, 0),
    }


def test_masks_are_the_truth_of_training_unless_labels_are_asked_for(folder: Path) -> None:
    store = cut(folder, train_truth="masks")
    assert [patch.counts for patch in store.of_split("train")] == [(1_024, 0, 0)] * 2


def test_what_is_trained_on_needs_no_mask(folder: Path) -> None:
    (folder / "masks" / "a.tif").unlink()
    (patch,) = cut(folder).of_split("train")
    assert patch.counts == (0, 8, 4)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"train_truth": "masks"}, r"a\.tif: has labels but no mask, and train_truth is masks$"),
        ({"val": "a", "test": "b"}, r"a\.tif: has labels but no mask, and it is held out for val$"),
    ],
)
def test_what_needs_a_mask_is_named(folder: Path, changed: dict[str, str], message: str) -> None:
    (folder / "masks" / "a.tif").unlink()
    with pytest.raises(ValueError, match=message):
        cut(folder, **changed)
    assert not (folder / "patches").exists()


def test_labels_that_are_not_there_are_missed(folder: Path) -> None:
    write_index(folder, folder / "images", folder / "masks", LEGEND)
    with pytest.raises(ValueError, match=r"train_truth is labels, but no orthophoto had any"):
        tile(folder, folder / "patches", params())


def test_nothing_drawn_on_training_orthophotos_is_an_empty_split(folder: Path) -> None:
    draw(folder, "a", np.full((32, 64), IGNORED, np.uint8))
    with pytest.raises(ValueError, match=r"an empty split: {'train': 0, 'val': 2, 'test': 2}"):
        cut(folder)


@pytest.mark.parametrize(
    ("name", "ids", "message"),
    [
        ("z", np.zeros((32, 64), np.uint8), r"labels/z\.tif: no image of this name in .*images$"),
        ("a", np.zeros((32, 65), np.uint8), r"labels/a\.tif: size 65 x 32 px differs from 64"),
        ("a", np.zeros((32, 64), np.complex64), r"a raster of labels must hold numbers, got comp"),
        (
            "a",
            np.full((32, 64), 7, np.uint8),
            r"labels/a\.tif: class id 7 on 2048 pixels; known ids are \[0, 1, 2, 9\]$",
        ),
    ],
)
def test_bad_labels_are_named(
    folder: Path, name: str, ids: NDArray[np.generic], message: str
) -> None:
    draw(folder, name, ids)
    with pytest.raises(ValueError, match=message):
        cut(folder)


def test_an_image_needs_a_mask_or_labels(folder: Path) -> None:
    (folder / "masks" / "b.tif").unlink()
    with pytest.raises(ValueError, match=r"b\.tif: no mask of this name in .*masks or .*labels$"):
        index(folder)


def test_labels_that_changed_are_noticed(folder: Path) -> None:
    index(folder)
    orthophoto = read_index(folder).orthophotos[0]
    check_unchanged(orthophoto)
    draw(folder, "a", np.zeros((32, 64), np.uint8))
    with pytest.raises(ValueError, match=r"labels/a\.tif: missing or changed since the download"):
        check_unchanged(orthophoto)


def test_the_pattern_drawn_shows_all_that_was_drawn_and_nothing_else(folder: Path) -> None:
    store = cut(folder)
    summary = label(folder / "patches", folder / "all", 1.0, 1, label_params("drawn"))
    assert (summary.visible, summary.counts) == (12, {"field": 0, "house": 8, "lake": 4})
    assert (summary.clicks, summary.seconds) == (None, None)
    visible = LabelStore(folder / "all", ["a_0"]).visible(0)
    np.testing.assert_array_equal(visible, store.truth(store.patches[0]) != NO_TRUTH)
    assert label(folder / "patches", folder / "half", 0.5, 1, label_params("drawn")).visible == 6


def test_shares_are_seeded_and_nested() -> None:
    truth = np.full((8, 8), NO_TRUTH, np.uint8)
    truth[::2] = 1
    shares = [share(truth, 1, "a", fraction) for fraction in (0.1, 0.3, 0.7, 1.0)]
    assert [int(item.sum()) for item in shares] == [4, 10, 23, 32]  # ceil of 3.2, 9.6, 22.4, 32
    for small, large in pairwise(shares):
        assert (small <= large).all()
    assert (shares[1] == share(truth, 1, "a", 0.3)).all()
    assert (shares[1] != share(truth, 2, "a", 0.3)).any()
    assert (shares[1] != share(truth, 1, "b", 0.3)).any()
    assert not share(np.full((4, 4), NO_TRUTH, np.uint8), 1, "a", 1.0).any()
    for wrong in (0.0, 1.5):
        with pytest.raises(ValueError, match=f"must be in 0 < fraction <= 1, got {wrong}"):
            share(truth, 1, "a", wrong)


def test_a_folder_may_have_labels(folder: Path, tmp_path: Path) -> None:
    legend = {
        "mask_values": "ids",
        "classes": [{"name": name, "colour": [shade] * 3} for name, shade in (("a", 1), ("b", 2))],
        "ignored_ids": [],
        "ignored_colours": [],
    }
    file = tmp_path / "params.yaml"
    section = {"download": {"path": str(folder), "legend": legend}}
    file.write_text(yaml.safe_dump({"datasets": {"folder": section}}))
    download("folder", file, tmp_path / "with")
    first, second, _ = read_index(tmp_path / "with").orthophotos
    assert (first.labels, second.labels) == (folder / "labels" / "a.tif", None)
    (folder / "labels" / "a.tif").unlink()
    (folder / "labels").rmdir()
    download("folder", file, tmp_path / "without")
    stored = json.loads((tmp_path / "without" / "index.json").read_text())
    assert [item["labels"] for item in stored["orthophotos"]] == [None] * 3
