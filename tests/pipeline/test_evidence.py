"""What benchmarks/evidence.py does besides training."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from dvc.utils.hydra import apply_overrides

import evidence
from clones import ROOT
from partialseg.checking.experiment import Experiment
from partialseg.core.params import load_section
from partialseg.tiling.params import Tile
from partialseg.training.params import Train


@pytest.mark.slow
@pytest.mark.parametrize("name", evidence.STUDIES)
def test_the_settings_of_a_study_are_keys_of_params_yaml(name: str, tmp_path: Path) -> None:
    study = evidence.STUDIES[name]
    file = tmp_path / "params.yaml"
    file.write_bytes((ROOT / "params.yaml").read_bytes())
    apply_overrides(file, study.settings(2))
    experiment = load_section(file, "", Experiment)
    assert experiment.seeds == tuple(study.seeds[:2])
    assert experiment.splits[0] == "main"
    if experiment.dataset == "sample":
        tile = load_section(file, "datasets.sample.tile", Tile)
        assert (tile.val, tile.test) == (0.1333, 0.6)
        for recipe in study.recipes:
            train = load_section(
                file, "datasets.sample.train", Train, f"datasets.sample.recipes.{recipe}"
            )
            assert train.epochs == (12 if recipe == "reproduction" else 24), recipe


def test_a_study_of_labels_trains_its_recipes_on_what_is_drawn_alone() -> None:
    study = evidence.of_labels(["lovasz"], seeds=(1,), budgets=["0.01"])
    assert study.targets == [
        "*evaluate@*-random-unet-1.0-tuned-*",
        "*evaluate@*-random-unet-0.01-tuned-*",
        "*evaluate@*-points-unet-0.1-*-*",
        "*evaluate@*-scribbles-unet-0.0075-*-*",
        "*evaluate@*-patches-unet-0.1-*-*",
    ]
    settings = study.settings(1)
    assert {"sweep=[0.0075,0.01,0.05,1.0]", "seeds=[1]", "recipes=[tuned,lovasz]"} < {*settings}


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Pretend to train, with time for three calls; return the numbers of seeds asked for."""
    asked: list[int] = []

    def run(folder: Path, settings: list[str], *_: object) -> bool:
        (seeds,) = (item for item in settings if item.startswith("seeds="))
        asked.append(seeds.count(",") + 1)
        return len(asked) <= 3

    (tmp_path / ".dvc" / "tmp").mkdir(parents=True)
    monkeypatch.setattr(evidence, "clone", lambda *_: None)
    monkeypatch.setattr(evidence, "run", run)
    monkeypatch.setattr(evidence, "write_tables", lambda *_: None)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    arguments = ["evidence.py", "--studies", "cells", "--folder", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", arguments)
    return asked


def test_a_study_goes_on_with_the_seed_at_which_it_was_stopped(
    calls: list[int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evidence.main()
    assert calls == [1, 2, 3, 4]
    assert "cells: stopped at seed 3; the next call goes on" in capsys.readouterr().out
    assert json.loads((tmp_path / ".dvc" / "tmp" / "evidence.json").read_text()) == {"cells": 3}
    calls.clear()
    evidence.main()
    assert calls == [4, 5, 6, 7]


def test_a_finished_study_is_brought_up_to_date(calls: list[int], tmp_path: Path) -> None:
    (tmp_path / ".dvc" / "tmp" / "evidence.json").write_text('{"cells": 8}')
    evidence.main()
    assert calls == [8]


def test_a_folder_that_is_no_clone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"exists and is no clone$"):
        evidence.clone(tmp_path, "HEAD")
    with pytest.raises(SystemExit, match=r"lies in the repository; take a folder beside it$"):
        evidence.clone(ROOT / "evidence", "HEAD")


def test_what_does_not_end_by_ctrl_c_is_ended_by_force(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence, "STOP_SECONDS", 0.2)
    code = (
        "import signal, time; signal.signal(2, signal.SIG_IGN); print(flush=True); time.sleep(60)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], start_new_session=True, stdout=subprocess.PIPE
    )
    assert process.stdout is not None and process.stdout.readline()
    started = time.monotonic()
    evidence.stop(process)
    assert process.returncode == -signal.SIGTERM
    assert time.monotonic() - started < 30
    process.stdout.close()
