"""Active learning in the pipeline: the real configuration, shrunk, interrupted and run again."""

import os
import signal
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from clones import Clone, shrunk_clone

pytestmark = pytest.mark.slow
STRATEGIES = ("random_regions", "entropy")
ROUNDS = [{"after": 0.1, "fraction": 0.2}, {"after": 0.2, "fraction": 0.3}]
# Of the labelling that is listed, which active learning does not touch.
OTHERS = ["compare@sample", "publish@sample", "report@sample"]
STAGES = [
    *(f"active_label@sample-main-{name}-42" for name in STRATEGIES),
    *(f"active_start@sample-main-{name}-unet-reproduction-42" for name in STRATEGIES),
    *(
        stage
        for name in STRATEGIES
        for number in (0, 1)
        for stage in (
            f"acquire@sample-main-{name}-round{number}-42",
            f"active_train@sample-main-{name}-unet-round{number}-reproduction-42",
            f"active_evaluate@sample-main-{name}-unet-round{number}-reproduction-42",
        )
    ),
    "strategies@sample-round0",
    "strategies@sample-round1",
]


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    def change(params: dict[str, Any]) -> None:
        params["datasets"]["sample"]["train"]["epochs"] = 2
        params["datasets"]["sample"]["acquire"]["workers"] = 0
        params |= {"architectures": ["unet"], "recipes": ["reproduction"]}

    made = shrunk_clone(tmp_path / "clone", tmp_path / "site_cache", change)
    made.run("dvc", "repro")
    made.commit("its results")
    return made


def stages_run(lines: Iterable[str]) -> list[str]:
    return [line.split("'")[1] for line in lines if line.startswith("Running stage")]


def run_and_kill(clone: Clone, when_exists: Path) -> list[str]:
    """Start `dvc repro`, kill it and its stage when a file is there; return the stages it began."""
    printed = clone.folder.parent / "printed.txt"
    with (
        printed.open("w") as stream,
        subprocess.Popen(
            ["dvc", "repro"],
            cwd=clone.folder,
            env=clone.environment | {"PYTHONUNBUFFERED": "1"},
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as process,
    ):
        while not when_exists.exists():
            assert process.poll() is None, printed.read_text()
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGKILL)
    return stages_run(printed.read_text().splitlines())


def visible(clone: Clone, strategy: str, fraction: str) -> NDArray[np.uint8]:
    labels = clone.folder / "data" / "sample" / "main" / "labels"
    packed: NDArray[np.uint8] = np.load(labels / f"{strategy}-{fraction}-42" / "visible.npy")
    return np.unpackbits(packed, axis=1)


def test_rounds_buy_and_train_once_even_if_interrupted(clone: Clone) -> None:
    before = clone.run("dvc", "stage", "list", "--name-only").split()
    assert not [name for name in before if name.startswith(("acq", "active", "strategies"))]
    clone.edit_params(strategies=list(STRATEGIES), rounds=ROUNDS)
    resumed = clone.folder / "runs" / ".resume" / "sample" / "main"
    began = run_and_kill(clone, resumed / "entropy" / "unet-0.2-reproduction-42" / "last.pt")
    assert began[-1] == "active_train@sample-main-entropy-unet-round0-reproduction-42"
    assert "acquire@sample-main-entropy-round0-42" in began
    out = clone.run("dvc", "repro")
    went_on = stages_run(out.splitlines())
    assert went_on.count(began[-1]) == 1
    assert sorted({"check", *began[:-1], *went_on}) == sorted(["check", *STAGES, *OTHERS])
    assert not set(began[:-1]) & set(went_on)
    assert stages_run(clone.run("dvc", "repro").splitlines()) == []
    assert "Data and pipelines are up to date." in clone.run("dvc", "status")

    starts = [visible(clone, name, "0.1") for name in STRATEGIES]
    np.testing.assert_array_equal(*starts)
    np.testing.assert_array_equal(starts[0], visible(clone, "random", "0.1"))
    for name in STRATEGIES:
        first, second, third = (visible(clone, name, part) for part in ("0.1", "0.2", "0.3"))
        assert first.sum() < second.sum() < third.sum() <= 0.3 * third.size
        assert not (first > second).any() and not (second > third).any()
        acquired = clone.read(f"data/sample/main/labels/{name}-0.3-42/acquisition.json")
        assert acquired["strategy"] == name.removesuffix("_regions")
        assert acquired["bought"] == third.sum() - second.sum()
    assert (visible(clone, "entropy", "0.2") != visible(clone, "random_regions", "0.2")).any()
    rows = clone.read("plots/sample/strategies/0.3/table.json")
    assert [(row["label_fraction"], row["labelling"]) for row in rows] == [
        (fraction, name) for fraction in (0.2, 0.3) for name in STRATEGIES
    ]
    assert clone.read("plots/sample/strategies/0.2/table.json") == rows[:2]
    assert all(
        0.9 * r["label_fraction"] < r["labelled_pixels"] <= r["label_fraction"] for r in rows
    )

    # Off again: the stages vanish, and what was computed before serves.
    clone.edit_params(strategies=[], rounds=[])
    assert clone.run("dvc", "stage", "list", "--name-only").split() == before
    ran = stages_run(clone.run("dvc", "repro").splitlines())
    assert not [name for name in ran if name.startswith(("label", "train", "evaluate"))]
