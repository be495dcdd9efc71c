"""`make repro` and `make experiment`: trainings ahead of DVC."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
import yaml
from filelock import FileLock

from clones import ROOT, Clone, shrunk_clone
from partialseg.cluster import repro as stage
from partialseg.cluster import side_by_side
from partialseg.cluster.repro import changed_params, check_committer, only_one, repro
from partialseg.cluster.side_by_side import Share, local_client, run_training
from partialseg.cluster.stages import out_of_date
from partialseg.engine.checkpoint import load_checkpoint
from repro import main
from small_run import fails_with
from tiny_pipeline import ran, tiny_pipeline

pytestmark = pytest.mark.slow

LABELS = ("0.1", "0.15")


def trained(clone: Clone) -> dict[str, dict[str, torch.Tensor]]:
    runs = clone.folder / "runs" / "sample" / "main" / "random"
    checkpoints = [load_checkpoint(runs / f"unet-{label}-tuned-42" / "last.pt") for label in LABELS]
    return {str(item.label_fraction): dict(item.weights) for item in checkpoints}


def test_a_killed_worker_and_side_by_side_change_no_bit(tmp_path: Path) -> None:
    def change(params: dict[str, Any]) -> None:
        params["datasets"]["sample"]["recipes"]["tuned"]["epochs"] = 30
        params |= {"architectures": ["unet"], "recipes": ["tuned"]}

    one_by_one = shrunk_clone(tmp_path / "a", tmp_path / "site_cache", change)
    one_by_one.run("dvc", "repro", "evaluate")
    side_by_side = shrunk_clone(tmp_path / "b", tmp_path / "site_cache_b", change)
    printed = tmp_path / "printed.txt"
    with printed.open("w") as stream:
        process = subprocess.Popen(
            [sys.executable, "src/repro.py", "--jobs", "2"],
            cwd=side_by_side.folder,
            env=side_by_side.environment,
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
    first = side_by_side.folder / "runs/.resume/sample/main/random/unet-0.1-tuned-42"
    while not (first / "last.pt").exists():
        assert process.poll() is None, printed.read_text()
        time.sleep(0.02)
    (training,) = (
        item
        for item in psutil.Process(process.pid).children(recursive=True)
        if "src/train.py" in item.cmdline() and any("unet-0.1-" in word for word in item.cmdline())
    )
    os.kill(training.ppid(), signal.SIGKILL)  # the worker, in the middle of the training
    assert process.wait(timeout=300) == 0, printed.read_text()
    assert "going on after epoch" in (first / "log.txt").read_text()
    said = printed.read_text()
    assert said.count("trained already, by the same parameters, code and data") == 2
    assert ": loss" not in said  # DVC has trained nothing itself
    expected, found = trained(one_by_one), trained(side_by_side)
    assert found.keys() == expected.keys() == {"0.1", "0.15"}
    for label, weights in expected.items():
        assert all(torch.equal(found[label][name], weights[name]) for name in weights)
    name = "metrics/sample/main/random/unet-0.1-tuned-42.json"
    same = ("val_miou", "test_miou", "test_accuracy")
    scores = [{key: clone.read(name)[key] for key in same} for clone in (one_by_one, side_by_side)]
    assert scores[0] == scores[1]
    assert "Data and pipelines are up to date." in side_by_side.run("dvc", "status")


def start_repro(project: Clone, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, ROOT / "src" / "repro.py", *options],
        cwd=project.folder,
        env=project.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def test_ctrl_c_ends_all_trainings_and_the_next_repro_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tiny_pipeline(tmp_path, ["waits", "a"], monkeypatch)
    resume = project.folder / "runs" / ".resume"
    began = start_repro(project, "--jobs", "2", "-S", "label=b")
    while not ((resume / "waits" / "last.pt").exists() and (resume / "a" / "last.pt").exists()):
        assert began.poll() is None, began.communicate()[0]
        time.sleep(0.02)
    processes = psutil.Process(began.pid).children(recursive=True)
    os.killpg(began.pid, signal.SIGINT)  # as a terminal does
    said = began.communicate(timeout=60)[0]
    assert began.returncode == 130 and said.splitlines()[-1] == "interrupted"
    assert "Traceback" not in said
    gone, alive = psutil.wait_procs(processes, timeout=10)
    assert gone and not alive
    assert yaml.safe_load((project.folder / "params.yaml").read_text())["label"] == "a"
    assert not (project.folder / "runs" / "waits").exists()
    (resume / "waits" / "go").touch()
    went_on = start_repro(project, "--jobs", "2", "-S", "label=b")
    said = went_on.communicate(timeout=60)[0]
    assert went_on.returncode == 0, said
    assert "epoch 1/4" not in (resume / "waits" / "log.txt").read_text()
    assert outputs(project) == {"a": "ab\n", "waits": "waitsb\n"}


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_trainings_of_other_machines_end_with_the_command(
    sent: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tiny_pipeline(tmp_path, ["waits", "a"], monkeypatch)
    resume = project.folder / "runs" / ".resume"
    with local_client(1) as client:
        address = client.scheduler.address
        with start_repro(project, "--scheduler", address) as began:
            while not (resume / "waits" / "last.pt").exists():
                assert began.poll() is None, began.communicate()[0]
                time.sleep(0.02)
            (worker,) = map(psutil.Process, client.run(os.getpid).values())
            (training,) = worker.children()
            os.killpg(began.pid, sent)
            began.communicate(timeout=60)
        training.wait(timeout=30)
        assert worker.is_running()
        (resume / "waits" / "go").touch()
        with start_repro(project, "--scheduler", address) as went_on:
            said = went_on.communicate(timeout=60)[0]
        assert went_on.returncode == 0, said
    assert "epoch 1/4" not in (resume / "waits" / "log.txt").read_text()
    assert outputs(project) == {"a": "aa\n", "waits": "waitsa\n"}


def test_the_same_training_twice_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clone = shrunk_clone(tmp_path / "clone", tmp_path / "site_cache")
    resume = clone.folder / "runs/.resume/sample/main/random/unet-0.1-tuned-42"
    monkeypatch.chdir(clone.folder)
    monkeypatch.setattr(side_by_side, "LOCK_SECONDS", 0.1)
    clone.run("dvc", "repro", "label")
    (training,) = out_of_date(["train@sample-main-random-unet-0.1-tuned-42"])
    resume.mkdir(parents=True)
    with FileLock(resume / "lock"):
        why = run_training(
            training.command, str(clone.folder), Share(threads=1, processes=1, on_gpus=False)
        )
    assert "another process is training this run; wait for it or end it (log: " in why


def outputs(project: Clone) -> dict[str, str]:
    return {
        file.parent.name: file.read_text()
        for file in sorted((project.folder / "runs").glob("*/best.pt"))
    }


def test_trainings_run_ahead_and_dvc_takes_them_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tiny_pipeline(tmp_path, ["a", "b"], monkeypatch)
    monkeypatch.setattr(stage, "train_ahead", lambda *given: ahead.append(given))
    ahead: list[Any] = []
    repro(jobs=2)
    ((trainings, jobs, scheduler),) = ahead
    assert (jobs, scheduler) == (2, "")
    assert [item.stage for item in trainings] == ["train@a", "train@b"]
    assert outputs(project) == {"a": "aa\n", "b": "ba\n"}
    repro(jobs=2)  # nothing is out of date
    assert len(ahead) == 1 and len(ran(project)) == 2
    repro(["label=c"], jobs=2)
    assert [item.stage for item in ahead[1][0]] == ["train@a", "train@b"]
    assert outputs(project) == {"a": "ac\n", "b": "bc\n"}
    assert yaml.safe_load((project.folder / "params.yaml").read_text())["label"] == "c"
    assert "label" in project.run("dvc", "exp", "show", "--csv")


def test_of_targets_nothing_else_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tiny_pipeline(tmp_path, ["a", "b", "c"], monkeypatch)
    add_file_and_second_pipeline(project)
    repro(jobs=1, targets=["train@[ab]"])
    assert outputs(project) == {"a": "aa\n", "b": "ba\n"}
    repro(["label=d"], jobs=1, targets=["train@b"])
    assert outputs(project) == {"a": "aa\n", "b": "bd\n"}
    assert not (project.folder / "other" / "made.txt").exists()
    repro(jobs=1, targets=["other/*", "train"])
    assert outputs(project) == {name: f"{name}d\n" for name in "abc"}
    assert (project.folder / "other" / "made.txt").exists()


def add_file_and_second_pipeline(project: Clone) -> None:
    """Add what has no name of its own, dvc add's, and a stage called train in another folder."""
    (project.folder / "added.txt").write_text("added")
    project.run("dvc", "add", "added.txt")
    stage = {"cmd": "echo made > made.txt", "deps": ["../added.txt"], "outs": ["made.txt"]}
    (project.folder / "other").mkdir()
    pipeline = yaml.safe_dump({"stages": {"train": stage}})
    (project.folder / "other" / "dvc.yaml").write_text(pipeline)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["nothing=1"], r"^-S nothing=1: Could not override 'nothing'\.\nTo append"),
        (["label"], r"^-S label: Error parsing override 'label'\nmissing EQUAL at"),
    ],
)
def test_a_wrong_setting_leaves_params_as_they_were(
    tmp_path: Path, settings: list[str], message: str
) -> None:
    file = tmp_path / "params.yaml"
    file.write_text("label: a # kept\n")
    with pytest.raises(ValueError, match=message), changed_params(file, settings):
        pass
    assert file.read_text() == "label: a # kept\n"


def test_an_interruption_leaves_params_as_they_were(tmp_path: Path) -> None:
    file = tmp_path / "params.yaml"
    file.write_text("label: a # kept\n")
    with pytest.raises(KeyboardInterrupt), changed_params(file, ["label=b"]):
        assert file.read_text() == "label: b # kept\n"
        raise KeyboardInterrupt
    assert file.read_text() == "label: a # kept\n"


@pytest.mark.parametrize(("edited", "expected"), [("", "a"), ("label: c\n", "c")])
def test_what_a_killed_experiment_has_changed_is_undone_by_the_next_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, edited: str, expected: str
) -> None:
    project = tiny_pipeline(tmp_path, ["waits", "a"], monkeypatch)
    resume = project.folder / "runs" / ".resume"
    with start_repro(project, "--jobs", "2", "-S", "label=b") as killed:
        while not (resume / "waits" / "last.pt").exists():
            assert killed.poll() is None, killed.communicate()[0]
            time.sleep(0.02)
        assert "label: b\n" in (project.folder / "params.yaml").read_text()
        os.killpg(killed.pid, signal.SIGKILL)
    (resume / "waits" / "go").touch()
    if edited:
        params = (project.folder / "params.yaml").read_text()
        (project.folder / "params.yaml").write_text(params.replace("label: b\n", edited))
    with start_repro(project) as went_on:
        said = went_on.communicate(timeout=60)[0]
    assert went_on.returncode == 0, said
    assert outputs(project) == {"a": f"a{expected}\n", "waits": f"waits{expected}\n"}


def test_sigterm_ends_the_stage_that_dvc_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tiny_pipeline(tmp_path, ["waits"], monkeypatch)
    with start_repro(project) as began:
        while not (project.folder / "runs" / ".resume" / "waits" / "last.pt").exists():
            assert began.poll() is None, began.communicate()[0]
            time.sleep(0.02)
        processes = psutil.Process(began.pid).children(recursive=True)
        assert any("waits" in process.cmdline() for process in processes)
        began.terminate()
        said = began.communicate(timeout=60)[0]
    gone, alive = psutil.wait_procs(processes, timeout=10)
    assert gone and not alive
    assert began.returncode == 143 and said.splitlines()[-1] == "terminated"


def test_outside_a_project_nothing_is_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r": no \.dvc and params\.yaml here; run it in the proj"):
        repro()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("settings", [[], ["label=b"]])
def test_an_edit_in_the_meantime_is_kept(tmp_path: Path, settings: list[str]) -> None:
    file = tmp_path / "params.yaml"
    file.write_text("label: a\n")
    with pytest.raises(KeyboardInterrupt), changed_params(file, settings):
        file.write_text("label: edited\n")
        raise KeyboardInterrupt
    assert file.read_text() == "label: edited\n"


def test_a_second_command_in_a_folder_is_kept_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".dvc").mkdir()
    (tmp_path / "params.yaml").touch()
    with (
        only_one(stage.LOCK),
        pytest.raises(ValueError, match=r"^make repro, sweep or experiment runs in this folder "),
    ):
        repro()


def test_jobs_and_scheduler_exclude_each_other() -> None:
    with pytest.raises(ValueError, match=r"^JOBS: is for this machine; with SCHEDULER, start as"):
        repro(jobs=2, scheduler="tcp://a:8786")


@pytest.mark.parametrize(
    ("configured", "by_environment", "missing"),
    [
        ([], [], "name"),
        (["name"], [], "email"),
        (["name", "email"], [], ""),
        (["email"], ["GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"], ""),
        (["email"], ["GIT_AUTHOR_NAME"], "name"),
    ],
)
def test_an_experiment_needs_a_name_and_an_e_mail_for_its_commit(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    configured: list[str],
    by_environment: list[str],
    missing: str,
) -> None:
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    config = "".join(f"[user]\n{key} = a@b.example\n" for key in configured)
    (tmp_path / "config").write_text(config)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "config"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.chdir(tmp_path)
    for name in by_environment:
        monkeypatch.setenv(name, "a")
    if not missing:
        check_committer()
        return
    message = rf"^git: knows no user\.{missing}, and DVC commits an experiment: git config user\."
    with pytest.raises(ValueError, match=message):
        repro(["seeds=[1]"])


def test_a_list_that_becomes_a_number_is_our_line_and_not_dvc_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(stage, "check_committer", lambda: None)
    shipped = (ROOT / "params.yaml").read_bytes()
    (tmp_path / "params.yaml").write_bytes(shipped)
    (tmp_path / ".dvc").mkdir()
    message = r"^params\.yaml: seeds: should be a list, as seeds=\[42\], got 42$"
    with pytest.raises(ValueError, match=message):
        repro(["seeds=42"])
    assert (tmp_path / "params.yaml").read_bytes() == shipped


def test_a_stage_that_fails_ends_the_command_with_its_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tiny_pipeline(tmp_path, ["fails"], monkeypatch)
    with pytest.raises(SystemExit) as stop:
        repro()
    assert stop.value.code == 255  # DVC's
    assert ran(project) == [["fails", "runs/fails"]]


def test_no_jobs_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    message = fails_with(monkeypatch, capsys, main, ["--jobs", "0"])
    assert message == "error: JOBS: should be at least 1, got 0\n"


@pytest.mark.parametrize(
    ("goal", "variables", "options"),
    [
        ("repro", [], ""),
        ("repro", ["JOBS=2"], "--jobs 2"),
        ("repro", ["SCHEDULER=tcp://a:8786"], "--scheduler tcp://a:8786"),
        ("repro", ["TARGETS=evaluate@* report@*"], "'evaluate@*' 'report@*'"),
        ("sweep", ["JOBS=3", "SWEEP=0.01,0.02"], "--jobs 3 -S 'sweep=[0.01,0.02]'"),
        ("experiment", ["S=-S label_fraction=0.05"], "-S label_fraction=0.05"),
    ],
)
def test_make_passes_jobs_scheduler_and_settings(
    goal: str, variables: list[str], options: str
) -> None:
    asked = ["--dry-run", "--no-print-directory", "--assume-old=.venv/installed"]
    command = ["make", *asked, goal, *variables]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    said = done.stdout.splitlines()[-1].split("src/repro.py")[1]
    assert said.split() == options.split()
