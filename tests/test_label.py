import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from code_of_stage import SRC
from label import label
from partialseg.labels import LabelStore
from partialseg.patches import PatchStore
from partialseg.visibility import visible_pixels


def test_each_training_patch_shows_its_own_pixels(
    make_patches: Callable[..., Path], tmp_path: Path
) -> None:
    patches = make_patches()
    summary = label(patches, tmp_path / "labels", 0.25, 42)
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
    for name, seed in (("first", 42), ("second", 42), ("other", 43)):
        label(patches, tmp_path / name, 0.1, seed)
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
    summary = label(patches, tmp_path / "labels", 1.0, 42)
    assert summary.visible == 3 * 1_024
    assert sum(summary.counts.values()) == 3 * 512


def test_a_patch_without_a_visible_pixel_is_named(
    make_patches: Callable[..., Path], tmp_path: Path
) -> None:
    message = r"patch a_train_0: label_fraction 0\.0009 shows 0 of 1024 pixels"
    with pytest.raises(ValueError, match=message):
        label(make_patches(), tmp_path / "labels", 0.0009, 42)
    assert not (tmp_path / "labels").exists()


@pytest.mark.parametrize("fraction", ["0", "1.5", "-0.1", "nan"])
def test_the_command_refuses_other_fractions(
    make_patches: Callable[..., Path], tmp_path: Path, fraction: str
) -> None:
    script = [
        sys.executable,
        SRC / "label.py",
        f"--fraction={fraction}",
        "--seed=42",
        "--out",
        "labels",
    ]
    done = subprocess.run(
        [*script, "--patches", make_patches()], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr == (
        f"error: label fraction must be in 0 < fraction <= 1, got {float(fraction)}\n"
    )
    assert not (tmp_path / "labels").exists()


def test_the_command_writes_the_labels(make_patches: Callable[..., Path], tmp_path: Path) -> None:
    script = [
        sys.executable,
        SRC / "label.py",
        "--fraction",
        "0.5",
        "--seed",
        "7",
        "--out",
        "labels",
    ]
    subprocess.run([*script, "--patches", make_patches()], cwd=tmp_path, check=True)
    summary = json.loads((tmp_path / "labels" / "labels.json").read_text())
    assert (summary["fraction"], summary["seed"], summary["visible"]) == (0.5, 7, 3 * 512)
