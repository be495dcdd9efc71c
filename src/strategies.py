"""Stage strategies: what each strategy of active learning gives at equal label budgets."""

import argparse
from pathlib import Path

from partialseg.core.command import run
from partialseg.evaluation.results import read_results
from partialseg.evaluation.runs import load_strategy_runs, run_files
from partialseg.figures.strategies import compare_strategies


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--fraction", required=True, help="of the last round that is shown")
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--metrics", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    listed = load_strategy_runs(args.params, args.fraction)
    results = [read_results(run_files(args.runs, args.metrics, item), item) for item in listed]
    compare_strategies(args.dataset, results, args.out)
    print((args.out / "table.md").read_text(encoding="utf-8"), end="")


if __name__ == "__main__":
    run(main)
