"""The command of the stage tile where the disk or a list fails it; the next run goes on."""

import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from code_of_stage import SRC

PARAMS = (
    "datasets: {x: {tile: {source_size: 32, size: 32, split: official, split_seed: 1, val: 0.2, "
    "test: 0.2, train_truth: masks}, splits: {main: {}}}}"
)
SHARES = {"train": ["a_0", "b_0"], "val": ["a_1", "b_1"], "test": ["a_2", "b_2"]}
PATCH = 32 * 32 * 3  # bytes of its image


@pytest.fixture
def source(make_source: Callable[..., Path], tmp_path: Path) -> Path:
    (tmp_path / "params.yaml").write_text(PARAMS)
    folder = make_source({"a": (64, 64), "b": (64, 128)})
    for split, names in SHARES.items():
        (folder / f"{split}.txt").write_text("\n".join(names))
    return folder


def run_tile(folder: Path, largest: int = resource.RLIM_INFINITY) -> tuple[int, str, str]:
    """Run the stage where no file may have more bytes than `largest`: what is more is refused."""
    command = [sys.executable, SRC / "tile.py", "--dataset", "x", "--split", "main"]
    done = subprocess.run(
        [*command, "--source", "source", "--out", "patches", "--contact-sheet", "sheet.png"],
        cwd=folder,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest)),
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.slow
def test_a_disk_that_refuses_bytes_on_the_way_leaves_nothing_and_the_next_run_goes_on(
    source: Path, tmp_path: Path
) -> None:
    whole = run_tile(tmp_path)
    assert (whole[0], whole[2]) == (0, "")
    before = {file: file.read_bytes() for file in (tmp_path / "patches").rglob("*.*")}
    # The 4 patches of the first orthophoto have room, the 8 of the second have not.
    code, out, error = run_tile(tmp_path, largest=6 * PATCH)
    assert (code, out, error) == (1, "", "error: [Errno 27] File too large: 'patches'\n")
    assert {path.name for path in tmp_path.iterdir()} == {
        "params.yaml",
        "patches",
        "sheet.png",
        "source",
    }
    assert before == {file: file.read_bytes() for file in (tmp_path / "patches").rglob("*.*")}
    assert run_tile(tmp_path) == whole


@pytest.mark.slow
def test_a_list_with_a_cell_that_is_not_there_is_one_line_and_leaves_nothing(
    source: Path, tmp_path: Path
) -> None:
    (source / "val.txt").write_text("a_1\nb_7\nc_0\n")  # b has the cells 0 to 7
    code, out, error = run_tile(tmp_path)
    assert (code, out) == (1, "")
    assert error == (
        "error: source/val.txt: no full cell is named 'c_0', and no orthophoto; lists name both, "
        "cells of source_size px (those of LandCover.ai: 512)\n"
    )
    assert {path.name for path in tmp_path.iterdir()} == {"params.yaml", "source"}
    (source / "val.txt").write_text("a_1\nb_7\n")
    assert run_tile(tmp_path)[0] == 0
