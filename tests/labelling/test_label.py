import csv
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray

from code_of_stage import SRC
from partialseg.core.classes import NO_TRUTH
from partialseg.core.params import load_section
from partialseg.labelling.label import label, lines
from partialseg.labelling.labels import LabelStore
from partialseg.labelling.params import Label, Pattern
from partialseg.labelling.patterns import blocks, boxes, points, scribbles
from partialseg.labelling.patterns.patches import chosen
from partialseg.tiling.patches import PatchStore
from partialseg.visibility import visible_pixels
from small_labels import label_params


def test_each_training_patch_shows_its_own_pixels(
    make_patches: Callable[..., Path], tmp_path: Path
) -> None:
    patches = make_patches()
    summary = label(patches, tmp_path / "labels", 0.25, 42, label_params())
    store = PatchStore(patches)
    train = store.of_split("train")
    labels = LabelStore(tmp_path / "labels", [patch.name for patch in train])
    counts = np.zeros(3, int)
    for place, patch in enumerate(train):
        expected = visible_pixels(42, patch.name, 32, 32, 0.25)
        np.testing.assert_array_equal(labels.visible(place), expected)
        counts += np.bincount(store.truth(patch)[expected], minlength=3)
    assert (summary.patches, summary.visible) == (3, 3 * 256)
    assert list(summary.counts.values()) == counts.tolist()


def test_equal_seeds_give_equal_bytes(make_patches: Callable[..., Path], tmp_path: Path) -> None:
    patches = make_patches()
    # Of six patches three are chosen: the seed 44 chooses others than 42.
    for name, seed in (("first", 42), ("second", 42), ("other", 44)):
        label(patches, tmp_path / name, 0.1, seed, label_params())
    bits = {
        name: (tmp_path / name / "visible.npy").read_bytes()
        for name in ("first", "second", "other")
    }
    assert bits["first"] == bits["second"] != bits["other"]


def test_pixels_without_truth_are_shown_but_not_counted(
    make_patches: Callable[..., Path], tmp_path: Path
) -> None:
    patches = make_patches()
    file = patches / "masks" / "a_train.npy"
    masks = np.load(file)
    masks[:, :16] = 255
    np.save(file, masks)
    summary = label(patches, tmp_path / "labels", 1.0, 42, label_params())
    assert summary.visible == 3 * 1_024
    assert sum(summary.counts.values()) == 3 * 512


def test_a_patch_without_a_visible_pixel_is_named(
    make_patches: Callable[..., Path], tmp_path: Path
) -> None:
    message = r"patch a_train_0: label_fraction 0\.0009 shows 0 of 1024 pixels"
    with pytest.raises(ValueError, match=message):
        label(make_patches(), tmp_path / "labels", 0.0009, 42, label_params())
    assert not (tmp_path / "labels").exists()


ARGUMENTS = ["--dataset", "sample", "--seed", "42", "--out", "labels", "--patches"]


def run_command(
    patches: Path, folder: Path, *arguments: str, **changes: object
) -> subprocess.CompletedProcess[str]:
    """Run the stage in a folder with the project's parameters, whose sizes fit small patches."""
    params = yaml.safe_load((SRC.parent / "params.yaml").read_text())
    params["datasets"]["sample"]["label"] |= {"block": 8, "box": 8, "points": 20} | changes
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    script = [sys.executable, SRC / "label.py", *ARGUMENTS, patches, *arguments]
    return subprocess.run(script, cwd=folder, capture_output=True, text=True)


@pytest.mark.slow
@pytest.mark.parametrize("labelling", ["random", "points"])
@pytest.mark.parametrize("fraction", ["0", "1.5", "-0.1", "nan"])
def test_the_command_refuses_other_fractions(
    make_patches: Callable[..., Path], tmp_path: Path, fraction: str, labelling: str
) -> None:
    done = run_command(make_patches(), tmp_path, f"--fraction={fraction}", "--labelling", labelling)
    assert done.returncode == 1
    assert done.stderr == (
        f"error: label fraction must be in 0 < fraction <= 1, got {float(fraction)}\n"
    )
    assert not (tmp_path / "labels").exists()


@pytest.mark.slow
def test_the_command_draws_the_labels_of_the_labelling(
    make_patches: Callable[..., Path], tmp_path: Path
) -> None:
    patches = make_patches()
    done = run_command(patches, tmp_path, "--fraction", "0.1", "--labelling", "points")
    assert (done.returncode, done.stderr) == (0, "")
    summary = json.loads((tmp_path / "labels" / "labels.json").read_text())
    named = (summary["pattern"], summary["fraction"], summary["seed"])
    assert named == ("points", 0.1, 42)
    classes = sum(len(np.unique(ids)) for ids in truths(patches))
    assert summary["visible"] == summary["clicks"] == 2 * classes
    assert done.stdout.splitlines() == [
        f"{2 * classes} visible pixels in 3 patches: {summary['counts']}",
        f"points: {2 * classes} clicks, about {3.3 * classes / 3600:.2f} h of annotation by "
        "an estimate",
    ]


def truths(patches: Path) -> list[NDArray[np.uint8]]:
    store = PatchStore(patches)
    return [store.truth(patch) for patch in store.of_split("train")]


def set_truth(patches: Path, ids: int, columns: slice) -> None:
    """Give columns of all training patches one class."""
    file = patches / "masks" / "a_train.npy"
    masks = np.load(file)
    masks[:, :, columns] = ids
    np.save(file, masks)


@pytest.mark.parametrize("pattern", ["points", "scribbles", "boxes", "blocks"])
def test_each_pattern_labels_each_patch_by_its_own_function(
    make_patches: Callable[..., Path], tmp_path: Path, pattern: Pattern
) -> None:
    draw = {
        "points": points.draw,
        "scribbles": scribbles.draw,
        "boxes": boxes.draw,
        "blocks": blocks.draw,
    }[pattern]
    patches, params = make_patches(), label_params(pattern)
    summary = label(patches, tmp_path / "labels", 0.25, 42, params)
    store = PatchStore(patches)
    train = store.of_split("train")
    labels = LabelStore(tmp_path / "labels", [patch.name for patch in train])
    drawn = [draw(store.truth(patch), 42, patch.name, 0.25, params) for patch in train]
    for place, annotation in enumerate(drawn):
        np.testing.assert_array_equal(labels.visible(place), annotation.visible)
    visible = sum(int(annotation.visible.sum()) for annotation in drawn)
    assert (summary.pattern, summary.visible) == (pattern, visible)
    assert sum(summary.counts.values()) == visible
    if pattern != "points":
        assert visible == 3 * 256  # 0.25 of 1024 pixels, or 4 windows of 64
    assert summary.clicks == sum(annotation.clicks for annotation in drawn)
    assert summary.seconds == pytest.approx(sum(annotation.seconds for annotation in drawn))
    assert summary.labelled_share == visible / (3 * 1024)
    with (tmp_path / "labels" / "labels.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [(int(row["clicks"]), float(row["seconds"])) for row in rows] == [
        (annotation.clicks, annotation.seconds) for annotation in drawn
    ]


@pytest.mark.slow
@pytest.mark.parametrize("pattern", get_args(Pattern))
def test_equal_seeds_give_equal_bytes_by_any_pattern(
    make_patches: Callable[..., Path], tmp_path: Path, pattern: Pattern
) -> None:
    patches = make_patches(columns=6)
    # Of six patches three are chosen: the seed 44 chooses others than 42.
    for name, seed in (("first", 42), ("second", 42), ("other", 44)):
        label(patches, tmp_path / name, 0.5, seed, label_params(pattern))

    def bytes_of(name: str) -> list[bytes]:
        files = ("visible.npy", "labels.csv", "labels.json")
        return [(tmp_path / name / file).read_bytes() for file in files]

    assert bytes_of("first") == bytes_of("second")
    assert bytes_of("first")[0] != bytes_of("other")[0]


def test_the_pattern_patches_labels_some_wholly_and_the_others_not_at_all(
    make_patches: Callable[..., Path], tmp_path: Path
) -> None:
    patches = make_patches(columns=6)
    set_truth(patches, NO_TRUTH, slice(0, 8))
    summary = label(patches, tmp_path / "labels", 0.34, 42, label_params("patches"))
    names = [patch.name for patch in PatchStore(patches).of_split("train")]
    labels = LabelStore(tmp_path / "labels", names)
    whole = chosen(names, 42, 0.34)
    assert len(whole) == 2  # floor(0.34 x 6)
    for place, name in enumerate(names):
        expected = np.zeros((32, 32), np.bool_)
        expected[:, 8:] = name in whole
        np.testing.assert_array_equal(labels.visible(place), expected)
    assert (summary.patches, summary.visible, summary.clicks) == (6, 2 * 768, 0)
    assert summary.labelled_share == 2 * 768 / (6 * 1024)


def test_a_pattern_other_than_patches_needs_a_label_on_each_patch(
    make_patches: Callable[..., Path], tmp_path: Path
) -> None:
    patches = make_patches()
    file = patches / "masks" / "a_train.npy"
    masks = np.load(file)
    masks[1] = NO_TRUTH
    np.save(file, masks)
    message = r"patch a_train_1: label_fraction 0\.25 shows 0 of 1024 pixels, none of them with"
    for pattern in ("points", "blocks"):
        with pytest.raises(ValueError, match=message):
            label(patches, tmp_path / "labels", 0.25, 42, label_params(pattern))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"patch a_train_1: boxes of up to 8 px reach 0\.0000"):
        label(patches, tmp_path / "labels", 0.25, 42, label_params("boxes"))
    assert not (tmp_path / "labels").exists()


@pytest.mark.parametrize("pattern", get_args(Pattern))
def test_labels_of_one_class_are_refused(
    make_patches: Callable[..., Path], tmp_path: Path, pattern: Pattern
) -> None:
    patches = make_patches()
    set_truth(patches, 1, slice(0, 32))
    message = r"labels hold one class only \(house\): nothing to tell apart; raise label_fraction"
    with pytest.raises(ValueError, match=message):
        label(patches, tmp_path / "labels", 0.5, 42, label_params(pattern))
    assert not (tmp_path / "labels").exists()


def test_a_class_without_labels_and_one_with_too_few_pixels_are_told(
    make_patches: Callable[..., Path], tmp_path: Path
) -> None:
    patches = make_patches()
    set_truth(patches, 0, slice(0, 32))
    file = patches / "masks" / "a_train.npy"
    masks = np.load(file)
    masks[0, 0, :3] = 1  # three pixels of a house, where five clicks are asked for
    np.save(file, masks)
    summary = label(patches, tmp_path / "labels", 0.25, 42, label_params("points"))
    assert summary.counts == {"field": 15, "house": 3, "lake": 0}
    assert (summary.clicks, summary.short) == (18, {"house": 2})
    # A first click on a class takes 2.4 s, a further one 0.9 s: 3 x 6.0 s and 4.2 s.
    assert summary.seconds == pytest.approx(22.2)
    assert list(lines(summary)) == [
        "18 visible pixels in 3 patches: {'field': 15, 'house': 3, 'lake': 0}",
        "points: 18 clicks, about 0.01 h of annotation by an estimate",
        "house: 2 clicks fewer than asked, as patches hold too few pixels of it",
        "lake: no labelled pixel",
    ]


def test_the_cost_of_random_pixels_is_unknown(
    make_patches: Callable[..., Path], tmp_path: Path
) -> None:
    summary = label(make_patches(), tmp_path / "labels", 0.25, 42, label_params())
    assert (summary.pattern, summary.clicks, summary.seconds) == ("random", None, None)
    (line,) = lines(summary)
    assert line.startswith("768 visible pixels in 3 patches: {'field': ")
    row = (tmp_path / "labels" / "labels.csv").read_text().splitlines()[1]
    assert row.startswith("a_train_0,256,,,")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pattern": "brush"}, r"label\.pattern: should be 'random', .* or 'drawn', got 'brush'"),
        ({"points": 0}, r"label\.points: should be greater than 0, got 0"),
        ({"block": 8.5}, r"label\.block: should be a valid integer.*, got 8\.5"),
        ({"colour": 1}, r"label\.colour: is unknown"),
    ],
)
def test_wrong_parameters_are_named(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    good = {"pattern": "random", "points": 1, "thickness": 1, "box": 1, "block": 1}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"label": good | changes}))
    with pytest.raises(ValueError, match=message):
        load_section(tmp_path / "params.yaml", "label", Label)
