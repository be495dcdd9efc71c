from pathlib import Path

import pytest

from code_of_stage import SRC
from partialseg.cluster.jobs import choose_jobs, cores, share_of, threads
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


@pytest.mark.parametrize(
    ("asked", "share", "message"),
    [
        (0, CPU, r"^JOBS: should be at least 1, got 0$"),
        (
            3,
            Share(threads=1, processes=2, on_gpus=True),
            r"^JOBS: 3 trainings of 2 processes need 6 GPUs, this machine has 4$",
        ),
    ],
)
def test_too_few_and_too_many_jobs_are_refused(asked: int, share: Share, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        choose_jobs(asked, share, 4, 8)


def test_a_share_is_that_of_the_recipes_that_train() -> None:
    def training(recipe: str) -> Training:
        return Training(stage="", command="", dataset="sample", recipe=recipe, resume=Path())

    params = SRC.parent / "params.yaml"
    assert share_of(params, [training("tuned"), training("reproduction")]) == CPU
    with pytest.raises(ValueError, match=r"no key 'fast' in datasets\.sample\.recipes"):
        share_of(params, [training("fast")])


@pytest.mark.parametrize("text", ["0", "many", "4,2"])
def test_a_wrong_number_of_threads_is_named(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", text)
    with pytest.raises(ValueError, match=f"^OMP_NUM_THREADS: .* at least 1, got '{text}'$"):
        threads()


def test_there_is_a_core() -> None:
    assert cores() >= 1
