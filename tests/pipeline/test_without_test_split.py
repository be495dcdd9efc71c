"""A data set with `test: none`: its validation scores are shown, under their own name."""

import json
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray

import compare
import evaluate
import publish
import report
import tile
from checkpoints import checkpoint_of, trained_network
from code_of_stage import SRC
from drawings import make_cells
from partialseg.comparison.cells import seed_score
from partialseg.comparison.table import table_rows
from partialseg.core.classes import NO_TRUTH
from partialseg.evaluation.evaluate import splits_to_score
from partialseg.evaluation.model_card import model_card
from partialseg.evaluation.results import RunResults, read_results
from partialseg.evaluation.runs import Cell, Run, listed_runs, run_files
from partialseg.figures.budget import budget_figure
from partialseg.figures.miou import CellScore, miou_figure
from partialseg.source.index import write_index
from partialseg.tiling.patches import PatchStore
from rasters import LEGEND, draw_orthophoto, write_raster
from run_results import detail_of
from small_run import isolate, small_run

ARCHITECTURES = ("unet", "unetplusplus")
RUNS = listed_runs(["main"], ["0.5"], ["random"], ARCHITECTURES, ["reproduction"], [3])
STATED = "There is no test split"
SCORES = {"val_miou", "val_accuracy", "train_seconds"}


def run_stage(
    monkeypatch: pytest.MonkeyPatch, main: Callable[[], None], *arguments: str | Path
) -> None:
    monkeypatch.setattr(sys, "argv", ["stage", *map(str, arguments)])
    main()


def words_on_test(text: str) -> list[str]:
    """Return the lines with the word test but for those that say that there is none."""
    lines = [line for line in text.splitlines() if STATED not in line and "test: none" not in line]
    return [line for line in lines if re.search(r"\btest", line, re.IGNORECASE)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which all stages ran on a data set without a test split."""
    folder = tmp_path_factory.mktemp("without_test")
    write_source(folder / "data" / "sample" / "source")
    write_params(folder)
    with pytest.MonkeyPatch.context() as monkeypatch:
        isolate(monkeypatch, folder)
        make_patches(monkeypatch)
        for run in RUNS:
            make_run(monkeypatch, run)
        show(monkeypatch, folder)
    return folder


def write_source(folder: Path) -> None:
    rng = np.random.default_rng(5)
    for place, (name, width) in enumerate({"a_train": 96, "b_val": 96, "c_val": 64}.items()):
        image, ids = draw_orthophoto(rng, 32, width)
        x = 500_000.0 + 10_000 * place
        write_raster(folder / "images" / f"{name}.tif", image, x=x)
        write_raster(folder / "masks" / f"{name}.tif", ids, x=x)
    write_index(folder, folder / "images", folder / "masks", LEGEND)


def write_params(folder: Path) -> None:
    params = yaml.safe_load((SRC.parent / "params.yaml").read_text())
    params |= {"label_fraction": 0.5, "seeds": [3], "recipes": ["reproduction"]}
    sample = params["datasets"]["sample"]
    sample["download"] = {"path": "here"}  # its own has a test_share, which is of the lists alone
    sample["tile"] |= {"source_size": 32, "size": 32, "split": "pattern"}
    sample["tile"] |= {"val": "*_val", "test": "none"}
    sample["evaluate"] |= {"panel_patches": 9, "precision": "float32", "workers": 0}
    sample["evaluate"]["spatial"]["objects"] = ""
    (folder / "params.yaml").write_text(yaml.safe_dump(params))


def make_patches(monkeypatch: pytest.MonkeyPatch) -> None:
    run_stage(
        monkeypatch,
        tile.main,
        *("--dataset", "sample", "--split", "main", "--source", "data/sample/source"),
        *("--out", "data/sample/main/patches", "--contact-sheet", "plots/patches.png"),
    )


def make_run(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    patches, out = Path("data/sample/main/patches"), Path("runs") / run.path
    small_run(patches, out, architecture=run.cell.architecture)
    files = run_files(Path("runs"), Path("metrics"), run)
    run_stage(
        monkeypatch,
        evaluate.main,
        *("--dataset", "sample", "--patches", patches, "--run", out, "--scores", files.scores),
        *("--detail", files.detail, "--predictions", files.predictions),
    )


def show(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Compare, report and publish."""
    outs = [
        {"path": path, "md5": "0" * 32, "size": 1, "nfiles": 1}
        for path in (
            "data/sample/source",
            "data/sample/main/patches",
            "data/sample/main/labels/random-0.5-3",
            *(f"runs/{run.path}/best.pt" for run in RUNS),
        )
    ]
    (folder / "dvc.lock").write_text(yaml.safe_dump({"stages": {"train": {"outs": outs}}}))
    runs = ("--fractions", "0.5", "--runs", "runs", "--metrics", "metrics")
    shown = ("--dataset", "sample", "--headline", "0.5", *runs)
    run_stage(
        monkeypatch,
        compare.main,
        *(*shown, "--patches", "data/sample/main/patches", "--out", "plots"),
        *("--headline-curves", "plots/curves", "--summary", "metrics/summary.json"),
    )
    run_stage(
        monkeypatch,
        report.main,
        *(*shown, "--data", "data/sample", "--comparison", "plots"),
        *("--transfers", "transfers", "--out", "plots/report.html"),
    )
    run_stage(monkeypatch, publish.main, *runs, "--out", "models")


def results_in(folder: Path) -> list[RunResults]:
    return [read_results(run_files(folder / "runs", folder / "metrics", run), run) for run in RUNS]


def counts_of(store: PatchStore, results: RunResults) -> NDArray[np.int64]:
    """Return the confusion matrix of the kept predictions, which are all of validation."""
    counts = np.zeros((3, 3), np.int64)
    for patch in store.of_split("val"):
        truth = store.truth(patch)
        known = truth != NO_TRUTH
        np.add.at(counts, (truth[known], results.predictions[patch.name][known]), 1)
    return counts


@pytest.mark.slow
def test_scores_are_those_of_validation_under_its_name(folder: Path) -> None:
    store = PatchStore(folder / "data" / "sample" / "main" / "patches")
    assert {patch.split for patch in store.patches} == {"train", "val"}
    rows = json.loads((folder / "plots" / "table.json").read_text())
    summary = json.loads((folder / "metrics" / "summary.json").read_text())
    for row, item in zip(rows, results_in(folder), strict=True):
        counts = counts_of(store, item)
        assert counts.sum() == 5 * 32 * 32
        hit = counts.diagonal()
        union = counts.sum(0) + counts.sum(1) - hit
        miou = float(np.mean(hit[union > 0] / union[union > 0]))
        assert row["val_miou"] == pytest.approx(miou, abs=1e-12)
        assert item.detail["val"]["confusion"] == counts.tolist()
        assert summary[row["architecture"]]["reproduction"]["val_miou"] == row["val_miou"]
        assert item.scores().keys() == SCORES


@pytest.mark.slow
def test_nothing_is_called_a_test(folder: Path) -> None:
    written = [file for file in folder.rglob("*") if file.suffix in (".json", ".csv", ".md")]
    written += [folder / "plots" / "report.html"]
    assert {file.name for file in written} >= {"table.md", "table.csv", "best.md", "summary.json"}
    assert {file.name: words_on_test(file.read_text()) for file in written} == {
        file.name: [] for file in written
    }


@pytest.mark.slow
def test_that_there_is_no_test_is_said_where_scores_are_shown(folder: Path) -> None:
    for file in ("plots/table.md", "plots/report.html", "models/best.md"):
        text = (folder / file).read_text()
        assert text.count(f"{STATED}: all scores are of the validation split.") == 1, file
    card = (folder / "models" / "best.md").read_text()
    assert "| Validation   |" in card
    assert "those of the validation split rest on" in card
    table = (folder / "plots" / "table.md").read_text().splitlines()
    assert [cell.strip() for cell in table[0].split("|")[7:9]] == [
        "Validation mIoU",
        "Training time",
    ]


@pytest.mark.slow
def test_the_best_run_of_validation_is_published(folder: Path) -> None:
    results = results_in(folder)
    best = max(results, key=lambda item: item.detail["val"]["miou"]).run
    card = (folder / "runs" / best.path / "best.md").read_bytes()
    assert (folder / "models" / "best.md").read_bytes() == card


def made_up(architecture: str, seed: int = 42, *, test: bool) -> RunResults:
    cell = Cell(
        split="main",
        fraction="0.1",
        labelling="random",
        architecture=architecture,
        recipe="reproduction",
    )
    run = Run(cell=cell, seed=seed)
    detail = detail_of(run)
    if not test:
        del detail["test"]
    return RunResults(run=run, detail=detail, predictions={})


def test_one_table_does_not_mix_validation_and_test() -> None:
    runs = [made_up("unet", test=True), made_up("unetplusplus", test=False)]
    message = (
        "run main/random/unetplusplus-0.1-reproduction-42: scores on validation cannot stand "
        "beside those of main/random/unet-0.1-reproduction-42 on test"
    )
    with pytest.raises(ValueError, match=message):
        table_rows("sample", runs)


def test_the_score_of_a_cell_is_the_mean_of_validation() -> None:
    score = seed_score([made_up("unet", 42, test=False), made_up("unet", 7, test=False)])
    # 0.375 + 10 / 100 and 0.375 + 14 / 100: the numbers of the two made-up runs.
    assert (score.mean, score.scored) == (pytest.approx(0.495), "validation")
    assert seed_score([made_up("unet", test=True)]).scored == "test"


def test_figures_name_the_validation() -> None:
    (cell,) = make_cells([0.1])[:1]
    score = seed_score([made_up("unet", test=False)])
    (axes,) = budget_figure({cell: score}, 0.1, "field").axes
    assert axes.get_ylabel() == "validation mIoU"
    bars = [CellScore(cell=cell, val_miou=0.5, test_miou=None, val_deviation=0.125)]
    figure = miou_figure(bars, 0.1, "field")
    (axes,) = figure.axes
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["validation"]
    assert [bar.get_width() for bar in axes.patches] == [0.5]
    assert [text.get_text() for text in axes.texts] == ["0.500", "all field: 0.100"]


def test_the_card_has_one_column_and_its_caution() -> None:
    split: dict[str, Any] = {
        "miou": 0.375,
        "accuracy": 0.75,
        "majority_miou": 0.125,
        "iou": {"field": 0.5, "house": 0.25, "lake": 0.375},
        "confusion": [[1_000_000, 0, 250_000], [0, 0, 0], [0, 0, 50_000]],
    }
    detail = {"parameters": 486_589, "epochs": 2, "train_seconds": 85.6, "val": split}
    lines = model_card(checkpoint_of(trained_network()), detail).splitlines()
    scores = lines[lines.index("## Scores") + 2 :]
    assert [[cell.strip() for cell in line.split("|")[1:-1]] for line in scores[:4:2]] == [
        ["", "Validation"],
        ["mIoU", "0.3750"],
    ]
    assert scores[-1] == (
        "There is no test split: all scores are of the validation split. Epochs and runs are "
        "chosen by it, too, so its scores are rather too high. All scores are of this one "
        "training; those of the validation split rest on 1.3 Mpx. The weakest class there is house "
        "(IoU 0.25): do not rely on it unseen."
    )


def test_patches_without_validation_are_refused(
    make_patches: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = PatchStore(make_patches())
    assert splits_to_score(store) == ["val", "test"]
    renamed = [replace(patch, split="train") for patch in store.of_split("val")]
    monkeypatch.setattr(store, "of_split", lambda split: [p for p in renamed if p.split == split])
    with pytest.raises(ValueError, match="patches: no patch is of the validation split"):
        splits_to_score(store)
