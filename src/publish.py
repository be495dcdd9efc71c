"""Stage publish: copy the checkpoint of the best run, with its model card, to one folder."""

import argparse
from pathlib import Path

from partialseg.comparison.publish import publish
from partialseg.core.command import run
from partialseg.evaluation.runs import load_listed_runs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--fractions", nargs="+", required=True)
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--metrics", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    listed = load_listed_runs(args.params, args.fractions)
    best = publish(listed, args.runs, args.metrics, args.out)
    print(f"{args.out}: {best.path}, the run of the highest validation mIoU")


if __name__ == "__main__":
    run(main)
