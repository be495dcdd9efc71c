import json
import os
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from partialseg.evaluation.results import RunResults, read_results, write_results
from partialseg.evaluation.runs import Cell, Run, RunFiles, run_files

CELL = Cell(
    split="main", architecture="unetplusplus", fraction="0.15", labelling="random", recipe="tuned"
)
RUN = Run(cell=CELL, seed=42)
DETAIL: dict[str, Any] = {
    "split": "main",
    "architecture": "unetplusplus",
    "label_fraction": 0.15,
    "labelling": "random",
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
PREDICTIONS = {
    "ortho_7": np.arange(16, dtype=np.uint8).reshape(4, 4),
    "M-33-20-D-c-4-2_117": np.full((4, 4), 255, np.uint8),
    "file": np.zeros((4, 4), np.uint8),  # as an argument of numpy's writer is called
}


def results() -> RunResults:
    return RunResults(run=RUN, detail=DETAIL, predictions=PREDICTIONS)


@pytest.fixture
def files(tmp_path: Path) -> RunFiles:
    files = RunFiles(
        scores=tmp_path / "metrics" / "run.json",
        detail=tmp_path / "metrics" / "detail" / "run.json",
        predictions=tmp_path / "runs" / "run" / "predictions.npz",
    )
    write_results(files, results())
    return files


def test_results_return_as_they_were(files: RunFiles) -> None:
    read = read_results(files, RUN)
    assert read.detail == DETAIL
    assert [*read.predictions] == [*PREDICTIONS]
    for name, prediction in PREDICTIONS.items():
        assert read.predictions[name].dtype == np.uint8
        np.testing.assert_array_equal(read.predictions[name], prediction)


def test_predictions_are_small_where_they_are_uniform(files: RunFiles) -> None:
    uniform = {"patch": np.zeros((384, 384), np.uint8)}
    write_results(files, replace(results(), predictions=uniform))
    assert files.predictions.stat().st_size < 2_000


def test_equal_predictions_give_equal_files_at_any_time(files: RunFiles) -> None:
    """DVC knows a file by its bytes."""
    with zipfile.ZipFile(files.predictions) as archive:
        assert {item.date_time for item in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_a_run_may_have_no_predictions(files: RunFiles) -> None:
    write_results(files, replace(results(), predictions={}))
    assert read_results(files, RUN).predictions == {}


def test_files_lie_as_dvc_yaml_lays_them_out() -> None:
    path = "main/random/unetplusplus-0.15-tuned-42"
    assert run_files(Path("runs/sample"), Path("metrics/sample"), RUN) == RunFiles(
        scores=Path(f"metrics/sample/{path}.json"),
        detail=Path(f"metrics/sample/detail/{path}.json"),
        predictions=Path(f"runs/sample/{path}/predictions.npz"),
    )


def test_they_know_their_run(files: RunFiles) -> None:
    read = read_results(files, RUN)
    assert read.run == RUN


@pytest.mark.parametrize(
    "other",
    [
        replace(RUN, cell=replace(CELL, split="official")),
        replace(RUN, cell=replace(CELL, fraction="0.1")),
        replace(RUN, cell=replace(CELL, architecture="unet")),
        replace(RUN, cell=replace(CELL, recipe="reproduction")),
        replace(RUN, seed=43),
    ],
    ids=lambda run: run.path.replace("/", "-"),
)
def test_results_of_another_run_are_refused(files: RunFiles, other: Run) -> None:
    message = f"{files.detail}: missing or damaged results of a run: not of the run {other.path}$"
    with pytest.raises(ValueError, match=message):
        read_results(files, other)


def test_the_fraction_may_be_spelt_in_another_way(files: RunFiles) -> None:
    run = replace(RUN, cell=replace(CELL, fraction="0.150"))
    assert read_results(files, run).run.cell.fraction == "0.150"


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
    assert os.listdir(files.predictions.parent) == ["predictions.npz"]
    assert sorted(os.listdir(files.scores.parent)) == ["detail", "run.json"]
    assert os.listdir(files.detail.parent) == ["run.json"]


def test_scores_are_written_last(tmp_path: Path) -> None:
    (tmp_path / "detail").write_text("a file where a folder is needed")
    files = RunFiles(
        scores=tmp_path / "run.json",
        detail=tmp_path / "detail" / "run.json",
        predictions=tmp_path / "predictions.npz",
    )
    with pytest.raises(OSError, match="detail"):
        write_results(files, results())
    assert not files.scores.exists()


@pytest.mark.parametrize("kind", ["detail", "predictions"])
def test_a_missing_file_is_named(files: RunFiles, kind: str) -> None:
    file: Path = getattr(files, kind)
    file.unlink()
    message = f"{file}: missing or damaged results of a run: .*No such file"
    with pytest.raises(ValueError, match=message):
        read_results(files, RUN)


@pytest.mark.parametrize("kind", ["detail", "predictions"])
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
        ("predictions", "no array"),
    ],
)
def test_a_file_of_something_else_is_named(files: RunFiles, kind: str, content: str) -> None:
    file: Path = getattr(files, kind)
    file.write_text(content)
    with pytest.raises(ValueError, match=f"{file}: missing or damaged results of a run"):
        read_results(files, RUN)


def test_predictions_of_pickled_objects_are_not_loaded(files: RunFiles) -> None:
    np.savez(files.predictions, allow_pickle=True, names=np.array([{}], dtype=object))
    message = f"{files.predictions}: missing or damaged results of a run: .*allow_pickle"
    with pytest.raises(ValueError, match=message):
        read_results(files, RUN)


def test_predictions_that_are_one_array_are_no_results(files: RunFiles) -> None:
    """Under an .npz name, numpy would read an .npy too."""
    with files.predictions.open("wb") as file:
        np.save(file, np.zeros((2, 4, 4), np.uint8))
    message = f"{files.predictions}: missing or damaged results of a run"
    with pytest.raises(ValueError, match=message):
        read_results(files, RUN)


@pytest.mark.parametrize("key", ["seed", "val"])  # without "test": there is no test split
def test_details_without_a_part_are_no_results(files: RunFiles, key: str) -> None:
    files.detail.write_text(json.dumps({name: DETAIL[name] for name in DETAIL if name != key}))
    with pytest.raises(ValueError, match=f"{files.detail}: missing or .*: no results of a run"):
        read_results(files, RUN)
