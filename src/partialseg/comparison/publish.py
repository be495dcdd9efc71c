"""Stage publish: the best run, whose checkpoint and model card are handed out."""

import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from partialseg.core.files import new_file
from partialseg.evaluation.results import RunResults, read_results
from partialseg.evaluation.runs import Run, is_main, run_files

FILES = ("best.md", "best.pt")  # of a run


def publish(listed: Sequence[Run], runs: Path, metrics: Path, out: Path) -> Run:
    """Copy checkpoint and card of the best of the listed runs to `out`; return the run.

    Raises:
        ValueError: the results of a listed run are missing or damaged.
        OSError: the checkpoint or card of the best run is missing.
    """
    best = best_run([read_results(run_files(runs, metrics, item), item) for item in listed]).run
    with ExitStack() as whole:  # both files or neither
        for name in FILES:
            file = whole.enter_context(new_file(out / name))
            shutil.copyfile(runs / best.path / name, file)
    return best


def best_run(results: Sequence[RunResults]) -> RunResults:
    """Return the run of the first split and labelling that has the highest validation mIoU.

    By validation, as the test split is to judge the choice; and of one split, as other splits
    have other validation patches, easier ones where they leak.
    """
    first = results[0].run.cell
    return max(
        (item for item in results if is_main(item.run.cell, first)),
        key=lambda item: item.detail["val"]["miou"],
    )
