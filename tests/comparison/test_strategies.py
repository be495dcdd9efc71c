"""The table of strategies, of made-up results."""

import json
import shutil
import statistics
from pathlib import Path

import pytest
import yaml
from PIL import Image

from code_of_stage import SRC
from made_up_results import make_detail
from partialseg.evaluation.results import RunResults, write_results
from partialseg.evaluation.runs import Run, load_strategy_runs, run_files
from partialseg.figures import strategies as figures
from small_run import fails_with
from strategies import main

NAMES = ("random_regions", "entropy")
ROUNDS = [{"after": 0.01, "fraction": 0.02}, {"after": 0.02, "fraction": 0.05}]
SHARES = {"random_regions": 0.96, "entropy": 0.98}  # labelled, of the fraction


def detail_of(run: Run, place: int) -> dict[str, object]:
    share = SHARES[run.cell.labelling] * run.cell.label_fraction
    unknown = {"clicks": None, "annotation_seconds": None}
    return make_detail(run, place) | {"labelled_pixels": share} | unknown


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the current folder, with params.yaml and the results of all runs in it."""
    monkeypatch.chdir(tmp_path)
    params = yaml.safe_load((SRC.parent / "params.yaml").read_text(encoding="utf-8"))
    params |= {"strategies": list(NAMES), "rounds": ROUNDS, "seeds": [42, 1]}
    Path("params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    for place, run in enumerate(load_strategy_runs(Path("params.yaml"), "0.05")):
        results = RunResults(run=run, detail=detail_of(run, place), predictions={})
        write_results(run_files(Path("runs"), Path("metrics"), run), results)
    return tmp_path


def arguments(fraction: str) -> list[str]:
    values = {
        "dataset": "sample",
        "fraction": fraction,
        "runs": "runs",
        "metrics": "metrics",
        "out": "out",
    }
    return [part for key, value in values.items() for part in (f"--{key}", value)]


@pytest.mark.slow
@pytest.mark.parametrize(("fraction", "rounds"), [("0.02", 1), ("0.05", 2)])
def test_strategies_stand_side_by_side_at_each_budget(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    fraction: str,
    rounds: int,
) -> None:
    monkeypatch.setattr("sys.argv", ["strategies.py", *arguments(fraction)])
    main()
    rows = json.loads((folder / "out" / "table.json").read_text())
    axes = ("label_fraction", "labelling", "architecture", "recipe")
    assert [tuple(row[axis] for axis in axes) for row in rows] == [
        (budget, strategy, architecture, recipe)
        for budget in (0.02, 0.05)[:rounds]
        for strategy in NAMES
        for architecture in ("unet", "unetplusplus")
        for recipe in ("reproduction", "tuned")
    ]
    for row in rows:
        name = f"{row['architecture']}-{row['label_fraction']}-{row['recipe']}"
        files = [Path(f"metrics/main/{row['labelling']}/{name}-{seed}.json") for seed in (42, 1)]
        scores = [json.loads(file.read_text())["test_miou"] for file in files]
        assert row["test_miou"] == pytest.approx(statistics.fmean(scores))
        assert row["test_miou_std"] == pytest.approx(statistics.stdev(scores)) != 0
        assert row["labelled_pixels"] == SHARES[row["labelling"]] * row["label_fraction"]
    assert len((folder / "out" / "table.csv").read_text().splitlines()) == 1 + 8 * rounds
    table = (folder / "out" / "table.md").read_text()
    assert capsys.readouterr().out == table
    (line,) = [
        line
        for line in table.splitlines()
        if line.startswith("| 2 % ") and "entropy" in line and "UNet++" in line and "tuned" in line
    ]
    (score,) = [
        row
        for row in rows
        if (row["label_fraction"], row["labelling"]) == (0.02, "entropy")
        and (row["architecture"], row["recipe"]) == ("unetplusplus", "tuned")
    ]
    assert f"{score['test_miou']:.4f} ± {score['test_miou_std']:.4f}" in line
    assert "1.96 %" in line
    with Image.open(folder / "out" / "budget.png") as picture:
        assert picture.width > 1000


@pytest.mark.slow
def test_the_figure_shows_the_first_split_alone(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = yaml.safe_load(Path("params.yaml").read_text())
    Path("params.yaml").write_text(yaml.safe_dump(params | {"splits": ["main", "official"]}))
    for run in load_strategy_runs(Path("params.yaml"), "0.05"):
        results = RunResults(run=run, detail=detail_of(run, 1), predictions={})
        write_results(run_files(Path("runs"), Path("metrics"), run), results)
    drawn = []
    monkeypatch.setattr(figures, "draw_budget", lambda *given: drawn.append(given))
    monkeypatch.setattr("sys.argv", ["strategies.py", *arguments("0.05")])
    main()
    ((scores, _, majority_class, file),) = drawn
    assert {cell.split for cell in scores} == {"main"} and len(scores) == 16
    assert (majority_class, file) == ("background", Path("out/budget.png"))


def test_a_missing_run_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(folder / "metrics" / "detail" / "main" / "entropy")
    message = fails_with(monkeypatch, capsys, main, arguments("0.02"))
    assert "metrics/detail/main/entropy/unet-0.02-reproduction-42.json: missing or dam" in message
    assert not (folder / "out").exists()


@pytest.mark.slow
def test_a_round_without_a_fraction_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    params = yaml.safe_load(Path("params.yaml").read_text())
    Path("params.yaml").write_text(yaml.safe_dump(params | {"rounds": [{"after": 0.01}]}))
    message = fails_with(monkeypatch, capsys, main, arguments("0.02"))
    assert message == "error: params.yaml: rounds: each needs a fraction, got [{'after': 0.01}]\n"


def test_a_fraction_without_a_round_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    message = fails_with(monkeypatch, capsys, main, arguments("0.1"))
    assert message == "error: params.yaml: rounds: none ends at the label fraction 0.1\n"
