from pathlib import Path

import pytest

from code_of_stage import SRC
from partialseg.cluster.jobs import choose_jobs, cores, share_of
from partialseg.cluster.side_by_side import Share
from partialseg.cluster.stages import Training
from small_run import write_params

CPU = Share(threads=1, processes=1, on_gpus=False)


@pytest.mark.parametrize(
    ("asked", "share", "gpus", "number", "expected"),
    [
        (None, CPU, 0, 8, 8),
        (None, Share(threads=3, processes=1, on_gpus=False), 0, 8, 2),
        (None, Share(threads=3, processes=3, on_gpus=False), 0, 8, 1),
        (None, Share(threads=1, processes=2, on_gpus=True), 5, 8, 2),
        (3, CPU, 0, 2, 3),
        (2, Share(threads=1, processes=2, on_gpus=True), 4, 1, 2),
    ],
)
def test_jobs_are_those_asked_for_or_as_many_as_fit(
    asked: int | None, share: Share, gpus: int, number: int, expected: int
) -> None:
    assert choose_jobs(asked, share, gpus, number) == expected


def test_more_jobs_than_gpus_are_refused() -> None:
    share = Share(threads=1, processes=2, on_gpus=True)
    message = r"^JOBS: 3 trainings of 2 processes need 6 GPUs, this machine has 4$"
    with pytest.raises(ValueError, match=message):
        choose_jobs(3, share, 4, 8)


@pytest.mark.slow
def test_a_share_is_that_of_the_recipes_that_train() -> None:
    def training(recipe: str) -> Training:
        return Training(stage="", command="", dataset="sample", recipe=recipe, resume=Path())

    params = SRC.parent / "params.yaml"
    assert share_of(params, [training("tuned"), training("reproduction")], None, 0) == CPU
    with pytest.raises(ValueError, match=r"no key 'fast' in datasets\.sample\.recipes"):
        share_of(params, [training("fast")], None, 0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("asked", "gpus", "processes"), [(None, 4, 1), (2, 4, 2), (1, 4, 4), (3, 4, 1), (None, 0, 1)]
)
def test_processes_auto_shares_the_gpus_among_the_trainings(
    tmp_path: Path, asked: int | None, gpus: int, processes: int
) -> None:
    write_params(tmp_path / "params.yaml", processes="auto")
    training = Training(stage="", command="", dataset="sample", recipe="tuned", resume=Path())
    share = share_of(tmp_path / "params.yaml", [training], asked, gpus)
    assert share == Share(threads=1, processes=processes, on_gpus=gpus > 0)
    assert choose_jobs(asked, share, gpus, 1) == (asked or max(1, gpus))


def test_there_is_a_core() -> None:
    assert cores() >= 1
