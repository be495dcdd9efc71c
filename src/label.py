"""Stage label: draw which pixels of the training patches are visible at a label fraction."""

import argparse
from pathlib import Path

from partialseg.core.command import run
from partialseg.core.params import load_section
from partialseg.labelling.label import label, lines
from partialseg.labelling.params import Label


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--labelling", required=True)
    parser.add_argument("--patches", type=Path, required=True)
    parser.add_argument("--fraction", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    section = f"datasets.{args.dataset}"
    params = load_section(
        args.params, f"{section}.label", Label, f"{section}.labellings.{args.labelling}"
    )
    summary = label(args.patches, args.out, args.fraction, args.seed, params)
    print(*lines(summary), sep="\n")


if __name__ == "__main__":
    run(main)
