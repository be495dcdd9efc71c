"""The order in which trainings begin: a long one that begins last leaves the other workers idle."""

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from statistics import fmean

from partialseg.cluster.stages import Training

METRICS = Path("metrics")  # of the runs, by the names of the folders that they resume from


def longest_first(trainings: Sequence[Training]) -> list[Training]:
    """Return trainings of the current folder, those first that took longest the last time.

    One that has not been run is taken for as long as others of its data set and architecture, or
    for the longest. Equal ones keep their order.
    """
    return sorted(trainings, key=_expected_seconds, reverse=True)


def _expected_seconds(training: Training) -> float:
    """Return how long a training takes, by the metrics of earlier ones; infinite if none says."""
    *folders, name = training.resume.parts[2:]  # after runs/.resume
    architecture = name.partition("-")[0]
    same = list(_seconds([METRICS.joinpath(*folders, f"{name}.json")]))
    similar = same or list(
        _seconds((METRICS / training.dataset).glob(f"*/*/{architecture}-*.json"))
    )
    return fmean(similar) if similar else math.inf


def _seconds(files: Iterable[Path]) -> Iterator[float]:
    """Yield what each of the files says; one that is missing or damaged says nothing."""
    for file in files:
        with suppress(OSError, ValueError, KeyError):
            yield float(json.loads(file.read_text())["train_seconds"])
