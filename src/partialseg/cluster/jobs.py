"""How many trainings run side by side, and what each may use."""

from collections.abc import Sequence
from pathlib import Path

from dask.system import cpu_count

from partialseg.cluster.side_by_side import Share
from partialseg.cluster.stages import Training
from partialseg.core.params import load_section
from partialseg.training.params import Train


def share_of(
    params_file: Path, trainings: Sequence[Training], asked: int | None, gpus: int
) -> Share:
    """Return what one of the trainings takes at most: the GPUs by its parameters, and threads.

    processes: auto shares the GPUs among as many trainings as are asked for, else one GPU each.

    Raises:
        ValueError: the parameters of one are wrong.
    """
    sections = {(training.dataset, training.recipe) for training in trainings}
    params = [
        load_section(
            params_file, f"datasets.{dataset}.train", Train, f"datasets.{dataset}.recipes.{recipe}"
        )
        for dataset, recipe in sorted(sections)
    ]
    auto = max(1, gpus // (asked or max(1, gpus)))
    processes = max(auto if item.processes == "auto" else item.processes for item in params)
    threads = max(item.threads for item in params)
    return Share(threads=threads, processes=processes, on_gpus=gpus > 0)


def choose_jobs(asked: int | None, share: Share, gpus: int, cores: int) -> int:
    """Return how many trainings run at once: as many as asked for, else as there is room for.

    Raises:
        ValueError: more are asked for than there are GPUs for.
    """
    if asked is None:
        room = gpus if share.on_gpus else cores // share.threads
        return max(1, room // share.processes)
    needed = asked * share.processes
    if share.on_gpus and needed > gpus:
        raise ValueError(
            f"JOBS: {asked} trainings of {share.processes} processes need {needed} GPUs, "
            f"this machine has {gpus}"
        )
    return asked


def cores() -> int:
    """Return the number of cores that this process may use, the limit of a container included."""
    return int(cpu_count())
