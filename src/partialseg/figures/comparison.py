"""The table and the figures of all runs of a data set."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from partialseg.comparison.cells import (
    CellCurves,
    by_cell,
    mean_and_std,
    scored_cells,
    split_scores,
)
from partialseg.comparison.difference_table import write_differences
from partialseg.comparison.headline import headline_cells
from partialseg.comparison.significance import differences
from partialseg.comparison.table import table_rows, write_table
from partialseg.evaluation.results import RunResults
from partialseg.evaluation.runs import Cell, Run, cell_names, is_main
from partialseg.evaluation.shown import choose_panel
from partialseg.figures.budget import draw_budget
from partialseg.figures.confusion import draw_confusions
from partialseg.figures.curves import draw_curves
from partialseg.figures.differences import draw_differences
from partialseg.figures.miou import CellScore, draw_miou
from partialseg.figures.panel import PanelRow, draw_panel
from partialseg.labelling.annotator import Annotator
from partialseg.labelling.params import Label
from partialseg.tiling.patches import Patch, PatchStore


def draw_comparison(
    dataset: str,
    store: PatchStore,
    results: Sequence[RunResults],
    curves: Sequence[CellCurves],
    headline: str,
    drawn: Label,
    folder: Path,
) -> None:
    """Write the table and the figures of the runs into a folder."""
    majority = results[0].detail["test"]
    majority_class, majority_miou = majority["majority_class"], majority["majority_miou"]
    class_names = store.summary.class_names
    write_table(table_rows(dataset, results), (majority_class, majority_miou), folder)
    found = differences(scored_cells(results))
    write_differences(found, folder)
    draw_differences(found, folder / "differences.png")
    first = results[0].run.cell
    draw_curves([item for item in curves if is_main(item.cell, first)], folder / "curves.png")
    draw_miou(
        [_score(cell, of_cell) for cell, of_cell in by_cell(results).items()],
        majority_miou,
        majority_class,
        folder / "miou.png",
    )
    draw_budget(
        split_scores(results, first.split),
        majority_miou,
        majority_class,
        folder / "budget.png",
    )
    shown = headline_cells(results, headline)
    names = cell_names(list(shown))
    draw_confusions(
        {
            names[cell]: np.sum([item.confusion("test") for item in of_cell], axis=0)
            for cell, of_cell in shown.items()
        },
        class_names,
        folder / "confusion.png",
    )
    rows = panel_rows(store, shown, names, drawn)
    draw_panel(rows, class_names, store.summary.palette, folder / "panel.png")


def panel_rows(
    store: PatchStore,
    shown: Mapping[Cell, Sequence[RunResults]],
    names: Mapping[Cell, str],
    drawn: Label,
) -> list[PanelRow]:
    """Return the panel's patches, with the labels and predictions of each cell's first seed."""
    firsts = {cell: of_cell[0] for cell, of_cell in shown.items()}
    first = next(iter(firsts.values()))
    chosen = choose_panel(store.of_split("test"), first.detail["panel_patches"])
    return [
        PanelRow(
            name=patch.name,
            image=store.image(patch),
            truth=store.truth(patch),
            visible=labels_of(store, patch, first.run, drawn),
            predictions={
                names[cell]: item.predictions[patch.name] for cell, item in firsts.items()
            },
        )
        for patch in chosen
    ]


def labels_of(store: PatchStore, patch: Patch, run: Run, drawn: Label) -> NDArray[np.bool_]:
    """Return the pixels (H, W) of a test patch that were visible if it were for training.

    None are where it cannot hold what the label fraction asks for, for no training rests on it, and
    where a person draws.
    """
    truth = store.truth(patch)
    if drawn.pattern == "drawn":
        return np.zeros(truth.shape, np.bool_)
    names = [item.name for item in store.of_split("test")]
    try:
        annotator = Annotator(drawn, run.cell.label_fraction, run.seed, names)
        return annotator.annotate(patch.name, truth).visible
    except ValueError:
        return np.zeros(truth.shape, np.bool_)


def _score(cell: Cell, results: Sequence[RunResults]) -> CellScore:
    (val, _), (test, std) = (
        mean_and_std([item.detail[split]["miou"] for item in results]) for split in ("val", "test")
    )
    return CellScore(cell=cell, val_miou=val, test_miou=test, test_deviation=std)
