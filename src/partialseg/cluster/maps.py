"""The maps of many orthophotos, by workers that share images and strips of large images.

A strip is some rows of an image's tiles. Each is predicted into rasters of its own, and a worker
joins those of an image when all are there. The maps have the bytes that one process would have
given them, whatever the strips and the number of workers.
"""

import math
import sys
from collections import Counter, deque
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from shutil import rmtree
from typing import Any

from distributed import Client, Future
from tqdm import tqdm

from partialseg.cluster.clients import DIED, ended, failure_of
from partialseg.cluster.crew import Crew
from partialseg.cluster.remote import by_value, packed
from partialseg.cluster.worker import Job, Task, do
from partialseg.mapping.predict import Looked, Outcome
from partialseg.mapping.random_access import reads_in_order
from partialseg.mapping.stitch import tiles_of
from partialseg.mapping.tiles import Stitching

# Mpx of a task: so many that starting it does not count, and so few that little is lost with a
# worker and that all are busy to the end, with TURNS tasks for each.
SMALLEST, LARGEST, TURNS = 8.0, 128.0, 4
MOST_TRIES = 4  # of a task whose workers die, as many as Dask's own
ADVICE = "take fewer workers"
BAR = "maps {percentage:3.0f}% |{bar}| {n:.0f}/{total:.0f} Mpx, {remaining} left{postfix}"


def largest_part(images: Sequence[Looked], workers: int) -> float:
    """Return how many Mpx a task has at most: fewer where there is little for each worker."""
    total = sum(looked.megapixels for looked in images)
    return min(LARGEST, max(SMALLEST, total / (TURNS * max(1, workers))))


def strips_of(looked: Looked, stitching: Stitching, side: int | None, most: float) -> list[range]:
    """Return the rows of tiles of each strip of an image, of at most so many Mpx if possible.

    There are none for an image that is predicted as a whole: a small one, or one that can be
    decoded from its first row on alone. side is that of the only tiles that the network takes.
    """
    rows, _ = tiles_of(looked.shape, stitching, side)
    number = min(len(rows.starts), math.ceil(looked.megapixels / most))
    if number < 2 or reads_in_order(looked.image):
        return []
    cuts = [index * len(rows.starts) // number for index in range(number + 1)]
    return [range(first, stop) for first, stop in pairwise(cuts)]


def predict_side_by_side(crew: Crew, client: Client, job: Job, work: "Work") -> Outcome:
    """Do all tasks by the workers of a crew, with a line of output for each image that ends.

    An image that fails does not end the others.

    Raises:
        ValueError: no worker is left, or the scheduler is gone.
    """

    def submit(task: Task) -> None:
        future = client.submit(
            by_value(), *packed(do, job, task), resources={crew.resource: 1}, pure=False
        )
        running[future], able[task.number] = task, frozenset(crew.ready)

    def take_back() -> None:
        """Take back tasks whose workers are all gone.

        Dask gives them to other workers that could do them then, and never to those that can since.
        """
        for future, task in list(running.items()):
            if able[task.number] & crew.ready or future.done():
                continue
            future.cancel()
            running.pop(future)
            tries[task.number] += 1
            if tries[task.number] < MOST_TRIES:
                work.waiting.appendleft(task)
            else:
                tell(work.fail(task, f"{DIED}: {ADVICE}"))

    def tell(said: str) -> None:
        if said:
            bar.write(said, file=sys.stdout)

    running: dict[Future[str], Task] = {}
    # By the number of a task: the workers that were ready when it was submitted, and its tries.
    able: dict[int, frozenset[str]] = {}
    tries: Counter[int] = Counter()
    client.subscribe_topic(job.topic, lambda event: work.report(event[1]))
    with tqdm(total=work.megapixels, disable=None, bar_format=BAR, smoothing=0) as bar:
        while work.waiting or running:
            size = crew.size()
            take_back()
            # No more than there are workers: when one dies, Dask blames all that it was to do.
            for _ in range(min(len(work.waiting), size - len(running))):
                submit(work.waiting.popleft())
            for future, task in ended(running):
                why = failure_of(future, ADVICE)
                tell(work.fail(task, why) if why else work.end(task, future.result()))
            bar.set_postfix_str(f"{size} workers", refresh=False)
            bar.update(work.done - bar.n)
    client.unsubscribe_topic(job.topic)
    return work.outcome


class Work:
    """The tasks of all images: those that wait, and how far the others are."""

    def __init__(self, job: Job) -> None:
        self.waiting: deque[Task] = deque()
        self.outcome = Outcome(areas={}, failed={})
        self.megapixels = 0.0
        self._job = job
        self._given: dict[Path, Path] = {}  # images as they were given, by the path for workers
        self._tasks: list[Task] = []
        self._shares: dict[int, float] = {}  # that are done of a task, by its number
        self._strips: dict[Path, dict[int, str]] = {}  # their folders, by the number of the task

    @property
    def done(self) -> float:
        """How many Mpx are done."""
        shares = self._shares.copy()  # reports come in another thread
        return sum(self._tasks[number].megapixels * share for number, share in shares.items())

    def add(self, looked: Looked, strips: Sequence[range]) -> None:
        """Add an image to predict: its strips, or, if there are none, all of it."""
        image = looked.image.absolute()
        self._given[image] = looked.image
        self.megapixels += looked.megapixels
        if not strips:
            self._add(image, looked.megapixels)
        self._strips[image] = {}
        for rows in strips:
            share = len(rows) / sum(map(len, strips))
            number = self._add(image, looked.megapixels * share, rows=rows)
            self._strips[image][number] = ""

    def measure(self, image: Path) -> None:
        """Add an image that has its maps, of which only the areas are wanted."""
        self._given[image.absolute()] = image
        self._add(image.absolute(), 0.0, measured=True)

    def report(self, told: dict[str, Any]) -> None:
        """Note which share of a task a worker says to have done."""
        if self._shares.get(told["task"]) != 1.0:  # it may have ended in the meantime
            self._shares[told["task"]] = told["done"]

    def fail(self, task: Task, why: str) -> str:
        """Give up the image of a task that failed; return a line on it, '' if there was one."""
        image = self._given[task.image]
        for other in self._tasks:
            if other.image == task.image:
                self._shares[other.number] = 1.0
        self.waiting = deque(other for other in self.waiting if other.image != task.image)
        for folder in filter(None, self._strips.pop(task.image, {}).values()):
            rmtree(folder, ignore_errors=True)
        if image in self.outcome.failed:
            return ""
        why = why.replace(str(task.image), str(image))
        self.outcome.failed[image] = why
        return f"{image}: failed: {why}"

    def end(self, task: Task, result: Any) -> str:
        """Note what a task gave; return a line on its image if that has its maps now."""
        image = self._given[task.image]
        self._shares[task.number] = 1.0
        if image in self.outcome.failed:
            rmtree(result, ignore_errors=True)  # of another strip
            return ""
        if task.rows is not None:
            folders = self._strips[task.image]
            folders[task.number] = result
            if all(folders.values()):
                # First, so that its strips do not take up the disk.
                self._add(task.image, 0.0, first=True, strips=tuple(folders.values()))
            return ""
        if result is not None:
            self.outcome.areas[image] = result
        if task.measured:
            return ""
        names = ", ".join(f"{image.stem}_{name}" for name in self._job.wanted.files())
        return f"{image}: {names}"

    def _add(self, image: Path, megapixels: float, first: bool = False, **changes: Any) -> int:
        task = Task(number=len(self._tasks), image=image, megapixels=megapixels, **changes)
        self._tasks.append(task)
        (self.waiting.appendleft if first else self.waiting.append)(task)
        return task.number
