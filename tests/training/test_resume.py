"""Interrupted trainings: what goes on, what starts again, and that both end with equal bits."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from code_of_stage import SRC
from partialseg.engine.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from partialseg.engine.compute import Compute
from partialseg.engine.curves import CURVES, read_curve
from partialseg.labelling.label import label
from partialseg.tiling.patches import Imagery
from partialseg.training.resume import ResumeFolder
from partialseg.training.train import TrainFolders, train
from small_labels import label_params
from small_run import (
    CPU,
    LIVELY,
    isolate,
    record,
    run_id,
    small_run,
    train_arguments,
    train_params,
    write_params,
)

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    isolate(monkeypatch, tmp_path)


@pytest.fixture
def patches(make_patches: Callable[..., Path]) -> Path:
    return make_patches(columns=5)


def assert_same_run(first: Path, second: Path) -> None:
    """Check weights, histories but for times, and curves, bit for bit."""
    for name in ("best.pt", "last.pt"):
        ours, theirs = load_checkpoint(first / name), load_checkpoint(second / name)
        assert without_times(ours) == without_times(theirs)
        assert all(torch.equal(ours.weights[key], theirs.weights[key]) for key in ours.weights)
    for curve in CURVES:
        assert read_curve(first / "curves", curve) == read_curve(second / "curves", curve)


def without_times(checkpoint: Checkpoint) -> list[Any]:
    times = {"seconds": 0.0, "images_per_second": 0.0, "loader_share": 0.0, "peak_memory_mib": 0.0}
    return [asdict(replace(item, **times)) for item in checkpoint.history]


class StoppedError(Exception):
    """Ends a training at a chosen place."""


def stop_at(monkeypatch: pytest.MonkeyPatch, place: str, epoch: int) -> None:
    """Let a run stop in that epoch, before or after the method ResumeFolder.save or publish."""
    when, method = place.split()
    original = getattr(ResumeFolder, method)

    def stopping(folder: ResumeFolder, checkpoint: Checkpoint, *rest: Any, **named: Any) -> Any:
        here = checkpoint.epoch == epoch
        if here and when == "before":
            raise StoppedError
        result = original(folder, checkpoint, *rest, **named)
        if here:
            raise StoppedError
        return result

    monkeypatch.setattr(ResumeFolder, method, stopping)


def stopped_run(
    monkeypatch: pytest.MonkeyPatch,
    where: tuple[str, int],
    patches: Path,
    out: Path,
    **changes: Any,
) -> None:
    """Train, up to a place and an epoch of stop_at()."""
    with monkeypatch.context() as patched:
        stop_at(patched, *where)
        with pytest.raises(StoppedError):
            small_run(patches, out, **changes)


@pytest.mark.parametrize(
    ("place", "epoch", "trained_again"),
    [
        ("before save", 1, [1, 2, 3, 4]),
        ("before save", 3, [3, 4]),
        ("after save", 2, [3, 4]),
        ("after save", 4, []),
        ("before publish", 4, []),
        ("after publish", 4, []),
    ],
)
@pytest.mark.parametrize("ema_decay", [0.0, 0.5])
def test_a_stopped_training_goes_on_and_ends_with_equal_bits(
    patches: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    place: str,
    epoch: int,
    trained_again: list[int],
    ema_decay: float,
) -> None:
    changes: dict[str, Any] = {"augment": LIVELY, "epochs": 4, "ema_decay": ema_decay}
    small_run(patches, tmp_path / "whole", **changes)
    stopped_run(monkeypatch, (place, epoch), patches, tmp_path / "run", **changes)
    capsys.readouterr()
    small_run(patches, tmp_path / "run", **changes)
    out = capsys.readouterr().out
    assert [epoch for epoch in range(1, 5) if f"epoch {epoch}/4: loss" in out] == trained_again
    assert_same_run(tmp_path / "run", tmp_path / "whole")
    assert load_checkpoint(tmp_path / "run" / "last.pt").state is None


@pytest.mark.parametrize(
    ("method", "optimizer"), [("none", "adamw"), ("none", "muon"), ("consistency", "muon")]
)
def test_a_stopped_training_on_crops_ends_with_equal_bits(
    patches: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, optimizer: str
) -> None:
    changes: dict[str, Any] = {
        "optimizer": optimizer,
        **{"augment": LIVELY, "epochs": 4, "crop": 16, "batch_size": 4, "ema_decay": 0.5},
        **{"method": method, "sampling": "pixels"},
    }
    small_run(patches, tmp_path / "whole", **changes)
    stopped_run(monkeypatch, ("after save", 2), patches, tmp_path / "run", **changes)
    small_run(patches, tmp_path / "run", **changes)
    assert_same_run(tmp_path / "run", tmp_path / "whole")


def test_early_stopping_counts_the_epochs_before_the_interruption(
    patches: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes: dict[str, Any] = {"epochs": 30, "patience": 2, "learning_rate": 0.05}
    whole = small_run(patches, tmp_path / "whole", **changes)
    assert 3 <= whole.epoch < 30
    stopped_run(monkeypatch, ("after save", whole.epoch - 1), patches, tmp_path / "run", **changes)
    small_run(patches, tmp_path / "run", **changes)
    assert_same_run(tmp_path / "run", tmp_path / "whole")


def test_a_training_goes_on_with_a_gpu_of_another_name(
    patches: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(Compute, "__str__", lambda _: "one GPU")
        stopped_run(patched, ("after save", 1), patches, tmp_path / "run")
    assert "trains on one GPU" in capsys.readouterr().out
    monkeypatch.setattr(Compute, "__str__", lambda _: "another GPU")
    small_run(patches, tmp_path / "run")
    assert "going on after epoch 1/" in capsys.readouterr().out


def test_a_training_of_another_kind_of_compute_starts_again(
    patches: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(Compute, "kind", "cuda, float32")
        stopped_run(patched, ("after save", 1), patches, tmp_path / "run")
    small_run(patches, tmp_path / "run")
    why = "computed by cuda, float32, processes: 1, not by cpu, float32, processes: 1"
    said = capsys.readouterr().out
    assert f"run-resume: {why}; training starts from the beginning\n" in said
    assert "epoch 1/2: loss" in said


def test_a_finished_training_is_taken_over_by_a_machine_that_could_not_do_it(
    patches: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(Compute, "kind", "cuda, float16")
        patched.setattr("partialseg.training.train.choose_compute", lambda _: CPU)
        trained = small_run(patches, tmp_path / "run", precision="float16")
    (tmp_path / "run").rename(tmp_path / "trained")
    capsys.readouterr()
    taken = small_run(patches, tmp_path / "run", precision="float16")
    assert "trained already, by the same parameters, code and data" in capsys.readouterr().out
    assert taken.history == trained.history
    assert_same_run(tmp_path / "run", tmp_path / "trained")


OTHERS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "learning rate": lambda _: {"learning_rate": 0.02},
    "epochs": lambda _: {"epochs": 3},
    "seed": lambda _: {"seed": 4},
    "architecture": lambda _: {"architecture": "unetplusplus"},
    "augmentation": lambda _: {"augment": LIVELY},
    "crop": lambda _: {"crop": 16},
}


@pytest.mark.parametrize("other", OTHERS)
def test_a_training_of_another_configuration_is_never_resumed(
    patches: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], other: str
) -> None:
    small_run(patches, tmp_path / "run")
    changes = OTHERS[other](tmp_path)
    capsys.readouterr()
    made = small_run(patches, tmp_path / "run", **changes)
    out = capsys.readouterr().out
    assert "last.pt: of another configuration, code or data; training starts from the" in out
    assert f"epoch 1/{made.epoch}: loss" in out
    small_run(patches, tmp_path / "fresh", **changes)
    assert_same_run(tmp_path / "run", tmp_path / "fresh")


@pytest.mark.parametrize("file", ["images/a_train.npy", "masks/b_val.npy", "manifest.csv"])
def test_a_training_on_other_data_is_never_resumed(
    patches: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], file: str
) -> None:
    small_run(patches, tmp_path / "run")
    content = bytearray((patches / file).read_bytes())
    # The last byte of an image or of a mask (another class), a blank line of the manifest.
    content[-1:] = b"\n\n" if file == "manifest.csv" else bytes([(content[-1] + 1) % 3])
    (patches / file).write_bytes(content)
    capsys.readouterr()
    small_run(patches, tmp_path / "run")
    assert "last.pt: of another configuration, code or data" in capsys.readouterr().out


def test_a_training_on_other_labels_is_never_resumed(
    patches: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = TrainFolders(
        patches=patches,
        labels=tmp_path / "labels",
        out=tmp_path / "run",
        resume=tmp_path / "resume",
    )
    for seed in (1, 2):
        shutil.rmtree(tmp_path / "labels", ignore_errors=True)
        label(patches, tmp_path / "labels", 0.5, seed, label_params())
        train(run_id(3), folders, train_params())
    assert "last.pt: of another configuration, code or data" in capsys.readouterr().out


def test_a_training_of_other_code_is_never_resumed(
    patches: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    small_run(patches, tmp_path / "run")
    edited = tmp_path / "loss.py"
    edited.write_text((SRC / "partialseg" / "loss.py").read_text() + "# edited\n")
    monkeypatch.setattr(sys.modules["partialseg.loss"], "__file__", str(edited))
    capsys.readouterr()
    small_run(patches, tmp_path / "run")
    assert "last.pt: of another configuration, code or data" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["best.pt", "last.pt"])
@pytest.mark.parametrize("damage", ["truncated", "missing"])
def test_a_damaged_checkpoint_is_named_and_not_resumed(
    patches: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    damage: str,
) -> None:
    small_run(patches, tmp_path / "whole")
    small_run(patches, tmp_path / "run")
    file = tmp_path / "run-resume" / name
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:1000])
    capsys.readouterr()
    small_run(patches, tmp_path / "run")
    out = capsys.readouterr().out
    assert "epoch 1/2: loss" in out
    if (name, damage) != ("last.pt", "missing"):  # with no last one there is nothing to say
        assert f"{name}: missing or damaged checkpoint: " in out
        assert "; training starts from the beginning\n" in out
    assert_same_run(tmp_path / "run", tmp_path / "whole")


def test_a_folder_has_one_process_at_a_time(tmp_path: Path) -> None:
    with (
        ResumeFolder(tmp_path / "resume", "x"),
        pytest.raises(ValueError, match="resume: another process is training this run"),
    ):
        ResumeFolder(tmp_path / "resume", "x")
    with ResumeFolder(tmp_path / "resume", "x") as folder:
        assert folder.load() is None


def test_the_best_checkpoint_is_written_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between the two, the last one is an epoch behind, which is then trained again."""
    order: list[tuple[str, bool]] = []

    def note(checkpoint: Checkpoint, file: Path) -> None:
        order.append((file.name, checkpoint.state is None))
        save_checkpoint(checkpoint, file)

    monkeypatch.setattr("partialseg.training.resume.save_checkpoint", note)
    made = Checkpoint(
        **{"architecture": "unet", "recipe": "tuned", "base_channels": 2, "label_fraction": 0.1},
        **{
            "split": "main",
            "labelling": "random",
            "deep_supervision": False,
            "class_names": [],
            "palette": [],
            "seed": 1,
        },
        **{"labelled_share": 0.1, "clicks": None, "annotation_seconds": None},
        **{"class_weights": None, "compute": "CPU", "state": {"a": 1}, "fingerprint": "x"},
        **{"dataset": "sample", "mean": (0.0,) * 3, "std": (1.0,) * 3, "patch_size": 32},
        **{"imagery": Imagery(), "source_size": 32, "accumulation": 1},
        **{"ground_sampling_distances": [], "commit": ""},
        history=[record(1)],
    )
    with ResumeFolder(tmp_path, "x") as folder:
        folder.save(made, best=True)
        folder.save(replace(made, history=[record(1), record(2)]), best=False)
        loaded = folder.load()
    assert order == [("best.pt", True), ("last.pt", False), ("last.pt", False)]
    assert loaded is not None and (loaded.epoch, loaded.state) == (2, {"a": 1})


def test_a_training_killed_at_any_moment_ends_with_equal_bits(
    patches: Path, tmp_path: Path
) -> None:
    script = Path(__file__).parents[1] / "support" / "kill_training.py"
    done = subprocess.run(
        [sys.executable, script, patches, tmp_path, "24"],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    ended = sorted(tmp_path.glob("run*[0-9]/last.pt"))
    assert ended
    for last in ended:
        assert_same_run(last.parent, tmp_path / "whole")
    # Not by lines: those that are killed may leave theirs without an end.
    kills = re.findall(r"killed \d+ (\d+)\n", done.stdout)
    assert len(kills) >= 24
    assert len(set(kills)) >= 4  # not all at the same moment
    assert "damaged" not in done.stdout


@pytest.mark.parametrize(
    ("sent", "status", "last_words"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")],
)
def test_a_signal_ends_the_command_in_one_line_and_the_next_goes_on(
    patches: Path, tmp_path: Path, sent: signal.Signals, status: int, last_words: str
) -> None:
    write_params(tmp_path / "params.yaml", epochs=300, workers=2)
    label(patches, tmp_path / "labels", 0.5, 42, label_params())
    arguments = train_arguments(patches)
    with subprocess.Popen(
        [sys.executable, SRC / "train.py", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            assert process.stdout is not None and process.stderr is not None
            for _ in range(4):  # the first names the device
                line = process.stdout.readline()
            assert line.startswith("epoch 3/300: loss")
            os.killpg(process.pid, sent)  # as a terminal does: the loader's workers too
            assert process.wait(timeout=60) == status
            assert process.stderr.read() == f"{last_words}\n"
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # else Popen waits for one that hangs
    assert sorted(os.listdir(tmp_path / "resume")) == ["best.pt", "last.pt", "lock"]
    assert load_checkpoint(tmp_path / "resume" / "last.pt").epoch >= 3
