"""The whole pipeline by DVC, with its trainings run ahead side by side.

DVC runs one stage after the other, and several `dvc repro` in one workspace lock each other out.
So what DVC says it would train is trained first, each by the stage's own command, as far as the
folder that a training resumes from. Then DVC runs: it finds these trainings finished and takes
them over.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
from dvc.exceptions import DvcException
from dvc.utils.hydra import apply_overrides
from filelock import FileLock, Timeout

from partialseg.cluster.order import longest_first
from partialseg.cluster.stages import Training, matching, out_of_date, training_levels
from partialseg.core.files import new_file
from partialseg.core.params import read_yaml

PARAMS = "params.yaml"
LOCK = Path(".dvc", "tmp", "repro.lock")
STOP_SECONDS = 30  # after Ctrl-C


def repro(
    settings: Sequence[str] = (),
    jobs: int | None = None,
    scheduler: str = "",
    targets: Sequence[str] = (),
) -> None:
    """Run `dvc repro`, or `dvc exp run -S ...` where there are settings, with trainings ahead.

    It runs in the current folder, as DVC does. jobs are the trainings at once on this machine;
    scheduler is the address of a Dask scheduler whose workers train instead. targets are patterns
    of the stages to reproduce; without any, it is the whole pipeline.

    Raises:
        ValueError: a setting, jobs, scheduler or target is wrong, git does not know who commits an
            experiment, trainings fail, another such command runs in this folder, or it is no
            project.
        SystemExit: DVC fails.
    """
    if jobs is not None and jobs < 1:
        raise ValueError(f"JOBS: should be at least 1, got {jobs}")
    if jobs is not None and scheduler:
        raise ValueError("JOBS: is for this machine; with SCHEDULER, start as many workers as fit")
    if settings:
        check_committer()
    if not (Path(".dvc").is_dir() and Path(PARAMS).is_file()):
        raise ValueError(f"{Path.cwd()}: no .dvc and {PARAMS} here; run it in the project's folder")
    with only_one(LOCK):
        if restore_params(Path(PARAMS)):
            print(f"{PARAMS}: without what an experiment that was killed had changed", flush=True)
        _repro(settings, jobs, scheduler, targets)


def _repro(
    settings: Sequence[str], jobs: int | None, scheduler: str, targets: Sequence[str]
) -> None:
    with changed_params(Path(PARAMS), settings):
        stages = matching(targets) if targets else []  # without any, DVC need not read all
        dvc("repro", "check")
        for needed, names in training_levels(stages):
            dvc("repro", *needed)
            trainings = longest_first(out_of_date(names))
            if trainings and (scheduler or len(trainings) > 1):
                train_ahead(trainings, jobs, scheduler)
    if settings:
        dvc("exp", "run", *stages, *(word for setting in settings for word in ("-S", setting)))
    else:
        dvc("repro", *stages)


def check_committer() -> None:
    """Check that git knows who commits, as DVC does an experiment, when all has been trained.

    Raises:
        ValueError: name or e-mail is missing.
    """
    for key in ("name", "email"):
        command = ["git", "config", f"user.{key}"]
        known = subprocess.run(command, capture_output=True, check=False).stdout.strip()
        roles = (f"GIT_{role}_{key.upper()}" for role in ("AUTHOR", "COMMITTER"))
        if not (known or all(map(os.environ.get, roles))):
            raise ValueError(
                f"git: knows no user.{key}, and DVC commits an experiment: git config user.{key} "
                f"YOUR_{key.upper()}"
            )


def check_lists(file: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Check that lists of the top level are still lists: DVC makes stages of them.

    Raises:
        ValueError: one is not.
    """
    for key, value in now.items():
        if isinstance(before.get(key), list) and not isinstance(value, list):
            raise ValueError(f"{file}: {key}: should be a list, as {key}=[{value}], got {value!r}")


def train_ahead(trainings: Sequence[Training], jobs: int | None, scheduler: str) -> None:
    """Train on a cluster, if more than one training at a time is possible.

    Raises:
        ValueError: jobs or scheduler is wrong, or trainings fail.
    """
    # Imported here: PyTorch and Dask take seconds, and often nothing is to be trained.
    import torch

    from partialseg.cluster.jobs import choose_jobs, cores, share_of
    from partialseg.cluster.side_by_side import local_client, remote_client, train_side_by_side

    gpus = torch.cuda.device_count()
    share = share_of(Path(PARAMS), trainings, jobs, gpus)
    if scheduler:
        with remote_client(scheduler) as client:
            # A worker on another machine uses the GPUs that its own environment names.
            train_side_by_side(client, Path.cwd(), trainings, replace(share, on_gpus=False))
        return
    most = min(choose_jobs(jobs, share, gpus, cores()), len(trainings))
    if most > 1:
        with local_client(most) as client:
            train_side_by_side(client, Path.cwd(), trainings, share)


@contextmanager
def changed_params(file: Path, settings: Sequence[str]) -> Iterator[None]:
    """Set parameters as `dvc exp run -S` does, while the block lasts; comments stay.

    Raises:
        ValueError: a setting is not of the form key=value, there is no such key, or a list becomes
            something else.
    """
    if not settings:
        yield
        return
    values, changed = read_yaml(file), kept(file, "changed")
    changed.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, changed)
    try:
        apply_overrides(changed, list(settings))
        check_lists(file, values, read_yaml(changed))
    except DvcException as error:
        changed.unlink()
        raise ValueError(f"-S {' '.join(settings)}: {error.__cause__ or error}") from error
    except ValueError:
        changed.unlink()
        raise
    # The change is known before it is made, so that the next command can undo it.
    shutil.copyfile(file, kept(file, "before"))
    replace_by(file, changed)
    try:
        yield
    finally:
        restore_params(file)


def kept(file: Path, state: str) -> Path:
    """Return where the parameters `before` a change or as `changed` are kept until it is undone."""
    return file.parent / LOCK.parent / f"{state}.{file.name}"


def restore_params(file: Path) -> bool:
    """Undo changed_params(), also of a command that was killed; return whether that changed it."""
    before, changed = kept(file, "before"), kept(file, "changed")
    if not (before.exists() and changed.exists()):
        return False
    ours = file.read_bytes() == changed.read_bytes()  # else somebody has edited it since
    if ours:
        replace_by(file, before)
    changed.unlink()
    return ours


def replace_by(file: Path, other: Path) -> None:
    """Give a file the content of another one; it is whole at any moment."""
    with new_file(file) as part:
        shutil.copyfile(other, part)


@contextmanager
def only_one(lock: Path) -> Iterator[None]:
    """Keep out a second command in this folder; DVC's own lock is free while trainings run.

    Raises:
        ValueError: there is one.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    try:
        held = FileLock(lock).acquire(blocking=False)
    except Timeout:
        raise ValueError(
            "make repro, sweep or experiment runs in this folder already; wait for it or end it"
        ) from None
    with held:
        yield


def dvc(*words: str) -> None:
    """Run a command of DVC, which prints what is wrong itself.

    Raises:
        SystemExit: it fails.
    """
    with subprocess.Popen([sys.executable, "-m", "dvc", *words]) as process:
        try:
            status = process.wait()
        except BaseException as stop:
            # Ctrl-C reaches DVC and its stage, too. SIGTERM does not, and DVC, which ends with its
            # stage, would leave that behind.
            if not isinstance(stop, KeyboardInterrupt):
                end_stage(process.pid)
            with suppress(subprocess.TimeoutExpired):
                process.wait(STOP_SECONDS)
            process.terminate()
            raise
    if status:
        raise SystemExit(status)


def end_stage(dvc_pid: int) -> None:
    """End what a DVC has started; it ends with its stage."""
    with suppress(psutil.Error):
        for child in psutil.Process(dvc_pid).children(recursive=True):
            with suppress(psutil.Error):  # it has ended by itself
                child.terminate()
