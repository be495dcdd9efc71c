import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from partialseg.results import RunFiles, RunResults, read_results, write_results
from partialseg.run import Run

RUN = Run(architecture="unetplusplus", fraction="0.15", recipe="tuned")
DETAIL: dict[str, Any] = {
    "architecture": "unetplusplus",
    "label_fraction": 0.15,
    "recipe": "tuned",
    "train_seconds": 12.5,
    "seed": 42,
    "val": {
        "miou": 1 / 3,
        "accuracy": 0.75,
        "iou": {"field": 0.5},
        "confusion": [[5, 1], [0, 2**40]],
    },
    "test": {"miou": 0.25, "accuracy": 0.5, "absent": [], "confusion": [[1, 2], [3, 4]]},
}
PANEL = np.arange(2 * 4 * 4, dtype=np.uint8).reshape(2, 4, 4)


def results() -> RunResults:
    return RunResults(run=RUN, detail=DETAIL, panel=PANEL)


@pytest.fixture
def files(tmp_path: Path) -> RunFiles:
    files = RunFiles(
        scores=tmp_path / "metrics" / "run.json",
        detail=tmp_path / "metrics" / "detail" / "run.json",
        panel=tmp_path / "runs" / "run" / "panel.npy",
    )
    write_results(files, results())
    return files


def test_results_return_as_they_were(files: RunFiles) -> None:
    read = read_results(files, RUN)
    assert read.detail == DETAIL
    assert read.panel.dtype == np.uint8
    np.testing.assert_array_equal(read.panel, PANEL)


def test_they_know_their_run(files: RunFiles) -> None:
    read = read_results(files, RUN)
    assert read.run == RUN


@pytest.mark.parametrize(
    "changes", [{"architecture": "unet"}, {"fraction": "0.1"}, {"recipe": "reproduction"}]
)
def test_results_of_another_run_are_refused(files: RunFiles, changes: dict[str, str]) -> None:
    other = replace(RUN, **changes)
    message = f"{files.detail}: missing or damaged results of a run: not of the run {other.folder}"
    with pytest.raises(ValueError, match=message):
        read_results(files, other)


def test_the_fraction_may_be_spelt_in_another_way(files: RunFiles) -> None:
    assert read_results(files, replace(RUN, fraction="0.150")).run.fraction == "0.150"


def test_they_hold_a_confusion_matrix_a_split(files: RunFiles) -> None:
    read = read_results(files, RUN)
    assert read.confusion("val").dtype == np.int64
    assert read.confusion("val").tolist() == [[5, 1], [0, 2**40]]
    assert read.confusion("test").tolist() == [[1, 2], [3, 4]]


def test_the_metrics_are_a_few_numbers_without_the_fraction(files: RunFiles) -> None:
    expected = {
        "val_miou": 1 / 3,
        "val_accuracy": 0.75,
        "test_miou": 0.25,
        "test_accuracy": 0.5,
        "train_seconds": 12.5,
    }
    assert results().scores() == expected
    assert json.loads(files.scores.read_text()) == expected


def test_files_are_text_of_one_value_a_line(files: RunFiles) -> None:
    assert files.scores.read_text() == (
        '{\n  "val_miou": 0.3333333333333333,\n  "val_accuracy": 0.75,\n'
        '  "test_miou": 0.25,\n  "test_accuracy": 0.5,\n  "train_seconds": 12.5\n}\n'
    )


def test_nothing_else_is_written(files: RunFiles) -> None:
    assert os.listdir(files.panel.parent) == ["panel.npy"]
    assert sorted(os.listdir(files.scores.parent)) == ["detail", "run.json"]
    assert os.listdir(files.detail.parent) == ["run.json"]


def test_scores_are_written_last(tmp_path: Path) -> None:
    (tmp_path / "detail").write_text("a file where a folder is needed")
    files = RunFiles(
        scores=tmp_path / "run.json",
        detail=tmp_path / "detail" / "run.json",
        panel=tmp_path / "panel.npy",
    )
    with pytest.raises(OSError, match="detail"):
        write_results(files, results())
    assert not files.scores.exists()


@pytest.mark.parametrize("kind", ["detail", "panel"])
def test_a_missing_file_is_named(files: RunFiles, kind: str) -> None:
    file: Path = getattr(files, kind)
    file.unlink()
    message = f"{file}: missing or damaged results of a run: .*No such file"
    with pytest.raises(ValueError, match=message):
        read_results(files, RUN)


@pytest.mark.parametrize("kind", ["detail", "panel"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.95])
def test_a_truncated_file_is_named(files: RunFiles, kind: str, share: float) -> None:
    file: Path = getattr(files, kind)
    content = file.read_bytes()
    file.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match=f"{file}: missing or damaged results of a run"):
        read_results(files, RUN)


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("detail", "<<<<<<< HEAD\n{}\n=======\n{}\n>>>>>>> other\n"),
        ("detail", "[]"),
        ("panel", "no array"),
    ],
)
def test_a_file_of_something_else_is_named(files: RunFiles, kind: str, content: str) -> None:
    file: Path = getattr(files, kind)
    file.write_text(content)
    with pytest.raises(ValueError, match=f"{file}: missing or damaged results of a run"):
        read_results(files, RUN)


def test_a_panel_of_pickled_objects_is_not_loaded(files: RunFiles) -> None:
    np.save(files.panel, np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match=f"{files.panel}: missing or damaged results of a run"):
        read_results(files, RUN)
