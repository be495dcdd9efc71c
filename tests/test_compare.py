import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from partialseg.error_figures import PanelRow

from code_of_stage import SRC
from compare import compare, headline, main, run_files, write_headline_curves
from partialseg.command import run
from partialseg.curves import CURVES, CurveWriter
from partialseg.figures import RunCurves, RunScore
from partialseg.panel import choose_panel
from partialseg.patches import PatchStore
from partialseg.results import RunResults, read_results, write_results
from partialseg.visibility import visible_pixels
from small_run import isolate, record, write_params

ARCHITECTURES = ("unet", "unetplusplus")
FRACTIONS = ("0.05", "0.1", "0.15")
FIGURES = ("confusion.png", "curves.png", "miou.png", "panel.png")
TABLES = ("table.csv", "table.json", "table.md")


def number_of(architecture: str, fraction: str) -> int:
    """Return a number of a run, from which all its made-up results follow."""
    return 10 * FRACTIONS.index(fraction) + ARCHITECTURES.index(architecture)


def detail_of(architecture: str, fraction: str) -> dict[str, Any]:
    number = number_of(architecture, fraction)
    split = {"accuracy": 0.5 + number / 100, "majority_class": "field", "majority_miou": 0.125}
    return {
        "architecture": architecture,
        "label_fraction": float(fraction),
        "seed": 42,
        "parameters": 1_000_000 + number,
        "train_seconds": 60.0 + number,
        "final_val_miou": 0.25 + number / 100,
        "final_val_accuracy": 0.5,
        "final_val_batch_miou": 0.25,
        "best_val_batch_miou": 0.25,
        "val": split | {"miou": 0.375 + number / 100, "confusion": [[1, 1], [1, 1]]},
        "test": split
        | {"miou": 0.3125 + number / 100, "confusion": [[number, 1, 2], [3, 4, 5], [6, 7, 8]]},
    }


def write_run(folder: Path, architecture: str, fraction: str) -> None:
    name, number = f"{architecture}-{fraction}", number_of(architecture, fraction)
    panel = np.full((2, 32, 32), number % 3, np.uint8)
    results = RunResults(detail=detail_of(architecture, fraction), panel=panel)
    write_results(run_files(folder / "runs", folder / "metrics", name), results)
    with CurveWriter(folder / "runs" / name / "curves") as curves:
        for epoch in (1, 2):
            curves.append(record(epoch, val_miou=number / 100 + epoch / 1000))


@pytest.fixture
def folder(
    make_patches: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Return a folder with a patch store, and runs of two architectures at three fractions."""
    isolate(monkeypatch, tmp_path)
    make_patches()
    for architecture in ARCHITECTURES:
        for fraction in FRACTIONS:
            write_run(tmp_path, architecture, fraction)
    return tmp_path


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[Any, ...]]:
    """Return what is given to the drawing functions, which draw nothing."""
    given: dict[str, tuple[Any, ...]] = {}
    for name in ("draw_curves", "draw_miou", "draw_confusions", "draw_panel"):
        monkeypatch.setattr(
            f"compare.{name}", lambda *arguments, name=name: given.update({name: arguments})
        )
    return given


def compare_in(
    folder: Path, fractions: Sequence[str] = ("0.1", "0.15"), dataset: str = "sample"
) -> list[RunResults]:
    return compare(
        dataset,
        ARCHITECTURES,
        fractions,
        folder / "patches",
        folder / "runs",
        folder / "metrics",
        folder / "out",
    )


def names_of(results: Sequence[RunResults]) -> list[tuple[str, float]]:
    return [(result.architecture, result.fraction) for result in results]


def table_in(folder: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads((folder / "out" / "table.json").read_text())
    return rows


def test_runs_come_by_fraction_and_architecture_and_equal_fractions_once(
    folder: Path, drawn: dict[str, Any]
) -> None:
    results = compare_in(folder, ["0.15", "0.1", "0.15"])
    expected = [("unet", 0.1), ("unetplusplus", 0.1), ("unet", 0.15), ("unetplusplus", 0.15)]
    assert names_of(results) == expected
    rows = table_in(folder)
    assert [(row["architecture"], row["label_fraction"]) for row in rows] == expected
    assert [row["test_miou"] for row in rows] == [0.3125 + n / 100 for n in (10, 11, 20, 21)]


def test_fractions_are_ordered_by_value_not_by_spelling(
    folder: Path, drawn: dict[str, Any]
) -> None:
    shutil.copytree(folder / "runs" / "unet-0.15", folder / "runs" / "unet-1e-3")
    shutil.copytree(folder / "runs" / "unetplusplus-0.15", folder / "runs" / "unetplusplus-1e-3")
    for architecture in ARCHITECTURES:
        detail = detail_of(architecture, "0.15") | {"label_fraction": 0.001}
        file = folder / "metrics" / "detail" / f"{architecture}-1e-3.json"
        file.write_text(json.dumps(detail))
    results = compare_in(folder, ["0.1", "1e-3"])
    assert [result.fraction for result in results] == [0.001, 0.001, 0.1, 0.1]


def test_a_leftover_run_is_not_read(folder: Path, drawn: dict[str, Any]) -> None:
    (folder / "metrics" / "unet-0.05.json").write_text("damaged")
    (folder / "metrics" / "detail" / "unet-0.05.json").write_text("damaged")
    (folder / "runs" / "unet-0.05" / "panel.npy").write_text("damaged")
    shutil.rmtree(folder / "runs" / "unet-0.05" / "curves")
    shutil.rmtree(folder / "runs" / "unetplusplus-0.05")
    results = compare_in(folder)
    assert 0.05 not in [fraction for _, fraction in names_of(results)]
    assert "5 %" not in (folder / "out" / "table.md").read_text().replace("15 %", "")
    assert not any("5 %" in name.replace("15 %", "") for name in drawn["draw_confusions"][0])


def test_the_trivial_answer_stands_in_table_and_figure(folder: Path, drawn: dict[str, Any]) -> None:
    compare_in(folder)
    last = (folder / "out" / "table.md").read_text().splitlines()[-1]
    assert [cell.strip() for cell in last.split("|") if cell.strip()] == ["all field", "0.1250"]
    assert drawn["draw_miou"][1:3] == (0.125, "field")


def test_the_figures_of_the_report_stand_beside_landcover_ai_alone(
    folder: Path, drawn: dict[str, Any]
) -> None:
    compare_in(folder, dataset="landcover_ai")
    assert table_in(folder)[0]["report_best_batch_miou"] == 0.4887
    assert "0.2500 / 0.4887" in (folder / "out" / "table.md").read_text()
    compare_in(folder, dataset="sample")
    assert "report_best_batch_miou" not in table_in(folder)[0]


def test_the_figures_show_the_listed_runs(folder: Path, drawn: dict[str, Any]) -> None:
    compare_in(folder, ["0.1"])
    curves: list[RunCurves] = drawn["draw_curves"][0]
    assert [(item.architecture, item.fraction, item.epochs) for item in curves] == [
        ("unet", 0.1, [1, 2]),
        ("unetplusplus", 0.1, [1, 2]),
    ]
    assert curves[1].values.keys() == CURVES.keys()
    assert curves[1].values["val/miou"] == [0.111, 0.112]
    assert curves[1].values["train/loss"] == [1.0, 0.5]
    assert drawn["draw_miou"][0] == [
        RunScore(architecture="unet", fraction=0.1, val_miou=0.475, test_miou=0.4125),
        RunScore(architecture="unetplusplus", fraction=0.1, val_miou=0.485, test_miou=0.4225),
    ]
    matrices, names, _ = drawn["draw_confusions"]
    assert names == ("field", "house", "lake")
    assert [*matrices] == ["UNet 10 %", "UNet++ 10 %"]
    assert matrices["UNet++ 10 %"].tolist() == [[11, 1, 2], [3, 4, 5], [6, 7, 8]]


def test_the_panel_shows_the_labels_of_the_smallest_fraction(
    folder: Path, drawn: dict[str, Any]
) -> None:
    compare_in(folder, ["0.15", "0.1"])
    rows: list[PanelRow]
    rows, names, palette, file = drawn["draw_panel"]
    store = PatchStore(folder / "patches")
    chosen = choose_panel(store.of_split("test"), 2)
    assert [row.name for row in rows] == [patch.name for patch in chosen]
    for row, patch in zip(rows, chosen, strict=True):
        np.testing.assert_array_equal(row.image, store.image(patch))
        np.testing.assert_array_equal(row.truth, store.truth(patch))
        expected = visible_pixels(42, patch.name, 32, 32, 0.1)
        np.testing.assert_array_equal(row.visible, expected)
        predicted = {name: int(ids[0, 0]) for name, ids in row.predictions.items()}
        assert predicted == {
            "UNet 10 %": 10 % 3,
            "UNet++ 10 %": 11 % 3,
            "UNet 15 %": 20 % 3,
            "UNet++ 15 %": 21 % 3,
        }
    assert names == ("field", "house", "lake")
    assert palette == ((200, 180, 90), (200, 40, 30), (40, 90, 200))
    assert file.name == "panel.png"
    assert (folder / "out" / "table.md").is_file()


def test_the_headline_is_keyed_by_architecture_at_every_fraction(
    folder: Path, drawn: dict[str, Any]
) -> None:
    results = compare_in(folder, FRACTIONS)
    at_5, at_15 = headline(results, 0.05), headline(results, 0.15)
    assert at_15 == {
        architecture: {
            "val_miou": 0.375 + number / 100,
            "val_accuracy": 0.5 + number / 100,
            "test_miou": 0.3125 + number / 100,
            "test_accuracy": 0.5 + number / 100,
            "train_seconds": 60.0 + number,
        }
        for architecture, number in (("unet", 20), ("unetplusplus", 21))
    }
    assert at_5["unet"]["test_miou"] == 0.3125
    assert {name: [*scores] for name, scores in at_5.items()} == {
        name: [*scores] for name, scores in at_15.items()
    }


def test_the_headline_curves_have_a_column_an_architecture(folder: Path) -> None:
    write_headline_curves(folder / "runs", ARCHITECTURES, "0.15", folder / "curves")
    assert sorted(path.name for path in (folder / "curves").iterdir()) == [
        "train_loss.csv",
        "val_accuracy.csv",
        "val_loss.csv",
        "val_miou.csv",
    ]
    assert (folder / "curves" / "val_miou.csv").read_text() == (
        "epoch,unet,unetplusplus\n1,0.201,0.211\n2,0.202,0.212\n"
    )
    assert (folder / "curves" / "train_loss.csv").read_text() == (
        "epoch,unet,unetplusplus\n1,1.0,1.0\n2,0.5,0.5\n"
    )


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        (
            "metrics/detail/unetplusplus-0.15.json",
            r"detail/unetplusplus-0\.15\.json: missing or damaged results of a run",
        ),
        (
            "runs/unet-0.1/panel.npy",
            r"unet-0\.1/panel\.npy: missing or damaged results of a run",
        ),
        (
            "runs/unet-0.15/curves/plots/metrics/val/loss.tsv",
            r"unet-0\.15/curves/plots/metrics/val/loss\.tsv: missing or damaged curve",
        ),
        ("patches/manifest.csv", "patches: no usable patch store"),
    ],
)
def test_a_missing_file_is_named_and_nothing_is_written(
    folder: Path, missing: str, message: str
) -> None:
    (folder / missing).unlink()
    with pytest.raises(ValueError, match=message):
        compare_in(folder)
    assert not (folder / "out").exists()


def arguments(*fractions: str, headline: str) -> list[str]:
    return [
        *("--dataset", "sample", "--fractions", *fractions, "--headline", headline),
        *("--patches", "patches", "--runs", "runs", "--metrics", "metrics", "--out", "out"),
        *("--headline-curves", "plots/curves", "--summary", "summary.json"),
    ]


def test_the_command_writes_table_figures_curves_and_headline(folder: Path) -> None:
    write_params(folder / "params.yaml")
    script = [sys.executable, SRC / "compare.py", *arguments("0.05", "0.1", headline="0.05")]
    done = subprocess.run(script, cwd=folder, capture_output=True, text=True, check=True)
    assert done.stdout == (folder / "out" / "table.md").read_text()
    written = sorted(path.name for path in (folder / "out").iterdir())
    assert written == sorted([*FIGURES, *TABLES])
    for name in FIGURES:
        assert (folder / "out" / name).read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    summary = json.loads((folder / "summary.json").read_text())
    assert {name: scores["test_miou"] for name, scores in summary.items()} == {
        "unet": 0.3125,
        "unetplusplus": 0.3225,
    }
    of_runs = {
        name: read_results(run_files(folder / "runs", folder / "metrics", f"{name}-0.05")).scores()
        for name in ARCHITECTURES
    }
    assert summary == of_runs
    lines = (folder / "plots" / "curves" / "val_miou.csv").read_text().splitlines()
    assert lines == ["epoch,unet,unetplusplus", "1,0.001,0.011", "2,0.002,0.012"]


def test_the_command_ends_with_status_1_and_one_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_params(folder / "params.yaml")
    monkeypatch.setattr(sys, "argv", ["compare.py", *arguments("0.2", headline="0.2")])
    with pytest.raises(SystemExit) as stop:
        run(main)
    error = capsys.readouterr().err
    assert stop.value.code == 1
    assert error.startswith("error: metrics/detail/unet-0.2.json: missing or damaged results")
    assert error.count("\n") == 1
    assert not any((folder / name).exists() for name in ("out", "plots", "summary.json"))
