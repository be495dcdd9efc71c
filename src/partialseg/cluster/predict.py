"""Predict orthophotos by the workers of a cluster: what src/predict.py does with workers."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from uuid import uuid4

import torch
from distributed import Client
from filelock import FileLock, Timeout

from partialseg.cluster.clients import connected, local_workers
from partialseg.cluster.crew import Crew
from partialseg.cluster.jobs import cores
from partialseg.cluster.maps import Work, largest_part, predict_side_by_side, strips_of
from partialseg.cluster.worker import TOKEN, Job, Network, code_digest
from partialseg.mapping.maps import Wanted
from partialseg.mapping.model import Described, Views
from partialseg.mapping.mosaic import check_mosaic
from partialseg.mapping.origin import NETWORK_TAG
from partialseg.mapping.orthophoto import Reading
from partialseg.mapping.predict import Outcome, look_at_all
from partialseg.mapping.runtime import Choice, Description, describe, load_model
from partialseg.mapping.tiles import Stitching

UNFINISHED = ".unfinished"  # a folder beside the maps


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is asked of the network in a file, for all images.

    runtime is what runs it on this machine by that choice, '' if this machine cannot; tags are
    those of partialseg.mapping.origin; mosaic says that one will be made, for which all class maps
    are measured.
    """

    file: Path
    is_onnx: bool
    choice: Choice
    runtime: str
    views: Views
    reading: Reading
    stitching: Stitching
    tags: Mapping[str, str]
    wanted: Wanted
    mosaic: bool
    out: Path


def check_workers(number: int | None, scheduler: str) -> None:
    """Check how many workers are asked for.

    Raises:
        ValueError: none, or some on this machine beside those of a scheduler.
    """
    if number is not None and number < 1:
        raise ValueError(f"workers: must be at least 1, got {number}")
    if number is not None and scheduler:
        raise ValueError(
            "workers: are started on this machine; with --scheduler, start as many as fit yourself"
        )


def described(file: Path, is_onnx: bool, choice: Choice) -> tuple[Description, str]:
    """Return the description of a network, and what runs it on this machine ('': it cannot).

    Raises:
        ValueError: the file cannot be used.
    """
    here = choice.device == "cpu" or torch.cuda.is_available()
    runtime = (
        load_model(file, is_onnx, choice.runtime, choice.device, choice.precision).runtime
        if here
        else ""
    )
    return describe(file, is_onnx, choice.device), runtime


def client_of(number: int | None, scheduler: str) -> AbstractContextManager[Client]:
    """Return a client of a scheduler, or of so many workers that share this machine's cores."""
    if scheduler:
        return connected(scheduler)
    assert number is not None
    return local_workers(number, max(1, cores() // number), {})


def predict_by_workers(
    client: Client,
    network: Described,
    request: Request,
    images: Sequence[Path],
    mapped: Sequence[Path],
) -> Outcome:
    """Predict images, and measure those that are mapped already if areas are asked for.

    Images that cannot be read, or that fail later, do not end the others.

    Raises:
        ValueError: there is no worker that can predict, or no more of them.
    """
    run = uuid4().hex
    with unfinished(request.out.absolute(), run) as part:
        looked, failed = look_at_all(images, network.info, request.reading, request.wanted)
        if request.mosaic:
            places = {item.image: item.frame for item in looked}
            check_mosaic(places, request.out, mapped, network.info.class_names)
        there = len(client.scheduler_info(n_workers=-1)["workers"])
        job = _job(request, [item.image for item in looked], part)
        work = Work(job)
        work.outcome.failed.update(failed)
        most = largest_part(looked, there)
        for item in looked:
            work.add(item, strips_of(item, request.stitching, network.tile, most))
        for image in mapped if request.mosaic else ():
            work.measure(image)
        return predict_side_by_side(Crew(client, job), client, job, work)


def _job(request: Request, images: Sequence[Path], part: Path) -> Job:
    # One image of each folder: a worker that sees it has the disk.
    one_each = {image.absolute().parent: image.absolute() for image in images}
    file = request.file.absolute()
    token = part / TOKEN  # is nowhere else, even if there is a folder of this name
    token.touch()
    return Job(
        code=code_digest(),
        network=Network(
            file=file,
            digest=request.tags[NETWORK_TAG],
            is_onnx=request.is_onnx,
            choice=request.choice,
            views=request.views,
        ),
        runtime=request.runtime,
        reading=request.reading,
        stitching=request.stitching,
        tags=request.tags,
        wanted=request.wanted,
        areas=request.mosaic,
        seen=tuple((item, item.stat().st_size) for item in (token, file, *one_each.values())),
        out=request.out.absolute(),
        part=part,
        topic=f"maps-{part.name}",
    )


@contextmanager
def unfinished(out: Path, run: str) -> Iterator[Path]:
    """Yield an empty folder of a run for what is not finished, which is removed in the end.

    Raises:
        ValueError: another such command writes into the same folder of maps.
    """
    folder = out / UNFINISHED
    folder.mkdir(parents=True, exist_ok=True)
    try:
        held = FileLock(folder / "lock").acquire(blocking=False)
    except Timeout:
        raise ValueError(
            f"{out}: another command with workers writes its maps there; wait for it, or give "
            "another --out"
        ) from None
    with held:
        try:
            for left in folder.iterdir():  # by a command that was killed
                if left.is_dir():
                    rmtree(left, ignore_errors=True)
            (folder / run).mkdir()
            yield folder / run
        finally:
            rmtree(folder, ignore_errors=True)
