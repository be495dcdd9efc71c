"""Stage compare: the table, the figures and the headline numbers of all runs of a data set."""

import argparse
import csv
import os
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partialseg.annotation import Annotator
from partialseg.atomic import new_file
from partialseg.cell_curves import CellCurves, mean_curves, read_curves
from partialseg.command import run
from partialseg.curves import CURVES
from partialseg.difference_table import write_differences
from partialseg.figures.budget import draw_budget
from partialseg.figures.confusion import draw_confusions
from partialseg.figures.curves import draw_curves
from partialseg.figures.differences import draw_differences
from partialseg.figures.maps import PanelRow
from partialseg.figures.miou import CellScore, draw_miou
from partialseg.figures.panel import draw_panel
from partialseg.label_params import Label
from partialseg.listing import load_listed_runs
from partialseg.panel import choose_panel
from partialseg.params import load_section
from partialseg.patches import Patch, PatchStore
from partialseg.results import RunResults, read_results, run_files, write_json
from partialseg.run import Cell, Run, is_main
from partialseg.run_name import cell_names
from partialseg.scored_cell import scored_cells
from partialseg.seeds import by_cell, deviation, split_scores
from partialseg.significance import differences
from partialseg.table import table_rows, write_table

MISSING = "nan"  # of a shorter run in a CSV of DVC plots, which draw an empty cell as 0


def compare(
    dataset: str,
    listed: Sequence[Run],
    headline: str,
    patches: Path,
    runs: Path,
    metrics: Path,
    out: Path,
    drawn: Label,
) -> tuple[list[RunResults], list[CellCurves]]:
    """Read the listed runs, and write their table and figures to `out`.

    The headline is the runs at the fraction `headline` of the first split, whose patches are given,
    and of the first labelling, which is drawn as `drawn` says: confusions and panel show them
    alone. Returns what was read, curves as means over seeds.

    Raises:
        ValueError: no run is at the headline, or a listed run is missing or damaged.
    """
    if headline not in [item.cell.fraction for item in listed]:
        raise ValueError(f"no run to compare is at the headline fraction {headline}")
    store = PatchStore(patches)
    results = [read_results(run_files(runs, metrics, item), item) for item in listed]
    of_cells = by_cell([read_curves(runs, item) for item in listed])
    curves = [mean_curves(cell, of_cell) for cell, of_cell in of_cells.items()]
    # Into a folder aside first: the figures belong together, and `out` holds other stages' files.
    out.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=out, prefix=".") as aside:
        draw_comparison(dataset, store, results, curves, headline, drawn, Path(aside))
        for file in sorted(Path(aside).iterdir()):
            os.replace(file, out / file.name)
    return results, curves


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


def headline_cells(results: Sequence[RunResults], headline: str) -> dict[Cell, list[RunResults]]:
    """Return the results of the cells at the headline fraction, of first split and labelling."""
    first = results[0].run.cell
    return {
        cell: of_cell
        for cell, of_cell in by_cell(results).items()
        if is_main(cell, first) and cell.fraction == headline
    }


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


def summary(results: Sequence[RunResults], headline: str) -> dict[str, dict[str, Any]]:
    """Return the headline's scores by architecture and recipe; no key names another axis.

    They are means over the seeds; of several seeds with the deviation of the test mIoU.
    """
    scores: dict[str, dict[str, Any]] = {}
    for cell, of_cell in headline_cells(results, headline).items():
        of_seeds = [item.scores() for item in of_cell]
        means = {name: statistics.fmean(item[name] for item in of_seeds) for name in of_seeds[0]}
        std = deviation([item["test_miou"] for item in of_seeds])
        means |= {} if std is None else {"test_miou_std": std}
        scores.setdefault(cell.architecture, {})[cell.recipe] = means
    return scores


def write_headline_curves(curves: Sequence[CellCurves], headline: str, folder: Path) -> None:
    """Write a CSV a recipe and curve: epoch, and a column an architecture, of the headline."""
    first = curves[0].cell
    shown = [c for c in curves if is_main(c.cell, first) and c.cell.fraction == headline]
    for recipe in dict.fromkeys(item.cell.recipe for item in shown):
        of_recipe = [item for item in shown if item.cell.recipe == recipe]
        for curve in CURVES:
            write_curve(of_recipe, curve, folder / recipe / f"{curve.replace('/', '_')}.csv")


def write_curve(curves: Sequence[CellCurves], curve: str, path: Path) -> None:
    """Write one curve of several cells as CSV: epoch, and a column an architecture."""
    columns = [dict(zip(item.epochs, item.values[curve], strict=True)) for item in curves]
    epochs = sorted(set().union(*columns))
    with new_file(path) as file, file.open("w", newline="") as stream:
        rows = csv.writer(stream, lineterminator="\n")
        rows.writerow(["epoch", *(item.cell.architecture for item in curves)])
        for epoch in epochs:
            rows.writerow([epoch, *(column.get(epoch, MISSING) for column in columns)])


def _score(cell: Cell, results: Sequence[RunResults]) -> CellScore:
    val, test = ([item.detail[split]["miou"] for item in results] for split in ("val", "test"))
    return CellScore(
        cell=cell,
        val_miou=statistics.fmean(val),
        test_miou=statistics.fmean(test),
        test_deviation=deviation(test),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--fractions", nargs="+", required=True)
    parser.add_argument("--headline", required=True)
    parser.add_argument("--patches", type=Path, required=True)
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--metrics", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--headline-curves", type=Path, required=True)
    parser.add_argument("--summary", type=Path, required=True)
    args = parser.parse_args()
    listed = load_listed_runs(args.params, args.fractions)
    section = f"datasets.{args.dataset}"
    drawn = load_section(
        args.params,
        f"{section}.label",
        Label,
        f"{section}.labellings.{listed[0].cell.labelling}",
    )
    results, curves = compare(
        args.dataset, listed, args.headline, args.patches, args.runs, args.metrics, args.out, drawn
    )
    write_headline_curves(curves, args.headline, args.headline_curves)
    write_json(args.summary, summary(results, args.headline))
    print((args.out / "table.md").read_text(encoding="utf-8"), end="")


if __name__ == "__main__":
    run(main)
