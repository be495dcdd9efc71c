from pathlib import Path

import pytest

from code_of_stage import SRC
from partialseg.cluster.jobs import choose_jobs, cores, share_of
from partialseg.cluster.side_by_side import Share
from partialseg.cluster.stages import Training

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


def test_a_share_is_that_of_the_recipes_that_train() -> None:
    def training(recipe: str) -> Training:
        return Training(stage="", command="", dataset="sample", recipe=recipe, resume=Path())

    params = SRC.parent / "params.yaml"
    assert share_of(params, [training("tuned"), training("reproduction")]) == CPU
    with pytest.raises(ValueError, match=r"no key 'fast' in datasets\.sample\.recipes"):
        share_of(params, [training("fast")])


def test_there_is_a_core() -> None:
    assert cores() >= 1
