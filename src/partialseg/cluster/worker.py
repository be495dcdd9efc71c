"""What a worker does for the maps of many orthophotos; these functions run there alone."""

import ctypes
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any
from uuid import uuid4

import torch
from distributed import get_worker

from partialseg.cluster.remote import SRC
from partialseg.core.files import part_folder
from partialseg.mapping.maps import Wanted, join_in, predict_in
from partialseg.mapping.model import Averaged, Model, Views
from partialseg.mapping.mosaic import map_of, measure
from partialseg.mapping.origin import file_digest
from partialseg.mapping.orthophoto import Reading
from partialseg.mapping.predict import memory_errors
from partialseg.mapping.rasters import RASTERS, Predictor, write_strip
from partialseg.mapping.runtime import Choice, choose, load_model
from partialseg.mapping.tiles import Stitching

TOKEN = "token"  # a file in the folder of a command, while it runs
REPORT_SECONDS = 1.0  # between two reports of progress
# For glibc's mallopt(). Dask has its workers return memory at once, and a network would fetch it
# again, page by page, for each tile (findings/dask_worker_memory_torch_cpu.sh).
MALLOPT = {-1: 2**30, -4: 0}  # M_TRIM_THRESHOLD, M_MMAP_MAX
ONE_AT_A_TIME = Lock()  # runtimes do not run one network in two threads


@dataclass(frozen=True, kw_only=True)
class Network:
    """A network as each worker has to load it; digest is that of its file."""

    file: Path
    digest: str
    is_onnx: bool
    choice: Choice
    views: Views


@dataclass(frozen=True, kw_only=True)
class Job:
    """What all tasks of a command share.

    code is the digest of the code; runtime is what runs the network on the client's machine ('': it
    cannot); tags are those of the rasters; seen are files that each worker must see, and their
    sizes; part is the folder of what is not finished; topic is that of reports of progress.
    """

    code: str
    network: Network
    runtime: str
    reading: Reading
    stitching: Stitching
    tags: Mapping[str, str]
    wanted: Wanted
    areas: bool
    seen: tuple[tuple[Path, int], ...]
    out: Path
    part: Path
    topic: str


@dataclass(frozen=True, kw_only=True)
class Task:
    """A part of the work on an image.

    rows are the rows of tiles to predict into a strip; strips are the folders of all strips, to be
    joined. With neither, the image is predicted as a whole, or, if it has its maps, measured.
    """

    number: int
    image: Path
    megapixels: float
    rows: range | None = None
    strips: tuple[str, ...] = ()
    measured: bool = False


def code_digest() -> str:
    """Return a digest of the code of this package as it lies in the folder."""
    found = hashlib.sha256()
    for file in sorted((SRC / "partialseg").rglob("*.py")):
        found.update(file.relative_to(SRC).as_posix().encode())
        found.update(file.read_bytes())
    return found.hexdigest()


CODE = code_digest()  # when a worker imports it: later changes do not reach this process


def prepare(job: Job) -> str:
    """Load the network, and return the name of what runs it.

    Raises:
        ValueError: the worker does not see the files, or lacks the runtime, device or precision.
    """
    if job.code != CODE:
        raise ValueError(f"runs another version of the code in {SRC}; restart it")
    for file, size in job.seen:
        if not file.is_file() or file.stat().st_size != size:
            raise ValueError(f"does not see {file}")
    if not os.access(job.part, os.W_OK):
        raise ValueError(f"may not write into {job.out}")
    with ONE_AT_A_TIME, _sendable():
        return _predictor(job).model.runtime


def do(job: Job, task: Task) -> Any:
    """Do a task; return the folder of a strip, or the areas of finished maps if they are wanted.

    Raises:
        ValueError: the image cannot be read, or does not fit the model.
        OSError: a file cannot be written, or the command has ended.
    """
    with ONE_AT_A_TIME, _sendable(), memory_errors(task.image):
        check_goes_on(job)
        if task.measured:
            return _areas(job, task.image)
        predictor = _predictor(job)
        if task.rows is not None:
            return _strip(job, task, predictor, task.rows)
        with part_folder(_new(job)) as part:
            if task.strips:
                strips = [_files(Path(folder), job.wanted) for folder in task.strips]
                join_in(part, predictor, task.image, job.out, job.wanted, strips)
            else:
                report = _reporter(job, task.number)
                predict_in(part, predictor, task.image, job.out, job.wanted, report)
        for folder in task.strips:
            shutil.rmtree(folder, ignore_errors=True)
        return _areas(job, task.image) if job.areas else None


@contextmanager
def _sendable() -> Iterator[None]:
    """Drop the causes of errors: Dask sends them along, and GDAL's cannot be unpickled."""
    try:
        yield
    except (ValueError, OSError) as error:
        error.__cause__ = error.__context__ = None
        raise


def check_goes_on(job: Job) -> None:
    """Check that the command goes on: Dask cannot end a task, whose maps nobody wants any more.

    Raises:
        InterruptedError: it has ended.
    """
    if not (job.part / TOKEN).exists():
        raise InterruptedError("the command has ended")


def _strip(job: Job, task: Task, predictor: Predictor, rows: range) -> str:
    folder = _new(job)
    folder.mkdir()
    try:
        report = _reporter(job, task.number)
        write_strip(predictor, task.image, rows, _files(folder, job.wanted), report)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return str(folder)


def _new(job: Job) -> Path:
    # Not named by the task: a worker that Dask takes for dead may still be at it when another one
    # does it again.
    return job.part / uuid4().hex


def _files(folder: Path, wanted: Wanted) -> dict[str, Path]:
    return {name: folder / name for name in wanted.files() if name in RASTERS}


def _areas(job: Job, image: Path) -> Any:
    return measure(map_of(job.out, image))


def _predictor(job: Job) -> Predictor:
    torch.set_num_threads(get_worker().state.nthreads)
    return Predictor(_model(job.network, _device(job)), job.reading, job.stitching, job.tags)


def _device(job: Job) -> str:
    """Return the device: workers that one command starts on a machine share its GPUs evenly."""
    device, name = job.network.choice.device, get_worker().name
    several = torch.cuda.is_available() and torch.cuda.device_count() > 1
    if device == "cuda" and several and isinstance(name, int):
        return f"cuda:{name % torch.cuda.device_count()}"
    return device


@lru_cache(maxsize=1)  # the next command may ask for the same
def _model(network: Network, device: str) -> Model:
    _keep_memory()
    choice = network.choice
    found = choose(network.is_onnx, choice.runtime, device, choice.precision)
    if found.emulated and not choice.emulated:
        raise ValueError(f"precision: its processor has no {found.precision}")
    if file_digest(network.file) != network.digest:
        raise ValueError(f"sees another {network.file}")
    model = load_model(network.file, network.is_onnx, found.runtime, device, found.precision)
    return Averaged(model, network.views)


def _keep_memory() -> None:
    """Have glibc keep memory; other libraries have no such function."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    for option, value in MALLOPT.items():
        if mallopt is not None:
            mallopt(option, value)


def _reporter(job: Job, number: int) -> Callable[[float], None]:
    """Return what tells the client the share of a task that is done, now and then.

    It raises an error when the command has ended.
    """
    worker, done, told = get_worker(), 0.0, time.monotonic()

    def report(share: float) -> None:
        nonlocal done, told
        done += share
        if time.monotonic() - told >= REPORT_SECONDS:
            told = time.monotonic()
            check_goes_on(job)
            worker.log_event(job.topic, {"task": number, "done": done})

    return report
