"""The trainings of the pipeline in the current folder, and which of them DVC would run."""

import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.stage.cache import RunCacheNotFoundError

if TYPE_CHECKING:
    from dvc.stage import Stage

SCRIPT = "src/train.py"


@dataclass(frozen=True, kw_only=True)
class Training:
    """A stage that trains: its name, its command, and options of that command."""

    stage: str
    command: str
    dataset: str
    recipe: str
    resume: Path


def matching(patterns: Sequence[str]) -> list[str]:
    """Return the names of the stages that patterns such as `evaluate@*` take, in their order.

    A name of several stages, `evaluate`, stands for all of them. Those of other folders are
    `transfer/dvc.yaml:...`. `dvc repro --glob` runs the whole pipeline where a pattern takes none.

    Raises:
        ValueError: one takes none, or DVC cannot read the pipeline.
    """
    with _repository() as repo:
        names = [stage.addressing for stage in repo.index.stages]
    found = {
        pattern: [
            name for name in names if fnmatchcase(name, pattern) or name.startswith(f"{pattern}@")
        ]
        for pattern in patterns
    }
    for pattern, taken in found.items():
        if not taken:
            raise ValueError(f"{pattern}: is no stage of the pipeline (dvc stage list)")
    return list(dict.fromkeys(name for taken in found.values() for name in taken))


def training_levels(targets: Sequence[str] = ()) -> list[tuple[list[str], list[str]]]:
    """Return the trainings by how many others they wait for in turn, and the stages before them.

    Those of active learning wait for one another: a round buys labels by the network of the last.
    Each level is the names of the stages that its trainings need directly, and of the trainings.
    With targets, names of stages, they are those that the targets need.

    Raises:
        ValueError: DVC cannot read the pipeline.
    """
    with _repository() as repo:
        graph = repo.index.graph  # from a stage to those that it needs
        trains = {stage for stage in graph if _is_training(stage)}
        levels: dict[int, list[Stage]] = {}
        known: dict[Stage, int] = {}

        def level(stage: "Stage") -> int:
            """Return how many trainings there are on the longest way up from a stage."""
            if stage not in known:
                above = max(map(level, graph.successors(stage)), default=0)
                known[stage] = above + (stage in trains)
            return known[stage]

        for stage in graph:
            if not targets or stage.addressing in targets:
                level(stage)  # and of all that it needs
        for stage in trains & known.keys():
            levels.setdefault(known[stage], []).append(stage)
        return [
            (
                sorted({needed.addressing for one in stages for needed in graph.successors(one)}),
                sorted(stage.addressing for stage in stages),
            )
            for _, stages in sorted(levels.items())
        ]


def out_of_date(names: Sequence[str]) -> list[Training]:
    """Return those of the named trainings that `dvc repro` would run.

    What they need has to be up to date. A training whose outputs are in DVC's run cache is not
    among them.

    Raises:
        ValueError: DVC cannot read the pipeline.
    """
    with _repository() as repo:
        stages = {stage.addressing: stage for stage in repo.index.stages}
        asked = [stages[name] for name in names]
        return [_training(stage) for stage in asked if stage.changed() and not _cached(stage)]


@contextmanager
def _repository() -> Iterator[Repo]:
    try:
        with Repo() as repo, repo.lock:
            yield repo
    except DvcException as error:
        raise ValueError(str(error)) from error


def _is_training(stage: "Stage") -> bool:
    return isinstance(stage.cmd, str) and SCRIPT in shlex.split(stage.cmd)


def _cached(stage: "Stage") -> bool:
    if not stage.deps_cached():
        stage.save_deps()  # what they are now is the key in the run cache, ...
        for out in stage.outs:
            out.clear()  # ... and what dvc.lock says of the outputs is of before
    try:
        stage.repo.stage_cache.restore(stage, dry=True)
    except RunCacheNotFoundError:
        return False
    return True


def _training(stage: "Stage") -> Training:
    words = shlex.split(stage.cmd)
    options = dict(pairwise(words))
    return Training(
        stage=stage.addressing,
        command=stage.cmd,
        dataset=options["--dataset"],
        recipe=options["--recipe"],
        resume=Path(options["--resume"]),
    )
