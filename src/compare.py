"""Stage compare: the table, the figures and the headline numbers of all runs of a data set."""

import argparse
import csv
import os
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from partialseg.atomic import new_file
from partialseg.command import run
from partialseg.curves import CURVES, FOLDER, read_curve
from partialseg.error_figures import PanelRow, draw_confusions, draw_panel
from partialseg.figures import RunCurves, RunScore, draw_curves, draw_miou
from partialseg.panel import choose_panel
from partialseg.params import load_section
from partialseg.patches import PatchStore
from partialseg.results import RunFiles, RunResults, read_results, write_json
from partialseg.run_name import run_name
from partialseg.table import table_rows, write_table
from partialseg.visibility import visible_pixels


def compare(
    dataset: str,
    architectures: Sequence[str],
    fractions: Sequence[str],
    patches: Path,
    runs: Path,
    metrics: Path,
    out: Path,
) -> list[RunResults]:
    """Read the listed runs and write table and figures to `out`, by fraction and architecture.

    Fractions are strings, spelt as in the names of the runs' folders.

    Raises:
        ValueError: a listed run is missing or damaged.
    """
    store = PatchStore(patches)
    names = [
        f"{architecture}-{fraction}"
        for fraction in sorted(set(fractions), key=float)
        for architecture in architectures
    ]
    results = [read_results(run_files(runs, metrics, name)) for name in names]
    curves = [
        _curves(runs / name / FOLDER, result) for name, result in zip(names, results, strict=True)
    ]
    # Into a folder aside first: the figures belong together, and `out` holds other stages' files.
    out.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=out, prefix=".") as aside:
        draw_comparison(dataset, store, results, curves, Path(aside))
        for file in sorted(Path(aside).iterdir()):
            os.replace(file, out / file.name)
    return results


def draw_comparison(
    dataset: str,
    store: PatchStore,
    results: Sequence[RunResults],
    curves: Sequence[RunCurves],
    folder: Path,
) -> None:
    """Write the table and the figures of the runs into a folder."""
    majority = results[0].detail["test"]
    majority_class, majority_miou = majority["majority_class"], majority["majority_miou"]
    class_names = store.summary.class_names
    write_table(table_rows(dataset, results), (majority_class, majority_miou), folder)
    draw_curves(curves, folder / "curves.png")
    draw_miou([_score(r) for r in results], majority_miou, majority_class, folder / "miou.png")
    draw_confusions(
        {_name(result): result.confusion("test") for result in results},
        class_names,
        folder / "confusion.png",
    )
    draw_panel(panel_rows(store, results), class_names, store.summary.palette, folder / "panel.png")


def run_files(runs: Path, metrics: Path, name: str) -> RunFiles:
    """Return where the results of a run lie, as dvc.yaml lays them out."""
    return RunFiles(
        scores=metrics / f"{name}.json",
        detail=metrics / "detail" / f"{name}.json",
        panel=runs / name / "panel.npy",
    )


def panel_rows(store: PatchStore, results: Sequence[RunResults]) -> list[PanelRow]:
    """Return the panel's patches with the labels that the smallest fraction would show."""
    first = results[0]
    chosen = choose_panel(store.of_split("test"), len(first.panel))
    side = store.summary.size
    return [
        PanelRow(
            name=patch.name,
            image=store.image(patch),
            truth=store.truth(patch),
            visible=visible_pixels(first.detail["seed"], patch.name, side, side, first.fraction),
            predictions={_name(result): result.panel[place] for result in results},
        )
        for place, patch in enumerate(chosen)
    ]


def headline(results: Sequence[RunResults], fraction: float) -> dict[str, dict[str, float]]:
    """Return the scores at one fraction by architecture; no key names the fraction."""
    return {
        result.architecture: result.scores() for result in results if result.fraction == fraction
    }


def write_headline_curves(
    runs: Path, architectures: Sequence[str], fraction: str, folder: Path
) -> None:
    """Write one CSV a curve: epoch, and a column an architecture, at one fraction."""
    for curve in CURVES:
        of_runs = [
            read_curve(runs / f"{architecture}-{fraction}" / FOLDER, curve)
            for architecture in architectures
        ]
        epochs = of_runs[0][0]
        file_name = f"{curve.replace('/', '_')}.csv"
        with new_file(folder / file_name) as file, file.open("w", newline="") as stream:
            rows = csv.writer(stream, lineterminator="\n")
            rows.writerow(["epoch", *architectures])
            rows.writerows(zip(epochs, *(values for _, values in of_runs), strict=True))


def _curves(folder: Path, result: RunResults) -> RunCurves:
    read = {curve: read_curve(folder, curve) for curve in CURVES}
    return RunCurves(
        architecture=result.architecture,
        fraction=result.fraction,
        epochs=read["train/loss"][0],
        values={curve: values for curve, (_, values) in read.items()},
    )


def _score(result: RunResults) -> RunScore:
    return RunScore(
        architecture=result.architecture,
        fraction=result.fraction,
        val_miou=result.detail["val"]["miou"],
        test_miou=result.detail["test"]["miou"],
    )


def _name(result: RunResults) -> str:
    return run_name(result.architecture, result.fraction)


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
    architectures = load_section(args.params, "architectures", list[str])
    results = compare(
        args.dataset,
        architectures,
        args.fractions,
        args.patches,
        args.runs,
        args.metrics,
        args.out,
    )
    write_headline_curves(args.runs, architectures, args.headline, args.headline_curves)
    write_json(args.summary, headline(results, float(args.headline)))
    print((args.out / "table.md").read_text(encoding="utf-8"), end="")


if __name__ == "__main__":
    run(main)
