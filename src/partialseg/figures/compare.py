"""Stage compare: the table, the differences and the figures of all runs of a data set."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from partialseg.comparison.cells import by_cell, mean_and_std, scored_cells, split_scores
from partialseg.comparison.compared import ComparedRuns, headline_cells
from partialseg.comparison.difference_table import write_differences
from partialseg.comparison.significance import differences
from partialseg.comparison.table import table_rows, write_table
from partialseg.evaluation.results import RunResults, scored_splits, shown_split
from partialseg.evaluation.runs import Cell, Run, cell_names
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


def compare(compared: ComparedRuns, store: PatchStore, label: Label, out: Path) -> None:
    """Write the tables and figures of the runs to the folder `out`.

    store holds the patches of the first split, and label says how the first labelling is drawn:
    both are for the panel.
    """
    # Into a folder aside first: the figures belong together, and `out` holds other stages' files.
    out.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=out, prefix=".") as aside:
        _write_all(compared, store, label, Path(aside))
        for file in sorted(Path(aside).iterdir()):
            os.replace(file, out / file.name)


def _write_all(compared: ComparedRuns, store: PatchStore, label: Label, folder: Path) -> None:
    results = compared.results
    majority_class, majority_miou = compared.majority
    write_table(table_rows(compared.dataset, results), compared.majority, folder)
    found = differences(scored_cells(results))
    write_differences(found, folder)
    draw_differences(found, folder / "differences.png")
    draw_curves(compared.main_curves, folder / "curves.png")
    scores = [_score(cell, of_cell) for cell, of_cell in by_cell(results).items()]
    draw_miou(scores, majority_miou, majority_class, folder / "miou.png")
    of_split = split_scores(results, compared.first_split)
    draw_budget(of_split, majority_miou, majority_class, folder / "budget.png")
    shown = headline_cells(results, compared.headline)
    names = cell_names(list(shown))
    class_names, palette = store.summary.class_names, store.summary.palette
    confusions = {
        names[cell]: np.sum([item.confusion(shown_split(item.detail)) for item in of_cell], axis=0)
        for cell, of_cell in shown.items()
    }
    draw_confusions(confusions, class_names, folder / "confusion.png")
    rows = panel_rows(store, shown, names, label)
    draw_panel(rows, class_names, palette, folder / "panel.png")


def panel_rows(
    store: PatchStore,
    shown: Mapping[Cell, Sequence[RunResults]],
    names: Mapping[Cell, str],
    label: Label,
) -> list[PanelRow]:
    """Return the panel's patches, with the labels and predictions of each cell's first seed."""
    firsts = {cell: of_cell[0] for cell, of_cell in shown.items()}
    first = next(iter(firsts.values()))
    split = shown_split(first.detail)
    chosen = choose_panel(store.of_split(split), first.detail["panel_patches"])
    return [
        PanelRow(
            name=patch.name,
            image=store.image(patch),
            truth=store.truth(patch),
            visible=would_be_visible(store, patch, first.run, label),
            predictions={
                names[cell]: item.predictions[patch.name] for cell, item in firsts.items()
            },
        )
        for patch in chosen
    ]


def would_be_visible(store: PatchStore, patch: Patch, run: Run, label: Label) -> NDArray[np.bool_]:
    """Return which pixels (H, W) of a held-out patch the run would have seen labels of in training.

    All are False where that is not known: where a person draws the labels, and where the patch
    cannot hold as many as the label fraction asks for (an error for a training patch only).
    """
    truth = store.truth(patch)
    if label.pattern == "drawn":
        return np.zeros(truth.shape, np.bool_)
    names = [item.name for item in store.of_split(patch.split)]
    try:
        annotator = Annotator(label, run.cell.label_fraction, run.seed, names)
        return annotator.annotate(patch.name, truth).visible
    except ValueError:
        return np.zeros(truth.shape, np.bool_)


def _score(cell: Cell, results: Sequence[RunResults]) -> CellScore:
    mious = {
        split: mean_and_std([item.detail[split]["miou"] for item in results])
        for split in scored_splits(results[0].detail)
    }
    (val, val_std), (test, test_std) = mious["val"], mious.get("test", (None, None))
    return CellScore(
        cell=cell,
        val_miou=val,
        test_miou=test,
        test_deviation=test_std,
        val_deviation=val_std if test is None else None,
    )
