"""Stage compare: the table, the figures and the headline numbers of all runs of a data set."""

import argparse
import csv
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from partialseg.atomic import new_file
from partialseg.command import run
from partialseg.curves import CURVES, FOLDER, read_curve
from partialseg.figures.confusion import draw_confusions
from partialseg.figures.curves import RunCurves, draw_curves
from partialseg.figures.maps import PanelRow
from partialseg.figures.miou import RunScore, draw_miou
from partialseg.figures.panel import draw_panel
from partialseg.panel import choose_panel
from partialseg.params import load_section
from partialseg.patches import PatchStore
from partialseg.results import RunResults, read_results, run_files, write_json
from partialseg.run import Run, listed_runs
from partialseg.run_name import run_names
from partialseg.table import table_rows, write_table
from partialseg.visibility import visible_pixels

MISSING = "nan"  # of a shorter run in a CSV of DVC plots, which draw an empty cell as 0


def compare(
    dataset: str,
    listed: Sequence[Run],
    headline: str,
    patches: Path,
    runs: Path,
    metrics: Path,
    out: Path,
) -> tuple[list[RunResults], list[RunCurves]]:
    """Read the listed runs, and write their table and figures to `out`.

    Confusions and panel show the runs at the fraction `headline`. Returns what was read.

    Raises:
        ValueError: no run is at the headline, or a listed run is missing or damaged.
    """
    if headline not in [item.fraction for item in listed]:
        raise ValueError(f"no run to compare is at the headline fraction {headline}")
    store = PatchStore(patches)
    results = [read_results(run_files(runs, metrics, item), item) for item in listed]
    curves = [read_curves(runs, item) for item in listed]
    # Into a folder aside first: the figures belong together, and `out` holds other stages' files.
    out.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=out, prefix=".") as aside:
        draw_comparison(dataset, store, results, curves, headline, Path(aside))
        for file in sorted(Path(aside).iterdir()):
            os.replace(file, out / file.name)
    return results, curves


def draw_comparison(
    dataset: str,
    store: PatchStore,
    results: Sequence[RunResults],
    curves: Sequence[RunCurves],
    headline: str,
    folder: Path,
) -> None:
    """Write the table and the figures of the runs into a folder."""
    majority = results[0].detail["test"]
    majority_class, majority_miou = majority["majority_class"], majority["majority_miou"]
    class_names = store.summary.class_names
    write_table(table_rows(dataset, results), (majority_class, majority_miou), folder)
    draw_curves(curves, folder / "curves.png")
    draw_miou(
        [_score(item) for item in results], majority_miou, majority_class, folder / "miou.png"
    )
    shown = [item for item in results if item.run.fraction == headline]
    names = run_names([item.run for item in shown])
    draw_confusions(
        {names[item.run]: item.confusion("test") for item in shown},
        class_names,
        folder / "confusion.png",
    )
    rows = panel_rows(store, shown, names)
    draw_panel(rows, class_names, store.summary.palette, folder / "panel.png")


def read_curves(runs: Path, item: Run) -> RunCurves:
    """Return the curves of a run.

    Raises:
        ValueError: a curve is missing or damaged.
    """
    read = {curve: read_curve(runs / item.folder / FOLDER, curve) for curve in CURVES}
    return RunCurves(
        run=item,
        epochs=read["train/loss"][0],
        values={curve: values for curve, (_, values) in read.items()},
    )


def panel_rows(
    store: PatchStore, results: Sequence[RunResults], names: Mapping[Run, str]
) -> list[PanelRow]:
    """Return the panel's patches, with the labels and predictions of runs at one fraction."""
    first = results[0]
    fraction, seed = first.run.label_fraction, first.detail["seed"]
    chosen = choose_panel(store.of_split("test"), len(first.panel))
    side = store.summary.size
    return [
        PanelRow(
            name=patch.name,
            image=store.image(patch),
            truth=store.truth(patch),
            visible=visible_pixels(seed, patch.name, side, side, fraction),
            predictions={names[item.run]: item.panel[place] for item in results},
        )
        for place, patch in enumerate(chosen)
    ]


def summary(results: Sequence[RunResults], headline: str) -> dict[str, dict[str, Any]]:
    """Return the scores at one fraction by architecture and recipe; no key names the fraction."""
    scores: dict[str, dict[str, Any]] = {}
    for item in results:
        if item.run.fraction == headline:
            scores.setdefault(item.run.architecture, {})[item.run.recipe] = item.scores()
    return scores


def write_headline_curves(curves: Sequence[RunCurves], headline: str, folder: Path) -> None:
    """Write a CSV a recipe and curve: epoch, and a column an architecture, at one fraction."""
    shown = [item for item in curves if item.run.fraction == headline]
    for recipe in dict.fromkeys(item.run.recipe for item in shown):
        of_recipe = [item for item in shown if item.run.recipe == recipe]
        for curve in CURVES:
            write_curve(of_recipe, curve, folder / recipe / f"{curve.replace('/', '_')}.csv")


def write_curve(curves: Sequence[RunCurves], curve: str, path: Path) -> None:
    """Write one curve of several runs as CSV: epoch, and a column an architecture."""
    columns = [dict(zip(item.epochs, item.values[curve], strict=True)) for item in curves]
    epochs = sorted(set().union(*columns))
    with new_file(path) as file, file.open("w", newline="") as stream:
        rows = csv.writer(stream, lineterminator="\n")
        rows.writerow(["epoch", *(item.run.architecture for item in curves)])
        for epoch in epochs:
            rows.writerow([epoch, *(column.get(epoch, MISSING) for column in columns)])


def _score(item: RunResults) -> RunScore:
    return RunScore(
        run=item.run,
        val_miou=item.detail["val"]["miou"],
        test_miou=item.detail["test"]["miou"],
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
    listed = listed_runs(
        args.fractions,
        load_section(args.params, "architectures", list[str]),
        load_section(args.params, "recipes", list[str]),
    )
    results, curves = compare(
        args.dataset, listed, args.headline, args.patches, args.runs, args.metrics, args.out
    )
    write_headline_curves(curves, args.headline, args.headline_curves)
    write_json(args.summary, summary(results, args.headline))
    print((args.out / "table.md").read_text(encoding="utf-8"), end="")


if __name__ == "__main__":
    run(main)
