"""Stage compare: the table, the figures and the headline numbers of all runs of a data set."""

import argparse
from pathlib import Path

from partialseg.comparison.compared import read_compared_runs, summary, write_headline_curves
from partialseg.core.command import run
from partialseg.core.files import write_json
from partialseg.core.params import load_section
from partialseg.evaluation.runs import load_listed_runs
from partialseg.figures.compare import compare
from partialseg.labelling.params import Label
from partialseg.tiling.patches import PatchStore


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--fractions", nargs="+", required=True)
    parser.add_argument("--headline", required=True, help="label fraction of confusions and panel")
    parser.add_argument("--patches", type=Path, required=True, help="those of the first split")
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--metrics", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--headline-curves", type=Path, required=True)
    parser.add_argument("--summary", type=Path, required=True)
    args = parser.parse_args()
    listed = load_listed_runs(args.params, args.fractions)
    section = f"datasets.{args.dataset}"
    labelling = f"{section}.labellings.{listed[0].cell.labelling}"
    label = load_section(args.params, f"{section}.label", Label, labelling)
    store = PatchStore(args.patches)
    compared = read_compared_runs(args.dataset, listed, args.headline, args.runs, args.metrics)
    compare(compared, store, label, args.out)
    write_headline_curves(compared.curves, args.headline, args.headline_curves)
    write_json(args.summary, summary(compared.results, args.headline))
    print((args.out / "table.md").read_text(encoding="utf-8"), end="")


if __name__ == "__main__":
    run(main)
