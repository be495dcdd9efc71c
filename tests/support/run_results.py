"""Results of runs, made up from a number a run."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from partialseg.engine.curves import CurveWriter
from partialseg.evaluation.results import RunResults, write_results
from partialseg.evaluation.runs import Cell, Run, run_files
from partialseg.tiling.patches import PatchStore
from small_labels import label_params
from small_run import record

SPLITS = ("main", "official")
ARCHITECTURES = ("unet", "unetplusplus")
RECIPES = ("reproduction", "tuned")
LABELLINGS = ("random",)
FRACTIONS = ("0.05", "0.1", "0.15")
SEEDS = (42, 7, 1)


def a_cell(architecture: str, fraction: str, recipe: str, split: str = "main") -> Cell:
    return Cell(
        split=split, architecture=architecture, fraction=fraction, labelling="random", recipe=recipe
    )


def number_of(run: Run) -> int:
    """Return a number of a run, from which all its made-up results follow."""
    cell = run.cell
    of_cell = (
        10 * FRACTIONS.index(cell.fraction)
        + 2 * ARCHITECTURES.index(cell.architecture)
        + RECIPES.index(cell.recipe)
    )
    return of_cell + 4 * SEEDS.index(run.seed) + 30 * SPLITS.index(cell.split)


def detail_of(run: Run) -> dict[str, Any]:
    cell, number = run.cell, number_of(run)
    split = {
        "accuracy": 0.5 + number / 100,
        "majority_class": "field" if run.cell.split == "main" else "lake",
        "majority_miou": 0.125,
    }
    confusion = [[number, 1, 2], [3, 4, 5], [6, 7, 8]]
    return run.identity() | {
        "parameters": 1_000_000 + number,
        "train_seconds": 60.0 + number,
        "final_val_miou": 0.25 + number / 100,
        "final_val_accuracy": 0.5,
        "final_val_batch_miou": 0.25,
        "best_val_miou": 0.5,
        "best_val_batch_miou": 0.25,
        "panel_patches": 2,
        "labelled_pixels": cell.label_fraction,
        "clicks": None,
        "annotation_seconds": None,
        "val": split | {"miou": 0.375 + number / 100, "confusion": [[1, 1], [1, 1]]},
        "test": split
        | {
            "miou": 0.3125 + number / 100,
            "confusion": confusion,
            "orthophotos": {"c_test": {"confusion": confusion}},
        },
    }


def write_run(folder: Path, run: Run, patches: Sequence[str] = ()) -> None:
    """Write what a run leaves; its predictions of the patches are all of one class."""
    number = number_of(run)
    prediction = np.full((32, 32), number % 3, np.uint8)
    results = RunResults(
        run=run, detail=detail_of(run), predictions=dict.fromkeys(patches, prediction)
    )
    write_results(run_files(folder / "runs", folder / "metrics", run), results)
    with CurveWriter(folder / "runs" / run.path / "curves") as curves:
        for epoch in (1, 2):
            curves.append(record(epoch, val_miou=number / 100 + epoch / 1000))


def write_runs(folder: Path, runs: Sequence[Run]) -> None:
    tested = PatchStore(folder / "patches").of_split("test")
    for run in runs:
        write_run(folder, run, [patch.name for patch in tested])


SECTIONS = {
    "datasets": {
        "sample": {"label": asdict(label_params()), "labellings": {"random": {}}},
    }
}


def write_axes(folder: Path, **changes: Sequence[str] | Sequence[int]) -> None:
    axes: dict[str, Any] = {
        "sweep": [],
        "splits": ["main"],
        "labellings": [*LABELLINGS],
        "architectures": [*ARCHITECTURES],
        "recipes": [*RECIPES],
        "seeds": [42],
    }
    (folder / "params.yaml").write_text(yaml.safe_dump(axes | SECTIONS | changes))
