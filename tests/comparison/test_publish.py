import sys
from pathlib import Path

import pytest

from partialseg.comparison.publish import publish
from partialseg.evaluation.runs import Run, listed_runs
from publish import main
from run_results import (
    ARCHITECTURES,
    LABELLINGS,
    RECIPES,
    SEEDS,
    SPLITS,
    detail_of,
    number_of,
    write_axes,
    write_run,
)
from small_run import fails_with, isolate

RUNS = listed_runs(["main"], ["0.1", "0.15"], LABELLINGS, ARCHITECTURES, RECIPES, SEEDS[:2])
BEST = max(RUNS, key=lambda run: detail_of(run)["val"]["miou"])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with runs whose checkpoints and cards hold their names."""
    isolate(monkeypatch, tmp_path)
    for run in listed_runs(SPLITS, ["0.1", "0.15"], LABELLINGS, ARCHITECTURES, RECIPES, SEEDS[:2]):
        write_run(tmp_path, run)
        for name in ("best.pt", "best.md"):
            (tmp_path / "runs" / run.path / name).write_text(f"{name} of {run.path}")
    return tmp_path


def publish_in(folder: Path, listed: list[Run]) -> Run:
    return publish(listed, folder / "runs", folder / "metrics", folder / "models")


def test_the_run_of_the_highest_validation_miou_is_handed_out(folder: Path) -> None:
    assert publish_in(folder, RUNS) == BEST
    assert {file.name: file.read_text() for file in (folder / "models").iterdir()} == {
        name: f"{name} of {BEST.path}" for name in ("best.pt", "best.md")
    }


def test_only_listed_runs_count(folder: Path) -> None:
    others = [run for run in RUNS if run != BEST]
    second = max(others, key=number_of)
    assert publish_in(folder, others) == second


def test_another_split_is_not_comparable(folder: Path) -> None:
    others = listed_runs(SPLITS[1:], ["0.15"], LABELLINGS, ARCHITECTURES, RECIPES, SEEDS[:2])
    assert max(map(number_of, others)) > number_of(BEST)
    assert publish_in(folder, [*RUNS, *others]) == BEST


@pytest.mark.slow
@pytest.mark.parametrize("name", ["best.pt", "best.md"])
def test_a_missing_file_is_named_and_nothing_handed_out(folder: Path, name: str) -> None:
    publish_in(folder, [RUNS[0]])
    before = {file.name: file.read_text() for file in (folder / "models").iterdir()}
    (folder / "runs" / BEST.path / name).unlink()
    with pytest.raises(OSError, match=rf"{BEST.path}/{name}"):
        publish_in(folder, RUNS)
    assert {file.name: file.read_text() for file in (folder / "models").iterdir()} == before


def arguments() -> list[str]:
    return [
        "--fractions",
        "0.1",
        "0.15",
        "--runs",
        "runs",
        "--metrics",
        "metrics",
        "--out",
        "models",
    ]


def test_the_command_names_the_run(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_axes(folder, seeds=SEEDS[:2])
    monkeypatch.setattr(sys, "argv", ["publish.py", *arguments()])
    main()
    said = capsys.readouterr().out
    assert said == f"models: {BEST.path}, the run of the highest validation mIoU\n"


def test_the_command_ends_with_one_line_where_a_run_is_missing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_axes(folder, seeds=SEEDS[:2])
    (folder / "metrics" / "detail" / f"{BEST.path}.json").unlink()
    error = fails_with(monkeypatch, capsys, main, arguments())
    assert f"{BEST.path}.json: missing or damaged results of a run" in error
    assert error.count("\n") == 1
    assert not (folder / "models").exists()
