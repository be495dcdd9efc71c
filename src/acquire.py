"""Stage acquire: choose which pixels of the training patches to label next, up to a fraction."""

import argparse
from pathlib import Path

from partialseg.acquisition.acquire import PreviousRound, acquire
from partialseg.acquisition.params import Acquire
from partialseg.core.command import run
from partialseg.core.params import load_section


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--strategy", required=True, help="of datasets.<dataset>.strategies")
    parser.add_argument("--patches", type=Path, required=True)
    parser.add_argument("--labels", type=Path, required=True, help="of the round before")
    parser.add_argument("--run", type=Path, help="trained on them; strategy random needs none")
    parser.add_argument("--fraction", type=float, required=True, help="labelled in all, at the end")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    section = f"datasets.{args.dataset}"
    params = load_section(
        args.params, f"{section}.acquire", Acquire, f"{section}.strategies.{args.strategy}"
    )
    previous = PreviousRound(labels=args.labels, run=args.run)
    acquired = acquire(args.patches, previous, args.out, args.fraction, params, args.seed)
    print(
        f"{acquired.bought} of {acquired.budget} new pixels by {acquired.strategy}, a "
        f"{acquired.unit} at a time, {acquired.without_truth} of them without truth: "
        f"{acquired.counts}"
    )


if __name__ == "__main__":
    run(main)
