import csv
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from code_of_stage import SRC
from compare import main
from partialseg.comparison.cells import CellCurves
from partialseg.comparison.compared import (
    read_compared_runs,
    summary,
    write_curve,
    write_headline_curves,
)
from partialseg.engine.curves import CURVES
from partialseg.evaluation.results import RunResults, read_results
from partialseg.evaluation.runs import listed_runs, run_files
from partialseg.evaluation.shown import choose_panel
from partialseg.figures.compare import compare
from partialseg.figures.miou import CellScore
from partialseg.figures.panel import PanelRow
from partialseg.tiling.patches import PatchStore
from partialseg.visibility import visible_pixels
from run_results import (
    ARCHITECTURES,
    FRACTIONS,
    LABELLINGS,
    RECIPES,
    SEEDS,
    SPLITS,
    a_cell,
    write_axes,
    write_runs,
)
from small_labels import label_params
from small_run import fails_with, isolate

FIGURES = (
    *("budget.png", "confusion.png", "curves.png"),
    *("differences.png", "miou.png", "panel.png"),
)
TABLES = tuple(
    f"{name}.{kind}" for name in ("table", "differences") for kind in ("csv", "json", "md")
)


@pytest.fixture(scope="module")
def made_once(
    stores: Callable[[int, int, int], Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Return a folder with a patch store, and runs of one split and seed at three fractions."""
    folder = tmp_path_factory.mktemp("made_once")
    shutil.copytree(stores(32, 1, 3), folder / "patches")
    with pytest.MonkeyPatch.context() as monkeypatch:
        isolate(monkeypatch, folder)
        runs = listed_runs(["main"], FRACTIONS, LABELLINGS, ARCHITECTURES, RECIPES, [42])
        write_runs(folder, runs)
    return folder


@pytest.fixture
def folder(made_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a copy of it, which a test may change."""
    shutil.copytree(made_once, tmp_path, dirs_exist_ok=True)
    isolate(monkeypatch, tmp_path)
    return tmp_path


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[Any, ...]]:
    """Return what is given to the drawing functions, which draw nothing."""
    given: dict[str, tuple[Any, ...]] = {}
    for name in ("curves", "miou", "budget", "confusions", "panel", "differences"):
        monkeypatch.setattr(
            f"partialseg.figures.compare.draw_{name}",
            lambda *arguments, name=f"draw_{name}": given.update({name: arguments}),
        )
    return given


def compare_in(
    folder: Path,
    fractions: Sequence[str] = ("0.1", "0.15"),
    headline: str = "0.1",
    dataset: str = "sample",
    **axes: Any,
) -> tuple[list[RunResults], list[CellCurves]]:
    given = {"splits": ["main"], "recipes": RECIPES, "seeds": [42]} | axes
    listed = listed_runs(
        fractions=fractions, labellings=LABELLINGS, architectures=ARCHITECTURES, **given
    )
    compared = read_compared_runs(dataset, listed, headline, folder / "runs", folder / "metrics")
    compare(compared, PatchStore(folder / "patches"), label_params(), folder / "out")
    return [*compared.results], [*compared.curves]


def table_in(folder: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads((folder / "out" / "table.json").read_text())
    return rows


def test_results_curves_and_table_come_in_the_order_listed(
    folder: Path, drawn: dict[str, Any]
) -> None:
    results, curves = compare_in(folder, ["0.15", "0.1"])
    listed = listed_runs(["main"], ["0.1", "0.15"], LABELLINGS, ARCHITECTURES, RECIPES, [42])
    assert [item.run for item in results] == listed
    assert [item.cell for item in curves] == [run.cell for run in listed]
    rows = table_in(folder)
    assert [(row["architecture"], row["label_fraction"], row["recipe"]) for row in rows] == [
        ("unet", 0.1, "reproduction"),
        ("unet", 0.1, "tuned"),
        ("unetplusplus", 0.1, "reproduction"),
        ("unetplusplus", 0.1, "tuned"),
        ("unet", 0.15, "reproduction"),
        ("unet", 0.15, "tuned"),
        ("unetplusplus", 0.15, "reproduction"),
        ("unetplusplus", 0.15, "tuned"),
    ]
    numbers = (10, 11, 12, 13, 20, 21, 22, 23)
    assert [row["test_miou"] for row in rows] == [0.3125 + n / 100 for n in numbers]


def test_a_leftover_run_is_not_read(folder: Path, drawn: dict[str, Any]) -> None:
    for name in ("main/random/unet-0.05-tuned-42", "main/random/unet-0.1-tuned-42"):
        (folder / "metrics" / f"{name}.json").write_text("damaged")
        (folder / "metrics" / "detail" / f"{name}.json").write_text("damaged")
        (folder / "runs" / name / "predictions.npz").write_text("damaged")
        shutil.rmtree(folder / "runs" / name / "curves")
    shutil.rmtree(folder / "runs" / "main" / "random" / "unetplusplus-0.05-reproduction-42")
    compare_in(folder, recipes=["reproduction"])
    assert {(row["label_fraction"], row["recipe"]) for row in table_in(folder)} == {
        (0.1, "reproduction"),
        (0.15, "reproduction"),
    }
    assert [*drawn["draw_confusions"][0]] == ["UNet 10 %", "UNet++ 10 %"]


def test_the_trivial_answer_stands_in_table_and_figure(folder: Path, drawn: dict[str, Any]) -> None:
    compare_in(folder)
    last = (folder / "out" / "table.md").read_text().splitlines()[-1]
    assert [cell.strip() for cell in last.split("|") if cell.strip()] == ["all field", "0.1250"]
    assert drawn["draw_miou"][1:3] == (0.125, "field")


def test_the_figures_of_the_report_stand_beside_landcover_ai_alone(
    folder: Path, drawn: dict[str, Any]
) -> None:
    compare_in(folder, dataset="landcover_ai")
    assert [row["report_best_batch_miou"] for row in table_in(folder)][:2] == [0.4887, None]
    assert "0.2500 / 0.4887" in (folder / "out" / "table.md").read_text()
    compare_in(folder, dataset="sample")
    assert "report_best_batch_miou" not in table_in(folder)[0]


def test_curves_and_scores_show_the_listed_runs(folder: Path, drawn: dict[str, Any]) -> None:
    _, returned = compare_in(folder, ["0.1"])
    cells = [
        run.cell for run in listed_runs(["main"], ["0.1"], LABELLINGS, ARCHITECTURES, RECIPES, [42])
    ]
    curves: list[CellCurves] = drawn["draw_curves"][0]
    assert curves == returned
    assert [(item.cell, item.epochs) for item in curves] == [(cell, [1, 2]) for cell in cells]
    assert curves[3].values.keys() == CURVES.keys()
    assert curves[3].values["val/miou"] == [0.131, 0.132]
    assert curves[3].values["train/loss"] == [1.0, 0.5]
    assert drawn["draw_miou"][0] == [
        CellScore(cell=cell, val_miou=0.375 + number / 100, test_miou=0.3125 + number / 100)
        for cell, number in zip(cells, (10, 11, 12, 13), strict=True)
    ]


@pytest.mark.parametrize(
    ("headline", "percent", "first"), [("0.1", "10 %", 10), ("0.15", "15 %", 20)]
)
def test_the_confusions_are_those_of_the_headline(
    folder: Path, drawn: dict[str, Any], headline: str, percent: str, first: int
) -> None:
    compare_in(folder, headline=headline)
    matrices, names, _ = drawn["draw_confusions"]
    assert names == ("field", "house", "lake")
    assert {name: counts.tolist() for name, counts in matrices.items()} == {
        name: [[first + place, 1, 2], [3, 4, 5], [6, 7, 8]]
        for place, name in enumerate(
            [
                f"UNet {percent}, reproduction",
                f"UNet {percent}, tuned",
                f"UNet++ {percent}, reproduction",
                f"UNet++ {percent}, tuned",
            ]
        )
    }


def test_the_panel_shows_labels_and_predictions_of_the_headline(
    folder: Path, drawn: dict[str, Any]
) -> None:
    compare_in(folder, headline="0.15")
    rows: list[PanelRow]
    rows, names, palette, file = drawn["draw_panel"]
    store = PatchStore(folder / "patches")
    chosen = choose_panel(store.of_split("test"), 2)
    assert [row.name for row in rows] == [patch.name for patch in chosen]
    for row, patch in zip(rows, chosen, strict=True):
        np.testing.assert_array_equal(row.image, store.image(patch))
        np.testing.assert_array_equal(row.truth, store.truth(patch))
        expected = visible_pixels(42, patch.name, 32, 32, 0.15)
        np.testing.assert_array_equal(row.visible, expected)
        predicted = {name: int(ids[0, 0]) for name, ids in row.predictions.items()}
        assert predicted == {
            "UNet 15 %, reproduction": 20 % 3,
            "UNet 15 %, tuned": 21 % 3,
            "UNet++ 15 %, reproduction": 22 % 3,
            "UNet++ 15 %, tuned": 23 % 3,
        }
    assert names == ("field", "house", "lake")
    assert palette == ((200, 180, 90), (200, 40, 30), (40, 90, 200))
    assert file.name == "panel.png"
    assert (folder / "out" / "table.md").is_file()


def test_a_headline_without_runs_is_refused(folder: Path) -> None:
    message = r"no run to compare is at the headline fraction 0\.05"
    with pytest.raises(ValueError, match=message):
        compare_in(folder, ["0.1", "0.15"], headline="0.05")
    assert not (folder / "out").exists()


def test_the_summary_is_keyed_by_architecture_and_recipe_at_every_fraction(
    folder: Path, drawn: dict[str, Any]
) -> None:
    results, _ = compare_in(folder, FRACTIONS)
    at_5, at_15 = summary(results, "0.05"), summary(results, "0.15")
    assert at_15 == {
        architecture: {
            recipe: {
                "val_miou": 0.375 + number / 100,
                "val_accuracy": 0.5 + number / 100,
                "test_miou": 0.3125 + number / 100,
                "test_accuracy": 0.5 + number / 100,
                "train_seconds": 60.0 + number,
            }
            for recipe, number in zip(RECIPES, numbers, strict=True)
        }
        for architecture, numbers in (("unet", (20, 21)), ("unetplusplus", (22, 23)))
    }
    assert at_5["unet"]["reproduction"]["test_miou"] == 0.3125
    assert keys_of(at_5) == keys_of(at_15)


def keys_of(content: Any) -> Any:
    if not isinstance(content, dict):
        return None
    return {key: keys_of(value) for key, value in content.items()}


def test_the_headline_curves_have_a_folder_a_recipe_and_a_column_an_architecture(
    folder: Path, drawn: dict[str, Any]
) -> None:
    _, curves = compare_in(folder)
    shutil.rmtree(folder / "runs")  # they are not read again
    write_headline_curves(curves, "0.15", folder / "curves")
    written = [path for path in (folder / "curves").rglob("*") if path.is_file()]
    assert sorted(str(path.relative_to(folder / "curves")) for path in written) == [
        f"{recipe}/{curve}.csv"
        for recipe in RECIPES
        for curve in ("train_loss", "val_accuracy", "val_loss", "val_miou")
    ]
    assert (folder / "curves" / "reproduction" / "val_miou.csv").read_text() == (
        "epoch,unet,unetplusplus\n1,0.201,0.221\n2,0.202,0.222\n"
    )
    assert (folder / "curves" / "tuned" / "val_miou.csv").read_text() == (
        "epoch,unet,unetplusplus\n1,0.211,0.231\n2,0.212,0.232\n"
    )
    assert (folder / "curves" / "tuned" / "train_loss.csv").read_text() == (
        "epoch,unet,unetplusplus\n1,1.0,1.0\n2,0.5,0.5\n"
    )


def test_a_shorter_curve_ends_with_nan(tmp_path: Path) -> None:
    """DVC draws an empty cell as 0, and leaves out one of nan."""
    curves = [
        CellCurves(
            cell=a_cell(architecture, "0.1", "tuned"),
            epochs=[*range(1, 1 + len(values))],
            values={"val/miou": values},
            deviations={"val/miou": [0.0] * len(values)},
        )
        for architecture, values in (("unet", [0.5, 0.25]), ("unetplusplus", [0.1, 0.2, 0.3]))
    ]
    write_curve(curves, "val/miou", tmp_path / "curve.csv")
    assert (tmp_path / "curve.csv").read_text() == (
        "epoch,unet,unetplusplus\n1,0.5,0.1\n2,0.25,0.2\n3,nan,0.3\n"
    )


@pytest.fixture
def folder_of_seeds(folder: Path) -> Path:
    """Return a folder with runs of two splits and three seeds at the fraction 0.1."""
    write_runs(folder, listed_runs(SPLITS, ["0.1"], LABELLINGS, ARCHITECTURES, RECIPES, SEEDS))
    return folder


# The numbers of a cell's three runs at 0.1 are 4 apart; these are the middle ones under main.
MIDDLE = {
    ("unet", "reproduction"): 14,
    ("unet", "tuned"): 15,
    ("unetplusplus", "reproduction"): 16,
    ("unetplusplus", "tuned"): 17,
}


def test_the_table_has_a_row_a_cell_with_means_over_its_seeds(
    folder_of_seeds: Path, drawn: dict[str, Any]
) -> None:
    results, _ = compare_in(folder_of_seeds, ["0.1"], splits=SPLITS, seeds=SEEDS)
    assert len(results) == 2 * 4 * 3
    rows = table_in(folder_of_seeds)
    assert [(row["split"], row["architecture"], row["recipe"]) for row in rows] == [
        (split, *key) for split in SPLITS for key in MIDDLE
    ]
    middles = [*MIDDLE.values(), *(30 + middle for middle in MIDDLE.values())]
    assert [row["test_miou"] for row in rows] == pytest.approx(
        [0.3125 + middle / 100 for middle in middles]
    )
    assert [row["test_miou_std"] for row in rows] == pytest.approx([0.04] * 8)
    assert all(row["seeds"] == [42, 7, 1] for row in rows)
    text = (folder_of_seeds / "out" / "table.md").read_text()
    assert "| Split " in text and "0.4525 ± 0.0400" in text
    assert "deviation over the seeds 42, 7, 1." in text


def test_scores_of_all_splits_and_mean_curves_of_the_first_are_drawn(
    folder_of_seeds: Path, drawn: dict[str, Any]
) -> None:
    _, returned = compare_in(folder_of_seeds, ["0.1"], splits=SPLITS, seeds=SEEDS)
    scores: list[CellScore]
    scores, majority_miou, majority_class, _ = drawn["draw_miou"]
    assert (majority_miou, majority_class) == (0.125, "field")  # of the first split
    assert [score.cell for score in scores] == [
        a_cell(architecture, "0.1", recipe, split)
        for split in SPLITS
        for architecture, recipe in MIDDLE
    ]
    middles = [middle + more for more in (0, 30) for middle in MIDDLE.values()]
    for score, middle in zip(scores, middles, strict=True):
        assert score.val_miou == pytest.approx(0.375 + middle / 100)
        assert score.test_miou == pytest.approx(0.3125 + middle / 100)
        assert score.test_deviation == pytest.approx(0.04)
    curves: list[CellCurves] = drawn["draw_curves"][0]
    assert [item.cell.split for item in returned] == ["main"] * 4 + ["official"] * 4
    assert curves == returned[:4]
    for item, middle in zip(curves, MIDDLE.values(), strict=True):
        expected = [middle / 100 + 0.001, middle / 100 + 0.002]
        assert item.values["val/miou"] == pytest.approx(expected)
        assert item.deviations["val/miou"] == pytest.approx([0.04, 0.04])
        assert item.deviations["train/loss"] == [0.0, 0.0]  # all seeds have the same one


@pytest.mark.slow
@pytest.mark.parametrize(("splits", "more"), [(SPLITS, 0), (SPLITS[::-1], 30)])
def test_the_confusions_are_sums_over_the_seeds_under_the_first_split(
    folder_of_seeds: Path, drawn: dict[str, Any], splits: Sequence[str], more: int
) -> None:
    compare_in(folder_of_seeds, ["0.1"], splits=splits, seeds=SEEDS)
    matrices = drawn["draw_confusions"][0]
    assert {name: counts.tolist() for name, counts in matrices.items()} == {
        f"{name} 10 %, {recipe}": [[3 * (middle + more), 3, 6], [9, 12, 15], [18, 21, 24]]
        for name, (_, recipe), middle in zip(
            ("UNet", "UNet", "UNet++", "UNet++"), MIDDLE, MIDDLE.values(), strict=True
        )
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("splits", "seeds", "classes"),
    [
        (SPLITS, SEEDS, [10 % 3, 11 % 3, 12 % 3, 13 % 3]),
        (SPLITS, (7, 42), [14 % 3, 15 % 3, 16 % 3, 17 % 3]),
        (SPLITS[::-1], (1, 7), [48 % 3, 49 % 3, 50 % 3, 51 % 3]),
    ],
)
def test_the_panel_shows_the_first_seed_under_the_first_split(
    folder_of_seeds: Path,
    drawn: dict[str, Any],
    splits: Sequence[str],
    seeds: Sequence[int],
    classes: Sequence[int],
) -> None:
    compare_in(folder_of_seeds, ["0.1"], splits=splits, seeds=seeds)
    rows: list[PanelRow] = drawn["draw_panel"][0]
    assert len(rows) == 2
    for row in rows:
        expected = visible_pixels(seeds[0], row.name, 32, 32, 0.1)
        np.testing.assert_array_equal(row.visible, expected)
        assert [np.unique(ids).tolist() for ids in row.predictions.values()] == [
            [name] for name in classes
        ]


@pytest.mark.parametrize(("splits", "more"), [(SPLITS, 0), (SPLITS[::-1], 30)])
def test_the_summary_has_means_and_the_deviation_of_the_test_miou_under_the_first_split(
    folder_of_seeds: Path, drawn: dict[str, Any], splits: Sequence[str], more: int
) -> None:
    results, _ = compare_in(folder_of_seeds, ["0.1"], splits=splits, seeds=SEEDS)
    written = summary(results, "0.1")
    assert {key: [*of_recipes] for key, of_recipes in written.items()} == {
        "unet": [*RECIPES],
        "unetplusplus": [*RECIPES],
    }
    for (architecture, recipe), middle in MIDDLE.items():
        number = middle + more
        assert written[architecture][recipe] == pytest.approx(
            {
                "val_miou": 0.375 + number / 100,
                "val_accuracy": 0.5 + number / 100,
                "test_miou": 0.3125 + number / 100,
                "test_accuracy": 0.5 + number / 100,
                "train_seconds": 60.0 + number,
                "test_miou_std": 0.04,
            }
        )


@pytest.mark.slow
@pytest.mark.parametrize(("splits", "more"), [(SPLITS, 0.0), (SPLITS[::-1], 0.3)])
def test_the_headline_curves_are_means_under_the_first_split(
    folder_of_seeds: Path, drawn: dict[str, Any], splits: Sequence[str], more: float
) -> None:
    _, curves = compare_in(folder_of_seeds, ["0.1"], splits=splits, seeds=SEEDS)
    write_headline_curves(curves, "0.1", folder_of_seeds / "curves")
    with (folder_of_seeds / "curves" / "tuned" / "val_miou.csv").open(newline="") as stream:
        head, *lines = csv.reader(stream)
    assert head == ["epoch", "unet", "unetplusplus"]
    assert [[float(value) for value in line] for line in lines] == [
        pytest.approx([1, 0.151 + more, 0.171 + more]),
        pytest.approx([2, 0.152 + more, 0.172 + more]),
    ]


def test_differences_are_told_along_every_axis_that_differs(
    folder_of_seeds: Path, drawn: dict[str, Any]
) -> None:
    compare_in(folder_of_seeds, ["0.1"], splits=SPLITS, seeds=SEEDS)
    found = json.loads((folder_of_seeds / "out" / "differences.json").read_text())
    assert {row["axis"] for row in found} == {"split", "architecture", "recipe"}
    assert {row["verdict"] for row in found} == {"no interval: one orthophoto"}
    differences, file = drawn["draw_differences"]
    assert len(differences) == len(found) > 0
    assert file.name == "differences.png"
    scores, majority_miou, majority_class, file = drawn["draw_budget"]
    assert {cell.split for cell in scores} == {"main"}  # one figure, one split
    of_unet = scores[a_cell("unet", "0.1", "tuned")]
    assert (of_unet.mean, of_unet.std) == pytest.approx((0.3125 + 0.15, 0.04))
    assert (majority_miou, majority_class, file.name) == (0.125, "field", "budget.png")


@pytest.mark.slow
def test_the_figures_of_several_seeds_and_splits_can_be_drawn(folder_of_seeds: Path) -> None:
    compare_in(folder_of_seeds, ["0.1"], splits=SPLITS, seeds=SEEDS)
    written = sorted(path.name for path in (folder_of_seeds / "out").iterdir())
    assert written == sorted([*FIGURES, *TABLES])


def test_a_missing_seed_of_a_listed_cell_is_named(folder_of_seeds: Path) -> None:
    name = "unet-0.1-tuned-7.json"
    (folder_of_seeds / "metrics" / "detail" / "official" / "random" / name).unlink()
    with pytest.raises(ValueError, match=rf"official/random/{name}: missing or damaged results"):
        compare_in(folder_of_seeds, ["0.1"], splits=SPLITS, seeds=SEEDS)
    assert not (folder_of_seeds / "out").exists()


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        (
            "metrics/detail/main/random/unetplusplus-0.15-tuned-42.json",
            r"main/random/unetplusplus-0\.15-tuned-42\.json: missing or damaged results of a run",
        ),
        (
            "runs/main/random/unet-0.1-reproduction-42/predictions.npz",
            r"unet-0\.1-reproduction-42/predictions\.npz: missing or damaged results of a run",
        ),
        (
            "runs/main/random/unet-0.15-tuned-42/curves/plots/metrics/val/loss.tsv",
            r"unet-0\.15-tuned-42/curves/plots/metrics/val/loss\.tsv: missing or damaged curve",
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


@pytest.mark.slow
def test_the_command_writes_table_figures_curves_and_headline(folder: Path) -> None:
    write_axes(folder)
    script = [sys.executable, SRC / "compare.py", *arguments("0.05", "0.1", headline="0.05")]
    done = subprocess.run(script, cwd=folder, capture_output=True, text=True, check=True)
    assert done.stdout == (folder / "out" / "table.md").read_text()
    written = sorted(path.name for path in (folder / "out").iterdir())
    assert written == sorted([*FIGURES, *TABLES])
    for name in FIGURES:
        assert (folder / "out" / name).read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    headline = listed_runs(["main"], ["0.05"], LABELLINGS, ARCHITECTURES, RECIPES, [42])
    files = [run_files(folder / "runs", folder / "metrics", run) for run in headline]
    read = [read_results(*pair) for pair in zip(files, headline, strict=True)]
    expected = {
        "unet": {"reproduction": read[0].scores(), "tuned": read[1].scores()},
        "unetplusplus": {"reproduction": read[2].scores(), "tuned": read[3].scores()},
    }
    assert json.loads((folder / "summary.json").read_text()) == expected
    assert expected["unet"]["tuned"]["test_miou"] == 0.3225
    lines = (folder / "plots" / "curves" / "tuned" / "val_miou.csv").read_text().splitlines()
    assert lines == ["epoch,unet,unetplusplus", "1,0.011,0.031", "2,0.012,0.032"]


@pytest.mark.slow
def test_the_axes_are_those_of_the_params_file(
    folder_of_seeds: Path, drawn: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_axes(
        folder_of_seeds,
        splits=["official"],
        architectures=["unetplusplus", "unet"],
        recipes=["tuned"],
        seeds=[1, 7],
    )
    monkeypatch.setattr(sys, "argv", ["compare.py", *arguments("0.1", headline="0.1")])
    main()
    cells = [(row["split"], row["architecture"]) for row in table_in(folder_of_seeds)]
    assert cells == [("official", "unetplusplus"), ("official", "unet")]
    rows = table_in(folder_of_seeds)
    assert [(row["recipe"], row["seeds"]) for row in rows] == [("tuned", [1, 7])] * 2
    curves = folder_of_seeds / "plots" / "curves"
    assert [path.name for path in curves.iterdir()] == ["tuned"]
    written = json.loads((folder_of_seeds / "summary.json").read_text())
    assert written["unet"]["tuned"]["test_miou"] == pytest.approx(0.3125 + (45 + 49) / 200)


def test_the_command_ends_with_status_1_and_one_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_axes(folder)
    error = fails_with(monkeypatch, capsys, main, arguments("0.2", headline="0.2"))
    name = "metrics/detail/main/random/unet-0.2-reproduction-42.json"
    assert error.startswith(f"error: {name}: missing or damaged results")
    assert error.count("\n") == 1
    assert not any((folder / name).exists() for name in ("out", "plots", "summary.json"))
