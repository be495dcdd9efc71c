"""Which trainings DVC would run, and in what order they can."""

from pathlib import Path
from typing import Any

import pytest

from clones import shrunk_clone
from partialseg.cluster.stages import Training, matching, out_of_date, training_levels
from tiny_pipeline import tiny_pipeline


@pytest.mark.slow
def test_the_trainings_of_the_table_wait_for_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(shrunk_clone(tmp_path / "clone", tmp_path / "site_cache").folder)
    (level,) = training_levels()
    needed, trainings = level
    assert trainings == [
        f"train@sample-main-random-{architecture}-{fraction}-{recipe}-42"
        for architecture in ("unet", "unetplusplus")
        for fraction in ("0.1", "0.15")
        for recipe in ("reproduction", "tuned")
    ]
    assert needed == [
        "label@sample-main-random-0.1-42",
        "label@sample-main-random-0.15-42",
        "tile@sample-main",
    ]


@pytest.mark.slow
def test_targets_need_only_their_own_trainings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(shrunk_clone(tmp_path / "clone", tmp_path / "site_cache").folder)
    targets = matching(["evaluate@*-0.15-tuned-*", "train@*-unet-0.1-tuned-42"])
    assert targets == [
        "evaluate@sample-main-random-unet-0.15-tuned-42",
        "evaluate@sample-main-random-unetplusplus-0.15-tuned-42",
        "train@sample-main-random-unet-0.1-tuned-42",
    ]
    ((_, trainings),) = training_levels(targets)
    assert trainings == [
        "train@sample-main-random-unet-0.1-tuned-42",
        "train@sample-main-random-unet-0.15-tuned-42",
        "train@sample-main-random-unetplusplus-0.15-tuned-42",
    ]
    assert training_levels(["tile@sample-main"]) == []
    with pytest.raises(ValueError, match=r"^evaluate@\*-boxes-\*: is no stage of the pipeline "):
        matching(["tile@*", "evaluate@*-boxes-*"])


@pytest.mark.slow
def test_the_rounds_of_active_learning_wait_for_one_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def change(params: dict[str, Any]) -> None:
        params |= {"architectures": ["unet"], "recipes": ["tuned"], "strategies": ["entropy"]}
        params["rounds"] = [{"after": 0.1, "fraction": 0.2}, {"after": 0.2, "fraction": 0.3}]

    monkeypatch.chdir(shrunk_clone(tmp_path / "clone", tmp_path / "site_cache", change).folder)
    levels = training_levels()
    assert [trainings for _, trainings in levels] == [
        [
            "active_start@sample-main-entropy-unet-tuned-42",
            "train@sample-main-random-unet-0.1-tuned-42",
            "train@sample-main-random-unet-0.15-tuned-42",
        ],
        ["active_train@sample-main-entropy-unet-round0-tuned-42"],
        ["active_train@sample-main-entropy-unet-round1-tuned-42"],
    ]
    assert levels[1][0] == ["acquire@sample-main-entropy-round0-42", "tile@sample-main"]


@pytest.mark.slow
def test_a_training_is_out_of_date_until_it_ran_and_again_after_a_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tiny_pipeline(tmp_path, ["a", "b"], monkeypatch)
    names = ["train@a", "train@b"]
    project.run("dvc", "repro", "label")
    assert out_of_date(names) == [
        Training(
            stage=f"train@{name}",
            command=f"python src/train.py --dataset sample --recipe {name} "
            f"--resume runs/.resume/{name} --out runs/{name}",
            dataset="sample",
            recipe=name,
            resume=Path("runs/.resume", name),
        )
        for name in "ab"
    ]
    project.run("dvc", "repro", "train@a")
    assert [item.stage for item in out_of_date(names)] == ["train@b"]
    project.edit_params(label="other")
    project.run("dvc", "repro", "label")
    assert [item.stage for item in out_of_date(names)] == names
    # What the run cache has DVC does not run.
    project.edit_params(label="a")
    project.run("dvc", "repro", "label")
    assert [item.stage for item in out_of_date(names)] == ["train@b"]


@pytest.mark.slow
def test_a_pipeline_that_dvc_cannot_read_is_one_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tiny_pipeline(tmp_path, ["a"], monkeypatch)
    (project.folder / "dvc.yaml").write_text("stages: {train: {cmd: [}}\n")
    with pytest.raises(
        ValueError, match=r"unable to read: 'dvc\.yaml', YAML file structure is corrupted"
    ):
        training_levels()
