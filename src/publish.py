"""Stage publish: copy the checkpoint of the best run, with its model card, to one folder."""

import argparse
import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from partialseg.core.command import run
from partialseg.core.files import new_file
from partialseg.evaluation.results import read_results
from partialseg.evaluation.runs import Run, is_main, load_listed_runs, run_files

FILES = ("best.md", "best.pt")  # of a run


def publish(listed: Sequence[Run], runs: Path, metrics: Path, out: Path) -> Run:
    """Copy checkpoint and card of the run of the highest validation mIoU to `out`; return the run.

    Only runs of the first split and labelling are compared.

    Raises:
        ValueError: the results of a listed run are missing or damaged.
        OSError: its checkpoint or card is missing.
    """
    results = [read_results(run_files(runs, metrics, item), item) for item in listed]
    # The validation patches of another split may be easier. The headline, too, is about the first
    # labelling.
    comparable = [item for item in results if is_main(item.run.cell, listed[0].cell)]
    # By validation: the test split must not take part in the choice that it judges.
    best = max(comparable, key=lambda item: item.detail["val"]["miou"])
    with ExitStack() as whole:  # both files or neither
        for name in FILES:
            file = whole.enter_context(new_file(out / name))
            shutil.copyfile(runs / best.run.path / name, file)
    return best.run


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
