"""`dvc plots diff`: the curves of two commits in one chart, by the real dvc.yaml."""

import itertools
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from clones import ROOT, Clone
from drawings import ARCHITECTURES, RECIPES, make_cells, make_curves
from partialseg.comparison.cells import CellCurves
from partialseg.comparison.compared import write_headline_curves

CHARTS = {
    "Training loss": "train/loss",
    "Validation loss": "val/loss",
    "Validation mIoU": "val/miou",
    "Validation accuracy": "val/accuracy",
}
SHEET = "plots/sample/main/patches.png"  # an image, which DVC shows beside the charts
EPOCHS = {"HEAD~1": 2, "HEAD": 3}  # of the trainings that a commit has the curves of


def curves_at(revision: str) -> list[CellCurves]:
    return make_curves(make_cells([0.1], RECIPES), EPOCHS[revision])


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """Return a repository whose two commits differ in the curves alone."""
    made = Clone(tmp_path_factory.mktemp("repository"), tmp_path_factory.mktemp("site_cache"))
    for name in ("dvc.yaml", "params.yaml"):
        shutil.copy(ROOT / name, made.folder)
    made.run("git", "init", "-q")
    made.run("dvc", "init", "-q")
    sheet = made.folder / SHEET
    sheet.parent.mkdir(parents=True)
    shutil.copy(ROOT / SHEET, sheet)
    for revision in EPOCHS:
        write_headline_curves(curves_at(revision), "0.1", made.folder / "plots" / "curves")
        made.commit(revision)
    return made


@pytest.fixture(scope="module")
def charts(repository: Clone) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(repository.run("dvc", "plots", "diff", *EPOCHS, "--json"))
    assert found.keys() == {"data"}  # no errors
    return found["data"]


@pytest.mark.slow
def test_there_are_the_four_charts(charts: dict[str, Any]) -> None:
    assert charts.keys() == {*CHARTS, SHEET}


@pytest.mark.slow
@pytest.mark.parametrize("chart", CHARTS)
def test_a_chart_has_the_curves_of_both_commits(charts: dict[str, Any], chart: str) -> None:
    (drawn,) = charts[chart]
    assert drawn["revisions"] == [*EPOCHS]
    points = {
        (point["rev"], point["filename::field"], int(point["epoch"])): point["dvc_inferred_y_value"]
        for point in drawn["content"]["data"]["values"]
    }
    assert points == {
        (revision, f"{item.cell.recipe}/{file_of(chart)}::{item.cell.architecture}", epoch): str(y)
        for revision in EPOCHS
        for item in curves_at(revision)
        for epoch, y in zip(item.epochs, item.values[CHARTS[chart]], strict=True)
    }
    assert len(points) == 2 * 2 * (2 + 3)


def file_of(chart: str) -> str:
    return f"{CHARTS[chart].replace('/', '_')}.csv"


@pytest.mark.slow
def test_the_page_is_written(repository: Clone, tmp_path: Path) -> None:
    said = repository.run("dvc", "plots", "diff", *EPOCHS, "--out", str(tmp_path))
    assert said.strip() == (tmp_path / "index.html").as_uri()
    page = (tmp_path / "index.html").read_text()
    for recipe, architecture in itertools.product(RECIPES, ARCHITECTURES):
        assert f"{recipe}/val_miou.csv::{architecture}" in page
