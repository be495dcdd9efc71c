"""Trainings side by side on a Dask cluster, each by its own command in a process of its own.

Dask does the scheduling: a worker takes one training at a time, and what a dead worker was doing is
given to another one, where it goes on at the last epoch that was saved.
"""

import ctypes
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import cloudpickle
from distributed import Client, Future, Worker, get_worker
from filelock import FileLock, Timeout
from tqdm import tqdm

from partialseg.cluster.clients import connected, ended, failure_of, local_workers
from partialseg.cluster.stages import Training

RESOURCE = "training"  # of which a worker has 1
LOG = "log.txt"  # in the folder that a training resumes from
OUT = ".out"  # beside it: what the command writes, removed again
NO_WORKER_SECONDS = 60
POLL_SECONDS = 1.0
STOP_SECONDS = 30  # in which a training ends by itself
LOCK_SECONDS = 15  # until the loaders of a killed training have noticed
# For glibc. Dask has its workers return memory at once (MALLOC_TRIM_THRESHOLD_=65536): a training
# would fetch it again, page by page, in every step, for up to twice the CPU time. Without mmap it
# keeps large tensors, too, which saves a tenth of what glibc's own settings take.
KEEP_MEMORY = {"MALLOC_TRIM_THRESHOLD_": str(2**30), "MALLOC_MMAP_MAX_": "0"}
EPOCH = re.compile(r"epoch (\d+/\d+): .*val mIoU ([\d.]+)")


@dataclass(frozen=True, kw_only=True)
class Share:
    """What a training takes: the threads of each of its processes, and a GPU for each or none."""

    threads: int
    processes: int
    on_gpus: bool


@contextmanager
def local_client(jobs: int) -> Iterator[Client]:
    """Start a cluster of so many workers on this machine, for as long as the block lasts."""
    with local_workers(jobs, 1, {RESOURCE: 1}) as client:
        yield client


@contextmanager
def remote_client(address: str) -> Iterator[Client]:
    """Connect to a scheduler, whose workers must see this folder by the same path.

    Raises:
        ValueError: it does not answer, or none of its workers can train.
    """
    with connected(address) as client:
        try:
            workers_of(client)
        except ValueError as error:
            raise ValueError(
                f"scheduler {address}: {error}; start some in this folder: dask worker {address} "
                f"--nthreads 1 --resources {RESOURCE}=1"
            ) from None
        yield client


def train_side_by_side(
    client: Client, folder: Path, trainings: Sequence[Training], share: Share
) -> None:
    """Run the commands of trainings in the folder, each into the folder that it resumes from.

    Shows one line of progress. A training that fails does not end the others.

    Raises:
        ValueError: trainings failed, which the message names with the last line and the log of
            each; or no worker is left that sees the folder.
    """
    # Schedulers and workers of other machines lack this package. What is defined in a function goes
    # to them by value, and with it what it uses of this module.
    cloudpickle.register_pickle_by_value(sys.modules[__name__])

    async def sees(dask_worker: Worker) -> bool:
        found = folder.is_dir()
        if not found:  # so that it gets no training
            await dask_worker.set_resources(**{RESOURCE: 0})
        return found

    def ask(workers: Sequence[str]) -> None:
        answers = client.run(sees, workers=list(workers), on_error="ignore")
        for blind in (worker for worker, found in answers.items() if not found):
            bar.write(f"worker {blind}: does not see {folder}, and gets no training")

    def task(command: str) -> str:
        return run_training(command, str(folder), share, is_awaited())

    def submit(training: Training) -> Future[str]:
        (folder / training.resume / LOG).unlink(missing_ok=True)
        key = f"{training.stage}-{time.time_ns()}"
        return client.submit(task, training.command, key=key, resources={RESOURCE: 1}, pure=False)

    failed: list[str] = []
    shown = ""
    asked = set[str]()
    waiting, running = list(trainings), dict[Future[str], Training]()
    with tqdm(total=len(trainings), desc="trainings", unit="", dynamic_ncols=True) as bar:
        while waiting or running:
            workers = workers_of(client)
            if come := set(workers) - asked:
                ask(sorted(come))
                asked |= come
                workers = workers_of(client)
            # No more than there are workers: when one dies, Dask blames all that it was to run.
            for _ in range(min(len(waiting), len(workers) - len(running))):
                training = waiting.pop(0)
                running[submit(training)] = training
            for future, training in ended(running):
                why = failure_of(future, "take fewer JOBS") or str(future.result())
                failed += [f"{training.stage}: {why}"] * bool(why)
                bar.write(f"{training.stage}: {why or _epoch(folder, training)}", file=sys.stdout)
                bar.update()
            told = ((item.stage, _epoch(folder, item)) for item in running.values())
            progress = "; ".join(f"{name} {epoch}" for name, epoch in told if epoch)
            if progress != shown or sys.stderr.isatty():  # in a log, a line an epoch
                bar.set_postfix_str(progress)
            shown = progress
    if failed:
        raise ValueError("; ".join(failed))


def workers_of(client: Client) -> list[str]:
    """Return the addresses of the workers that can train, after a while without any.

    Raises:
        ValueError: none is there, or the scheduler is gone.
    """
    until = time.monotonic() + NO_WORKER_SECONDS
    while time.monotonic() < until:
        try:
            workers = client.scheduler_info(n_workers=-1)["workers"]
        except (OSError, CancelledError) as error:
            raise ValueError(f"the scheduler does not answer any more: {error}") from None
        able = [name for name, told in workers.items() if told["resources"].get(RESOURCE)]
        if able:
            return able
        time.sleep(1)
    raise ValueError(f"for {NO_WORKER_SECONDS} s the scheduler has had no worker that can train")


def is_awaited() -> Callable[[], bool]:
    """Return what tells, in a task, whether a client still waits for it.

    The scheduler takes back the tasks of a client that has gone, by Ctrl-C or otherwise. Dask
    interrupts no task that has begun.
    """
    worker = get_worker()
    key = worker.get_current_task()

    def awaited() -> bool:
        task = worker.state.tasks.get(key)
        return task is not None and task.state != "cancelled"

    return awaited


def run_training(
    command: str, folder: str, share: Share, awaited: Callable[[], bool] = lambda: True
) -> str:
    """Run a training's command, on a worker; return '' or, in one line, why it failed.

    It is ended as soon as it is no longer awaited.
    """
    if not Path(folder).is_dir():
        return f"{socket.gethostname()}: does not see {folder}"
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
        training = subprocess.Popen(
            words,
            cwd=folder,
            env=os.environ | _settings(share),
            stdout=log,
            stderr=subprocess.STDOUT,
            preexec_fn=_end_with_worker(),
        )
        status = _wait_while(awaited, training)
    shutil.rmtree(out, ignore_errors=True)
    if not status:
        return ""
    said = (resume / LOG).read_bytes()[began:].decode(errors="replace").splitlines()
    if status < 0:
        name = signal.Signals(-status).name
        why = f"ended by {name}" + ("; perhaps there is too little memory" * (name == "SIGKILL"))
    else:
        why = (said or [f"exit status {status}"])[-1]
    return f"{why} (log: {resume / LOG})"


def _wait_while(awaited: Callable[[], bool], training: subprocess.Popen[bytes]) -> int:
    """Return the exit status of a training, which is ended when it is no longer awaited."""
    while awaited():
        with suppress(subprocess.TimeoutExpired):
            return training.wait(POLL_SECONDS)
    training.terminate()
    with suppress(subprocess.TimeoutExpired):
        return training.wait(STOP_SECONDS)
    training.kill()
    return training.wait()


def _settings(share: Share) -> Mapping[str, str]:
    """Return environment variables: Python, memory and GPUs of a training on this worker."""
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    settings = {"PATH": programs, "PYTHONUNBUFFERED": "1"} | KEEP_MEMORY
    if share.on_gpus:
        first = int(get_worker().name) * share.processes
        visible = os.environ.get("CUDA_VISIBLE_DEVICES", "")
        devices = (
            visible.split(",") if visible else [str(n) for n in range(first + share.processes)]
        )
        settings["CUDA_VISIBLE_DEVICES"] = ",".join(devices[first : first + share.processes])
    return settings


def _wait_for(resume: Path) -> None:
    """Wait until what a killed worker has left behind lets go of the folder."""
    with suppress(Timeout), FileLock(resume / "lock").acquire(timeout=LOCK_SECONDS):
        pass


def _end_with_worker() -> Callable[[], object] | None:
    """Return what lets the kernel kill a process when the worker that starts it is gone (Linux)."""
    if sys.platform != "linux":
        return None
    set_death_signal = 1  # PR_SET_PDEATHSIG
    prctl = ctypes.CDLL(None).prctl  # looked up here, as a fork of a process with threads may not
    return lambda: prctl(set_death_signal, signal.SIGKILL)


def _epoch(folder: Path, training: Training) -> str:
    """Return the last epoch in the log of a training: 'epoch 3/12, val mIoU 0.4102'."""
    with suppress(OSError):
        found = EPOCH.findall((folder / training.resume / LOG).read_text(errors="replace"))
        if found:
            return f"epoch {found[-1][0]}, val mIoU {found[-1][1]}"
    return ""
