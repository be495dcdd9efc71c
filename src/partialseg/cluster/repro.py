"""The whole pipeline by DVC, with its trainings run ahead side by side.

DVC runs one stage after the other, and several `dvc repro` in one workspace lock each other out.
So what DVC says it would train is trained first, each by the stage's own command, as far as the
folder that a training resumes from. Then DVC runs: it finds these trainings finished and takes
them over.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from dvc.exceptions import DvcException
from dvc.utils.hydra import apply_overrides

from partialseg.cluster.stages import Training, out_of_date, training_levels

PARAMS = "params.yaml"


def repro(settings: Sequence[str] = (), jobs: int | None = None, scheduler: str = "") -> None:
    """Run `dvc repro`, or `dvc exp run -S ...` where there are settings, with trainings ahead.

    It runs in the current folder, as DVC does. jobs are the trainings at once on this machine;
    scheduler is the address of a Dask scheduler whose workers train instead.

    Raises:
        ValueError: a setting, jobs or scheduler is wrong, or trainings fail; then params.yaml is
            as it was.
        SystemExit: DVC fails.
    """
    if jobs is not None and jobs < 1:
        raise ValueError(f"JOBS: should be at least 1, got {jobs}")
    with changed_params(Path(PARAMS), settings):
        dvc("repro", "check")
        for needed, names in training_levels():
            dvc("repro", *needed)
            trainings = out_of_date(names)
            if trainings and (scheduler or len(trainings) > 1):
                train_ahead(trainings, jobs, scheduler)
    if settings:
        dvc("exp", "run", *(word for setting in settings for word in ("-S", setting)))
    else:
        dvc("repro")


def train_ahead(trainings: Sequence[Training], jobs: int | None, scheduler: str) -> None:
    """Train on a cluster, if more than one training at a time is possible.

    Raises:
        ValueError: jobs or scheduler is wrong, or trainings fail.
    """
    # Imported here: PyTorch and Dask take seconds, and often nothing is to be trained.
    import torch

    from partialseg.cluster.jobs import choose_jobs, cores, share_of
    from partialseg.cluster.side_by_side import local_client, remote_client, train_side_by_side

    share = share_of(Path(PARAMS), trainings)
    if scheduler:
        with remote_client(scheduler) as client:
            train_side_by_side(client, Path.cwd(), trainings, share)
        return
    most = min(choose_jobs(jobs, share, torch.cuda.device_count(), cores()), len(trainings))
    if most > 1:
        with local_client(most) as client:
            train_side_by_side(client, Path.cwd(), trainings, share)


@contextmanager
def changed_params(file: Path, settings: Sequence[str]) -> Iterator[None]:
    """Set parameters as `dvc exp run -S` does; after an error the file is as it was.

    Raises:
        ValueError: a setting is not of the form key=value, or there is no such key.
    """
    before = file.read_bytes()
    try:
        if settings:
            apply_overrides(file, list(settings))
        yield
    except DvcException as error:
        file.write_bytes(before)
        raise ValueError(f"-S {' '.join(settings)}: {error}") from error
    except BaseException:
        file.write_bytes(before)
        raise


def dvc(*words: str) -> None:
    """Run a command of DVC, which prints what is wrong itself; its trainings have one thread too.

    Raises:
        SystemExit: it fails.
    """
    environment = {"OMP_NUM_THREADS": "1"} | os.environ
    done = subprocess.run([sys.executable, "-m", "dvc", *words], env=environment)
    if done.returncode:
        raise SystemExit(done.returncode)
