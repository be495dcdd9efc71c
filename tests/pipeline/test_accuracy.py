"""What benchmarks/accuracy.py and its trainings compute, on a small patch store."""

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import accuracy
import real_images
import trainings
from partialseg.engine.compute import Compute
from partialseg.labelling.labels import LabelStore
from partialseg.models.build import build_network
from partialseg.tiling.patches import PatchStore
from small_run import CPU, LIVELY, STILL, small_run, train_params
from trainings import Data, Task


def result(side: str, seed: int, miou: float) -> dict[str, Any]:
    curve = [
        {"epoch": epoch, "seconds": 10.0 * epoch * seed, "val_miou": 0.5, "test_miou": value}
        for epoch, value in ((1, miou / 2), (2, miou))
    ]
    return {
        "side": side,
        "architecture": "unet",
        "seed": seed,
        "curve": curve,
        "test_miou": miou,
        "test_iou": {"field": 0.9, "house": miou / 2},
        "buildings_found": miou,
        "buildings": 100,
    }


def test_a_curve_is_that_of_the_medians() -> None:
    results = [result("tuned", seed, miou) for seed, miou in ((1, 0.5), (2, 0.75), (4, 0.25))]
    results.append(result("monai", 1, 0.375))
    assert accuracy.medians(results, "tuned") == [
        {"side": "tuned", "epoch": 1, "seconds": 20.0, "val_miou": 0.5, "test_miou": 0.25},
        {"side": "tuned", "epoch": 2, "seconds": 40.0, "val_miou": 0.5, "test_miou": 0.5},
    ]
    assert accuracy.medians(results, "2db57f6") == []


def test_the_scores_of_the_selected_epochs_are_means_over_the_seeds() -> None:
    results = [result("monai", 1, 0.375), *(result("tuned", seed, seed / 4) for seed in (1, 2, 3))]
    results[1]["curve"][-1]["test_miou"] = 0.0  # the last epoch was not selected
    tuned, monai = accuracy.ends(results, "unet")
    assert tuned == {
        "architecture": "unet",
        "side": "tuned",
        "seeds": 3,
        "epochs": 2,
        "test mIoU": "0.5000",
        "std": "0.2500",
        "worst class": "house 0.250",
        "buildings found": "50%",
    }
    assert (monai["side"], monai["test mIoU"], monai["std"]) == ("monai", "0.3750", "")


def test_tuned_and_the_plain_loop_see_equally_many_pixels() -> None:
    ours, before, plain = (accuracy.params_of(side) for side in accuracy.SIDES)
    assert (ours.epochs, plain.epochs, before.epochs) == (12, 12, 12)
    assert (plain.crop, plain.batch_size, plain.optimizer) == (0, 2, "adamw")
    assert (before.crop, before.batch_size, before.optimizer) == (0, 2, "adamw")
    assert ours.augment == plain.augment and ours.learning_rate == plain.learning_rate


class FakeMeter:
    """Scores of networks that are numbers."""

    VAL = {1: 0.3, 2: 0.6, 3: 0.5}  # noqa: RUF012

    def __init__(self, *_: Any) -> None:
        pass

    def point(self, network: int, epoch: int, seconds: float) -> dict[str, Any]:
        return {"epoch": epoch, "test_miou": network / 10}

    def val_miou(self, network: int) -> float:
        return self.VAL[network]

    def end(self, network: int) -> dict[str, Any]:
        return {"test_miou": network / 10}


@pytest.mark.parametrize(("select", "selected"), [("best", 2), ("last", 3)])
def test_the_epoch_is_selected_by_validation(
    select: str, selected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accuracy, "Meter", FakeMeter)
    epochs = [(epoch, epoch, 1.0) for epoch in (1, 2, 3)]
    monkeypatch.setattr(accuracy, "train_ours", lambda *_: iter(epochs))
    task = Task(side="tuned", architecture="unet", seed=1)
    measured = accuracy.measure(task, None, train_params(epochs=3, select=select), CPU)
    assert measured["selected_epoch"] == selected
    assert measured["test_miou"] == selected / 10
    assert [point["epoch"] for point in measured["curve"]] == [2, 3]


def test_a_result_is_added_and_never_replaced(tmp_path: Path) -> None:
    file, keys = tmp_path / "a.json", {"side": "tuned", "seed": 1}
    assert trainings.read(file) == []
    assert not trainings.is_done(file, keys, {"digest": "a"})
    trainings.add(file, keys | {"digest": "a"})
    trainings.add(file, {"side": "tuned", "seed": 2, "digest": "b"})
    assert [(item["seed"], item["digest"]) for item in trainings.read(file)] == [(1, "a"), (2, "b")]
    assert trainings.is_done(file, keys, {"digest": "a"})
    with pytest.raises(ValueError, match=r"a\.json: tuned, 1: was trained by other"):
        trainings.is_done(file, keys, {"digest": "c"})


@pytest.mark.slow
def test_other_parameters_and_other_patches_are_another_training(
    make_patches: Callable[..., Path], tmp_path: Path
) -> None:
    small_run(make_patches(), tmp_path / "run", epochs=1)
    data = stored(tmp_path)

    def made(compute: Compute = CPU, **changes: Any) -> dict[str, str]:
        return trainings.made_by(train_params(**changes), data.store, compute)

    first = made()
    assert first["compute"] == "CPU, float32"
    assert made() == first
    assert made(Compute(torch.device("cpu"), torch.bfloat16)) == first | {
        "compute": "CPU, bfloat16"
    }
    assert made(epochs=3)["digest"] != first["digest"]
    off = replace(STILL, colour_jitter=replace(STILL.colour_jitter, contrast=0.1))
    assert made(augment=off) == first  # of probability 0
    on = replace(STILL, colour_jitter=replace(STILL.colour_jitter, probability=0.1))
    assert made(augment=on)["digest"] != first["digest"]
    with (tmp_path / "patches" / "manifest.csv").open("a") as manifest:
        manifest.write("\n")
    assert made()["digest"] != first["digest"]


def test_results_by_other_parameters_are_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    by = {"digest": "new", "compute": "CPU, float32"}
    results = [result("tuned", 1, 0.5) | by, result("tuned", 2, 0.25) | by | {"digest": "old"}]
    file = tmp_path / "a.json"
    file.write_text(json.dumps(results))
    monkeypatch.setattr(accuracy, "PatchStore", lambda _: None)
    monkeypatch.setattr(accuracy, "labels_of", lambda *_: None)
    monkeypatch.setattr(accuracy, "made_by", lambda *_: by)
    asked = ["accuracy.py", "--results", str(file), "--sides", "tuned", "--seeds", "1"]
    monkeypatch.setattr(sys, "argv", asked)
    accuracy.main()
    said = capsys.readouterr().out
    assert "1 trainings by other parameters, patches or precision are not shown\n" in said
    assert "0.5" in said and "0.25 " not in said.split("architecture")[1]


def test_on_real_images_the_plain_loop_has_flips_and_turns_alone() -> None:
    ours, plain = (real_images.params_of(side) for side in real_images.SIDES)
    assert ours.augment.colour_jitter.probability == 0.8
    assert plain.augment.colour_jitter.probability == 0.0
    for augment in (ours.augment, plain.augment):
        flips = augment.horizontal_flip, augment.vertical_flip, augment.rotate90
        assert flips == (0.5, 0.5, 0.5)
        assert augment.shift_scale_rotate.probability == 0.0
    assert (plain.crop, plain.batch_size, plain.optimizer) == (0, 4, "adamw")
    assert (ours.epochs, ours.learning_rate) == (plain.epochs, plain.learning_rate)
    assert ours.select == plain.select == "last"


@pytest.mark.slow
def test_ours_is_the_training_of_the_stage(
    make_patches: Callable[..., Path], tmp_path: Path
) -> None:
    changes = {"optimizer": "muon", "crop": 16, "ema_decay": 0.9, "augment": LIVELY}
    stage = small_run(make_patches(), tmp_path / "run", "unetplusplus", seed=3, **changes)
    data = stored(tmp_path)
    task = Task(side="tuned", architecture="unetplusplus", seed=3)
    trained = list(trainings.train_ours(task, data, train_params(**changes), CPU))
    assert [epoch for _, epoch, _ in trained] == [1, 2]
    network, _, seconds = trained[-1]
    assert seconds > 0
    weights = network.state_dict()
    assert weights.keys() == stage.weights.keys()
    assert all(torch.equal(weights[name], stage.weights[name]) for name in weights)


@pytest.mark.slow
def test_the_plain_loop_learns_from_the_labels(
    make_patches: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_run(make_patches(), tmp_path / "run")

    def unet(architecture: str, base: int, classes: int) -> torch.nn.Module:
        return build_network(architecture, 3, classes, base)

    monkeypatch.setattr(trainings, "monai_network", unet)
    task = Task(side="monai", architecture="unet", seed=3)
    params = train_params(epochs=8, learning_rate=0.05)
    scorer = trainings.Scorer(num_classes=4, class_weights=None, compute=CPU)
    data = stored(tmp_path)
    batches = trainings.truth_loader(
        trainings.TruthPatches(data.store, data.store.of_split("train")), 3, workers=0
    )
    scores = [
        scorer.score(network, batches).confusion.accuracy()
        for network, _, _ in trainings.train_monai(task, data, params, CPU)
    ]
    assert len(scores) == 8
    assert scores[-1] > scores[0] + 0.1


def stored(folder: Path) -> Data:
    store = PatchStore(folder / "patches")
    names = [patch.name for patch in store.of_split("train")]
    return Data(store=store, labels=LabelStore(folder / "run-labels", names))
