"""Stage report: one HTML page of what was compared, what came out, and where it comes from."""

import argparse
from dataclasses import replace
from pathlib import Path

from partialseg.comparison.compared import read_compared_runs
from partialseg.core.command import run
from partialseg.core.params import load_section
from partialseg.evaluation.runs import load_listed_runs
from partialseg.report.data import read_report_data
from partialseg.report.report import report
from partialseg.transfer.results import listed_transfers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--lock", type=Path, default=Path("dvc.lock"))
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--fractions", nargs="+", required=True)
    parser.add_argument("--headline", required=True, help="label fraction of what shows only one")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--metrics", type=Path, required=True)
    parser.add_argument("--comparison", type=Path, required=True, help="where compare wrote")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--transfers", type=Path, required=True, help="where transfer wrote")
    args = parser.parse_args()
    listed = load_listed_runs(args.params, args.fractions)
    compared = read_compared_runs(args.dataset, listed, args.headline, args.runs, args.metrics)
    data = read_report_data(compared, args.data, args.runs, args.comparison, args.params, args.lock)
    others = load_section(args.params, "tested_on", list[str])
    transfers = listed_transfers(args.transfers, [args.dataset, *others]) if others else []
    report(replace(data, transfers=transfers), args.out)
    print(f"{args.out}: {args.out.stat().st_size / 2**20:.2f} MiB")


if __name__ == "__main__":
    run(main)
