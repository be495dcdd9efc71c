"""Stage compare: the table, the figures and the headline numbers of all runs of a data set."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from partialseg.comparison.cells import CellCurves, by_cell, mean_curves, read_curves
from partialseg.comparison.headline import summary, write_headline_curves
from partialseg.core.command import run
from partialseg.core.files import write_json
from partialseg.core.params import load_section
from partialseg.evaluation.results import RunResults, read_results
from partialseg.evaluation.runs import Run, load_listed_runs, run_files
from partialseg.figures.comparison import draw_comparison
from partialseg.labelling.params import Label
from partialseg.tiling.patches import PatchStore


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
