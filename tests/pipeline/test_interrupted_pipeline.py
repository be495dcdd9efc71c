"""`dvc repro`, killed while it trains, and run again."""

import os
import shutil
import signal
import subprocess
import time
from typing import Any

import pytest
import torch

from clones import Clone, shrunk_clone
from partialseg.engine.checkpoint import load_checkpoint

pytestmark = pytest.mark.slow
EPOCHS = 30
RUN = "sample/main/random/unet-0.1-reproduction-42"
STAGE = "train@sample-main-random-unet-0.1-reproduction-42"


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    def change(params: dict[str, Any]) -> None:
        params["datasets"]["sample"]["train"]["epochs"] = EPOCHS

    return shrunk_clone(
        tmp_path_factory.mktemp("clone"), tmp_path_factory.mktemp("site_cache"), change
    )


def weights_of(clone: Clone) -> dict[str, torch.Tensor]:
    last = load_checkpoint(clone.folder / "runs" / RUN / "last.pt")
    assert last.epoch == EPOCHS
    return dict(last.weights)


def test_a_killed_repro_goes_on_at_the_saved_epoch(clone: Clone) -> None:
    saved = clone.folder / "runs" / ".resume" / RUN / "last.pt"
    with subprocess.Popen(
        ["dvc", "repro", STAGE],
        cwd=clone.folder,
        env=clone.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        while not saved.exists():
            assert process.poll() is None
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)  # DVC and the training
    reached = load_checkpoint(saved).epoch
    assert 1 <= reached < EPOCHS
    assert not (clone.folder / "runs" / RUN / "last.pt").exists()
    out = clone.run("dvc", "repro", STAGE)
    assert f"going on after epoch {reached}/{EPOCHS}" in out
    assert f"epoch {reached}/{EPOCHS}: loss" not in out
    assert f"epoch {reached + 1}/{EPOCHS}: loss" in out
    interrupted = weights_of(clone)
    shutil.rmtree(clone.folder / "runs" / ".resume")
    out = clone.run("dvc", "repro", "--force", "--single-item", STAGE)
    assert f"epoch 1/{EPOCHS}: loss" in out
    uninterrupted = weights_of(clone)
    assert all(torch.equal(interrupted[name], uninterrupted[name]) for name in uninterrupted)


def test_outputs_of_a_training_come_from_the_run_cache(clone: Clone) -> None:
    """`persist: true`, the other way to keep checkpoints, would switch it off."""
    clone.run("dvc", "repro", STAGE)  # the test before has made them
    trained = weights_of(clone)
    shutil.rmtree(clone.folder / "runs" / "sample")
    shutil.rmtree(clone.folder / "runs" / ".resume")
    (clone.folder / "dvc.lock").unlink()
    assert ": loss" not in clone.run("dvc", "repro", STAGE)
    assert all(torch.equal(trained[name], weight) for name, weight in weights_of(clone).items())
