"""Trainings on a real cluster of two workers; the trainings are made up."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from threading import Thread
from types import SimpleNamespace

import psutil
import pytest
from distributed import Client, LocalCluster

from clones import Clone
from partialseg.cluster import clients, side_by_side
from partialseg.cluster.side_by_side import (
    LOG,
    Share,
    local_client,
    remote_client,
    run_training,
    train_side_by_side,
)
from partialseg.cluster.stages import Training, out_of_date
from tiny_pipeline import ran, tiny_pipeline

SHARE = Share(threads=1, processes=1, on_gpus=False)


@pytest.fixture
def client() -> Iterator[Client]:
    with local_client(2) as made:
        yield made


def stale(tmp_path: Path, recipes: list[str], monkeypatch: pytest.MonkeyPatch) -> list[Training]:
    project = tiny_pipeline(tmp_path, recipes, monkeypatch)
    project.run("dvc", "repro", "label")
    return out_of_date([f"train@{recipe}" for recipe in recipes])


def last(tmp_path: Path, recipe: str) -> str:
    file = tmp_path / "project" / "runs" / ".resume" / recipe / "last.pt"
    return file.read_text() if file.exists() else ""


def until(condition: object) -> None:
    end = time.monotonic() + 60
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.02)


def trains(process: psutil.Process, recipe: str) -> bool:
    with suppress(psutil.Error):  # it has just ended
        return recipe in process.cmdline()
    return False


@pytest.mark.slow
def test_two_train_at_once_and_a_killed_worker_costs_nothing(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainings = stale(tmp_path, ["waits", "a"], monkeypatch)
    folder = tmp_path / "project"
    thread = Thread(target=train_side_by_side, args=(client, folder, trainings, SHARE))
    thread.start()
    # While one waits in its second epoch, the other one ends.
    until(lambda: (last(tmp_path, "waits"), last(tmp_path, "a")) == ("2", "4"))
    (training,) = (
        process
        for worker in client.run(os.getpid).values()
        for process in psutil.Process(worker).children()
        if trains(process, "waits")
    )
    os.kill(training.ppid(), signal.SIGKILL)
    until(lambda: not training.is_running())
    until(lambda: [recipe for recipe, _ in ran(Clone(folder, tmp_path))].count("waits") == 2)
    (folder / "runs" / ".resume" / "waits" / "go").touch()
    thread.join()
    assert last(tmp_path, "waits") == "4"
    log = (folder / "runs" / ".resume" / "waits" / LOG).read_text()
    # It goes on at the epoch after the last one saved.
    epochs = [line.split(":")[0] for line in log.splitlines()]
    assert epochs == ["epoch 1/4", "epoch 2/4", "epoch 3/4", "epoch 4/4"]
    assert sorted(os.listdir(folder / "runs" / ".resume")) == ["a", "waits"]
    assert not (folder / "runs" / "a").exists()  # DVC's own run fills it


@pytest.mark.slow
def test_one_that_fails_is_named_and_the_others_go_on(
    client: Client,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    others = ["a", "b", "c", "d", "e"]
    trainings = stale(tmp_path, ["fails", "kills_its_worker", *others], monkeypatch)
    with pytest.raises(ValueError) as failed:
        train_side_by_side(client, tmp_path / "project", trainings, SHARE)
    why = str(failed.value)
    assert "train@fails: error: labels: no usable labels (log: " in why
    assert "train@kills_its_worker: its worker died each time that it was tried; perhaps" in why
    assert [last(tmp_path, other) for other in others] == ["4"] * 5
    assert why.count("train@") == 2
    assert "train@a: epoch 4/4, val mIoU 0.4000" in capsys.readouterr().out
    starts = [recipe for recipe, _ in ran(Clone(tmp_path / "project", tmp_path))]
    assert starts.count("kills_its_worker") == 4


def test_workers_that_do_not_see_the_folder_get_no_training_and_make_none(
    client: Client,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(side_by_side, "NO_WORKER_SECONDS", 3)
    command, resume = "true --out a --resume a", Path("a")
    training = Training(
        stage="train@a", command=command, dataset="sample", recipe="a", resume=resume
    )
    folder = tmp_path / "elsewhere"
    with pytest.raises(
        ValueError, match=r"^for 3 s the scheduler has had no worker that can train"
    ):
        train_side_by_side(client, folder, [training], SHARE)
    said = capsys.readouterr().out
    assert said.count(f": does not see {folder}, and gets no training\n") == 2
    why = run_training(training.command, str(folder), SHARE)  # one that has come since
    assert why.endswith(f": does not see {folder}")
    assert not folder.exists()


def test_a_training_that_a_signal_ends_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    command = "sh -c 'kill -9 $$' sh --out out --resume resume"
    why = run_training(command, str(tmp_path), SHARE)
    assert why.startswith("ended by SIGKILL; perhaps there is too little memory (log: ")


@pytest.mark.parametrize(
    ("visible", "expected"), [("", "2,3"), ("4,5,6,7", "6,7"), ("a,b,c,d", "c,d")]
)
def test_a_worker_of_this_machine_has_gpus_of_its_own(
    visible: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    monkeypatch.setattr(side_by_side, "get_worker", lambda: SimpleNamespace(name=1))
    settings = side_by_side._settings(Share(threads=2, processes=2, on_gpus=True))
    assert settings["CUDA_VISIBLE_DEVICES"] == expected


def test_a_training_does_not_take_over_how_a_worker_of_dask_returns_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "65536")
    settings = os.environ | side_by_side._settings(SHARE)
    assert settings["MALLOC_TRIM_THRESHOLD_"] == "1073741824"
    assert settings["MALLOC_MMAP_MAX_"] == "0"


@pytest.mark.slow
def test_a_scheduler_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "ANSWER_SECONDS", 1)
    with (
        pytest.raises(ValueError, match=r"^scheduler tcp://127\.0\.0\.1:9: does not answer"),
        remote_client("tcp://127.0.0.1:9"),
    ):
        pass


def test_an_address_without_a_port_is_refused() -> None:
    with (
        pytest.raises(ValueError, match=r"^scheduler nonsense: no address of one: missing port"),
        remote_client("nonsense"),
    ):
        pass


@pytest.mark.slow
def test_scheduler_and_workers_of_other_machines_do_not_need_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the documentation starts them: processes that cannot import partialseg."""
    trainings = stale(tmp_path, ["a", "b"], monkeypatch)
    file = tmp_path / "scheduler.json"
    name = ["--scheduler-file", str(file)]
    with ExitStack() as stack:

        def start(*options: str) -> None:
            command = [sys.executable, "-m", "dask", *options, *name, "--no-dashboard"]
            process = stack.enter_context(subprocess.Popen(command, stderr=subprocess.DEVNULL))
            stack.callback(process.terminate)

        start("scheduler", "--port", "0")
        until(file.exists)
        start("worker", "--nthreads", "1", "--resources", "training=1")
        address = json.loads(file.read_text())["address"]
        with Client(address) as waiting:
            waiting.wait_for_workers(1, timeout=60)
        with remote_client(address) as client:
            train_side_by_side(client, tmp_path / "project", trainings, SHARE)
    assert (last(tmp_path, "a"), last(tmp_path, "b")) == ("4", "4")


@pytest.mark.slow
def test_a_scheduler_without_workers_that_train_says_how_to_start_some(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(side_by_side, "NO_WORKER_SECONDS", 1)
    with (
        LocalCluster(n_workers=0, dashboard_address=None) as cluster,
        pytest.raises(ValueError, match=r"has had no worker that can train; start some .* --reso"),
        remote_client(cluster.scheduler_address),
    ):
        pass
