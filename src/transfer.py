"""Stage transfer: score the networks of a data set on the test patches of another one."""

import argparse
from pathlib import Path

from partialseg.core.command import run
from partialseg.core.params import load_section
from partialseg.evaluation.params import Evaluate
from partialseg.evaluation.runs import load_listed_runs
from partialseg.tiling.params import Tile
from partialseg.transfer.cut import OtherSet
from partialseg.transfer.params import Transfer
from partialseg.transfer.table import remarks, transfer_table
from partialseg.transfer.transfer import Trained, transfer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--dataset", required=True, help="that the networks were trained on")
    parser.add_argument("--split", required=True, help="of these networks")
    parser.add_argument("--fraction", required=True, help="label fraction of these networks")
    parser.add_argument("--patches", type=Path, required=True, help="of --dataset and --split")
    parser.add_argument("--runs", type=Path, required=True, help="folder of the runs of --dataset")
    parser.add_argument("--other", required=True, help="data set that they are tested on")
    parser.add_argument("--source", type=Path, required=True, help="of --other")
    parser.add_argument("--out", type=Path, required=True, help=".json; a table is written beside")
    args = parser.parse_args()
    section, other = f"datasets.{args.dataset}", f"datasets.{args.other}"
    foreign = load_section(args.params, f"{other}.transfer", Transfer)
    changes = f"{other}.splits.{foreign.split}"
    listed = load_listed_runs(args.params, [args.fraction])
    results = transfer(
        Trained(
            dataset=args.dataset,
            patches=args.patches,
            folder=args.runs,
            runs=[
                item
                for item in listed
                if (item.cell.split, item.cell.fraction) == (args.split, args.fraction)
            ],
            transfer=load_section(args.params, f"{section}.transfer", Transfer),
        ),
        OtherSet(
            dataset=args.other,
            source=args.source,
            tile=load_section(args.params, f"{other}.tile", Tile, changes),
            transfer=foreign,
        ),
        args.out,
        load_section(args.params, f"{section}.evaluate", Evaluate),
    )
    print(transfer_table(results))
    print("\n".join(remarks(results)))


if __name__ == "__main__":
    run(main)
