"""The pipeline itself: the real configuration, shrunk, run by DVC in a temporary clone."""

import itertools
import json
import shutil
from typing import Any

import pytest
import yaml

from clones import Clone, shrunk_clone

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    made = shrunk_clone(tmp_path_factory.mktemp("clone"), tmp_path_factory.mktemp("site_cache"))
    made.first_repro = made.run("dvc", "repro")
    made.commit("its results")
    return made


ARCHITECTURES = ("unet", "unetplusplus")
FRACTIONS = ("0.1", "0.15")
RECIPES = ("reproduction", "tuned")
STAGES = [
    "check",
    "download@sample",
    "tile@sample-main",
    *(f"label@sample-main-random-{fraction}-42" for fraction in FRACTIONS),
    *(
        f"{stage}@sample-main-random-{architecture}-{fraction}-{recipe}-42"
        for stage in ("train", "evaluate")
        for architecture in ARCHITECTURES
        for fraction in FRACTIONS
        for recipe in RECIPES
    ),
    "compare@sample",
    "publish@sample",
    "report@sample",
]


def test_every_stage_runs_once_and_a_second_repro_runs_none(clone: Clone) -> None:
    lines = clone.first_repro.splitlines()
    ran = [line.split("'")[1] for line in lines if line.startswith("Running stage")]
    assert sorted(ran) == sorted(STAGES)
    second = clone.run("dvc", "repro")
    assert "Running stage" not in second
    assert "Data and pipelines are up to date." in second
    assert "Data and pipelines are up to date." in clone.run("dvc", "status")


def test_the_table_has_the_eight_cells(clone: Clone) -> None:
    rows = clone.read("plots/sample/table.json")
    cells = [(row["label_fraction"], row["architecture"], row["recipe"]) for row in rows]
    assert cells == [
        (0.1, "unet", "reproduction"),
        (0.1, "unet", "tuned"),
        (0.1, "unetplusplus", "reproduction"),
        (0.1, "unetplusplus", "tuned"),
        (0.15, "unet", "reproduction"),
        (0.15, "unet", "tuned"),
        (0.15, "unetplusplus", "reproduction"),
        (0.15, "unetplusplus", "tuned"),
    ]
    for row, (fraction, architecture, recipe) in zip(rows, cells, strict=True):
        run = clone.read(f"metrics/sample/main/random/{architecture}-{fraction}-{recipe}-42.json")
        assert row["test_miou"] == run["test_miou"]
        # What is scored is the best epoch, or the last one where the recipe says so.
        kept = row["final_val_miou" if row["recipe"] == "tuned" else "best_val_miou"]
        assert run["val_miou"] == pytest.approx(kept, rel=1e-9)
    shown = clone.run("dvc", "metrics", "show")
    assert "metrics/summary.json" in shown
    assert "metrics/sample/main/random/unetplusplus-0.15-tuned-42.json" in shown


def test_no_output_in_git_is_large_and_no_data_is_tracked(clone: Clone) -> None:
    tracked = clone.run("git", "ls-files").splitlines()
    outputs = [name for name in tracked if name.startswith(("data/", "runs/"))]
    assert all(name.endswith(".gitignore") for name in outputs)
    assert {"dvc.lock", "metrics/summary.json", "plots/sample/panel.png"} <= set(tracked)
    assert all((clone.folder / name).stat().st_size < 2_000_000 for name in tracked)


def test_the_best_checkpoint_is_an_artifact_that_dvc_hands_out(clone: Clone) -> None:
    rows = clone.read("plots/sample/table.json")
    names = [
        f"main/random/{row['architecture']}-{row['label_fraction']}-{row['recipe']}-42"
        for row in rows
    ]
    best = max(names, key=lambda name: clone.read(f"metrics/sample/{name}.json")["val_miou"])
    clone.run("gto", "register", "best")
    clone.run("dvc", "artifacts", "get", str(clone.folder), "best", "-o", "handed.pt")
    handed = (clone.folder / "handed.pt").read_bytes()
    assert handed == (clone.folder / "runs" / "sample" / best / "best.pt").read_bytes()
    (clone.folder / "handed.pt").unlink()
    card = (clone.folder / "models" / "best.md").read_text()
    assert card == (clone.folder / "runs" / "sample" / best / "best.md").read_text()
    assert clone.run("git", "rev-list", "--max-parents=0", "HEAD").strip() in card


def test_the_curves_show_in_dvc(clone: Clone) -> None:
    plots = json.loads(clone.run("dvc", "plots", "show", "--json"))
    assert sorted(plots["data"]) == [
        "Training loss",
        "Validation accuracy",
        "Validation loss",
        "Validation mIoU",
        "plots/sample/main/patches.png",
    ]
    points = plots["data"]["Training loss"][0]["content"]["data"]["values"]
    drawn = {(point["filename::field"], point["epoch"]) for point in points}
    assert drawn == {
        (f"{recipe}/train_loss.csv::{architecture}", epoch)
        for recipe, epochs in (("reproduction", "1234"), ("tuned", "123"))
        for architecture in ARCHITECTURES
        for epoch in epochs
    }


def test_one_recipe_alone_trains_nothing_again_and_its_curves_show(clone: Clone) -> None:
    out = clone.run("dvc", "exp", "run", "-S", "recipes=[reproduction]")
    assert "Running stage 'compare@sample'" in out and "Running stage 'train" not in out
    rows = clone.read("plots/sample/table.json")
    assert [row["recipe"] for row in rows] == ["reproduction"] * 4
    summary = clone.read("metrics/summary.json")
    assert {name: [*recipes] for name, recipes in summary.items()} == {
        "unet": ["reproduction"],
        "unetplusplus": ["reproduction"],
    }
    shown = clone.run("dvc", "plots", "show")  # it warns of the files that are not there
    assert "index.html" in shown
    page = (clone.folder / "dvc_plots" / "index.html").read_text()
    assert "reproduction/train_loss.csv::unetplusplus" in page
    shutil.rmtree(clone.folder / "dvc_plots")
    clone.run("git", "checkout", "-q", ".")
    clone.run("dvc", "checkout")


def test_another_fraction_moves_the_headline_and_trains_nothing_again(clone: Clone) -> None:
    assert clone.read("metrics/summary.json") == scores_at(clone, "0.1")
    out = clone.run("dvc", "exp", "run", "-S", "label_fraction=0.15")
    assert "Running stage 'compare@sample'" in out and "--headline 0.15 " in out
    assert "Running stage 'train" not in out and "Running stage 'label" not in out
    few, more = scores_at(clone, "0.1"), scores_at(clone, "0.15")
    assert clone.read("metrics/summary.json") == more
    # Networks of so few steps may score alike at both fractions: then nothing differs.
    moved = json.loads(clone.run("dvc", "metrics", "diff", "--json"))
    changed = moved.get("metrics/summary.json", {})
    assert {key: (move["old"], move["new"]) for key, move in changed.items()} == {
        f"{architecture}.{recipe}.{score}": (value, more[architecture][recipe][score])
        for architecture, recipe in itertools.product(ARCHITECTURES, RECIPES)
        for score, value in few[architecture][recipe].items()
        if value != more[architecture][recipe][score]
    }
    # Also what is equal: on some processors networks of so few steps all say background.
    assert "val_accuracy" in clone.run("dvc", "metrics", "diff", "--all")
    clone.run("git", "checkout", "-q", ".")
    clone.run("dvc", "checkout")


def scores_at(clone: Clone, fraction: str) -> dict[str, dict[str, Any]]:
    return {
        architecture: {
            recipe: clone.read(
                f"metrics/sample/main/random/{architecture}-{fraction}-{recipe}-42.json"
            )
            for recipe in RECIPES
        }
        for architecture in ARCHITECTURES
    }


def test_editing_a_recipe_trains_its_runs_alone(clone: Clone) -> None:
    params = yaml.safe_load((clone.folder / "params.yaml").read_text())
    params["datasets"]["sample"]["recipes"]["tuned"]["learning_rate"] = 1.0e-3
    clone.edit_params(**params)
    stale = [line for line in clone.run("dvc", "status").splitlines() if not line.startswith("\t")]
    trained = {line.rstrip(":") for line in stale if line.startswith("train")}
    assert trained == {
        f"train@sample-main-random-{architecture}-{fraction}-tuned-42"
        for architecture in ARCHITECTURES
        for fraction in FRACTIONS
    }
    clone.run("git", "checkout", "-q", "params.yaml")


def test_editing_one_network_trains_that_one_alone(clone: Clone) -> None:
    network = clone.folder / "src" / "partialseg" / "models" / "unet.py"
    network.write_text(network.read_text() + "\n# edited\n")
    stale = {
        line.rstrip(":")
        for line in clone.run("dvc", "status").splitlines()
        if not line.startswith("\t")
    }
    assert stale == {"check"} | {  # whose deps are whole rooms
        f"{stage}@sample-main-random-unet-{fraction}-{recipe}-42"
        for stage in ("train", "evaluate")
        for fraction in FRACTIONS
        for recipe in RECIPES
    }
    figure = clone.folder / "src" / "partialseg" / "figures" / "miou.py"
    figure.write_text(figure.read_text() + "\n# edited\n")
    clone.run("git", "checkout", "-q", "src/partialseg/models/unet.py")
    assert [
        line for line in clone.run("dvc", "status").splitlines() if not line.startswith("\t")
    ] == ["compare@sample:", "report@sample:"]  # whose deps are whole rooms
    clone.run("git", "checkout", "-q", "src")
