"""Trainings side by side on a Dask cluster, each by its own command in a process of its own.

Dask does the scheduling: a worker takes one training at a time, and what a dead worker was doing is
given to another one, where it goes on at the last epoch that was saved.
"""

import ctypes
import logging
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import cloudpickle
from distributed import Client, Future, LocalCluster, get_worker, wait
from distributed.scheduler import KilledWorker
from filelock import FileLock, Timeout
from tqdm import tqdm

from partialseg.cluster.stages import Training

RESOURCE = "training"  # of which a worker has 1
LOG = "log.txt"  # in the folder that a training resumes from
OUT = ".out"  # beside it: what the command writes, removed again
ANSWER_SECONDS = 20  # of a scheduler
LOCK_SECONDS = 15  # until the loaders of a killed training have noticed
EPOCH = re.compile(r"epoch (\d+/\d+): .*val mIoU ([\d.]+)")


@dataclass(frozen=True, kw_only=True)
class Share:
    """What one training may use: threads in all, and GPUs (0: none is chosen for it)."""

    threads: int
    gpus: int


@contextmanager
def local_client(jobs: int) -> Iterator[Client]:
    """Start a cluster of so many workers on this machine, for as long as the block lasts."""
    with (
        LocalCluster(
            n_workers=jobs,
            threads_per_worker=1,
            resources={RESOURCE: 1},
            memory_limit=0,  # Dask would watch the worker and not the training
            dashboard_address=None,
            silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


@contextmanager
def remote_client(address: str) -> Iterator[Client]:
    """Connect to a scheduler, whose workers must see this folder by the same path.

    Raises:
        ValueError: it does not answer, or none of its workers can train.
    """
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    try:
        client = Client(address, timeout=ANSWER_SECONDS)
    except ValueError as error:
        raise ValueError(f"scheduler {address}: no address of one: {error}") from None
    except OSError as error:  # TimeoutError is one
        raise ValueError(f"scheduler {address}: does not answer: {error}") from None
    with client:
        workers = client.scheduler_info(n_workers=-1)["workers"].values()
        if not any(worker["resources"].get(RESOURCE) for worker in workers):
            raise ValueError(
                f"scheduler {address}: none of its {len(workers)} workers can train; start some in "
                f"this folder: dask worker {address} --nthreads 1 --resources {RESOURCE}=1"
            )
        yield client


def train_side_by_side(
    client: Client, folder: Path, trainings: Sequence[Training], share: Share
) -> None:
    """Run the commands of trainings in the folder, each into the folder that it resumes from.

    Shows one line of progress. A training that fails does not end the others.

    Raises:
        ValueError: trainings failed; the message has the first line of each and its log.
    """
    for training in trainings:
        (folder / training.resume / LOG).unlink(missing_ok=True)
    # Schedulers and workers of other machines lack this package. What is defined in a function goes
    # to them by value, and with it what it uses of this module.
    cloudpickle.register_pickle_by_value(sys.modules[__name__])

    def task(command: str) -> str:
        return run_training(command, str(folder), share)

    waiting = {
        client.submit(
            task,
            training.command,
            key=f"{training.stage}-{time.time_ns()}",
            resources={RESOURCE: 1},
            pure=False,
        ): training
        for training in trainings
    }
    failed = _watch(waiting, folder)
    if failed:
        raise ValueError("; ".join(failed))


def run_training(command: str, folder: str, share: Share) -> str:
    """Run a training's command, on a worker; return '' or, in one line, why it failed."""
    words = shlex.split(command)
    options = {name: words.index(name) + 1 for name in ("--out", "--resume")}
    resume = Path(folder, words[options["--resume"]])
    resume.mkdir(parents=True, exist_ok=True)
    # Not into DVC's output, which may be a link into its cache; DVC's own run fills that.
    out = resume.with_name(resume.name + OUT)
    words[options["--out"]] = str(out)
    _wait_for(resume)
    with (resume / LOG).open("ab") as log:
        began = log.tell()
        done = subprocess.run(
            words,
            cwd=folder,
            env=os.environ | _settings(share),
            stdout=log,
            stderr=subprocess.STDOUT,
            preexec_fn=_end_with_worker,
        )
    shutil.rmtree(out, ignore_errors=True)
    if not done.returncode:
        return ""
    said = (resume / LOG).read_bytes()[began:].decode(errors="replace").splitlines()
    if done.returncode < 0:
        name = signal.Signals(-done.returncode).name
        why = f"ended by {name}" + ("; perhaps there is too little memory" * (name == "SIGKILL"))
    else:
        why = (said or [f"exit status {done.returncode}"])[-1]
    return f"{why} (log: {resume / LOG})"


def _settings(share: Share) -> Mapping[str, str]:
    """Return environment variables: the worker's Python first, the threads, the worker's GPUs."""
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    settings = {"PATH": programs, "OMP_NUM_THREADS": str(share.threads), "PYTHONUNBUFFERED": "1"}
    if share.gpus:
        first = int(get_worker().name) * share.gpus
        visible = os.environ.get("CUDA_VISIBLE_DEVICES", "")
        devices = visible.split(",") if visible else [str(n) for n in range(first + share.gpus)]
        settings["CUDA_VISIBLE_DEVICES"] = ",".join(devices[first : first + share.gpus])
    return settings


def _wait_for(resume: Path) -> None:
    """Wait until what a killed worker has left behind lets go of the folder."""
    with suppress(Timeout), FileLock(resume / "lock").acquire(timeout=LOCK_SECONDS):
        pass


def _end_with_worker() -> None:
    """Let the kernel kill this process when the worker that started it is gone (Linux)."""
    if sys.platform == "linux":
        set_death_signal = 1  # PR_SET_PDEATHSIG
        ctypes.CDLL(None).prctl(set_death_signal, signal.SIGKILL)


def _watch(waiting: dict[Future[str], Training], folder: Path) -> list[str]:
    """Show the progress of trainings until all have ended; return why some failed.

    Futures that have ended are dropped: Dask would run a training again that somebody holds when
    the worker that has its result dies.
    """
    failed: list[str] = []
    with tqdm(total=len(waiting), desc="trainings", unit="", dynamic_ncols=True) as bar:
        while waiting:
            with suppress(TimeoutError):
                wait(list(waiting), timeout=1, return_when="FIRST_COMPLETED")
            for future in [future for future in waiting if future.done()]:
                why = _failure(future)
                training = waiting.pop(future)
                failed += [f"{training.stage}: {why}"] * bool(why)
                bar.write(f"{training.stage}: {why or _epoch(folder, training)}", file=sys.stdout)
                bar.update()
            running = ((item.resume.name, _epoch(folder, item)) for item in waiting.values())
            bar.set_postfix_str("; ".join(f"{name} {epoch}" for name, epoch in running if epoch))
    return failed


def _failure(future: Future[str]) -> str:
    error = future.exception()
    if isinstance(error, KilledWorker):
        return (
            "its worker died each time that it was tried; most often there is too little memory: "
            "take fewer JOBS"
        )
    return str(error) if error else str(future.result())


def _epoch(folder: Path, training: Training) -> str:
    """Return the last epoch in the log of a training: 'epoch 3/12, val mIoU 0.4102'."""
    with suppress(OSError):
        found = EPOCH.findall((folder / training.resume / LOG).read_text(errors="replace"))
        if found:
            return f"epoch {found[-1][0]}, val mIoU {found[-1][1]}"
    return ""
