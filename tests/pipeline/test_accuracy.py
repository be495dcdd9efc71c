"""What benchmarks/accuracy.py computes, on a small patch store."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import accuracy
from accuracy import Data, Task
from partialseg.labelling.labels import LabelStore
from partialseg.models.build import build_network
from partialseg.tiling.patches import PatchStore
from small_run import CPU, LIVELY, small_run, train_params


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


def test_the_last_scores_are_means_over_the_seeds() -> None:
    results = [result("monai", 1, 0.375), *(result("tuned", seed, seed / 4) for seed in (1, 2, 3))]
    tuned, monai = accuracy.ends(results, "unet")
    assert tuned == {
        "architecture": "unet",
        "side": "tuned",
        "seeds": 3,
        "test mIoU": "0.5000",
        "std": "0.2500",
        "worst class": "house 0.250",
        "buildings found": "50%",
    }
    assert (monai["side"], monai["test mIoU"], monai["std"]) == ("monai", "0.3750", "")


@pytest.mark.slow
def test_ours_is_the_training_of_the_stage(
    make_patches: Callable[..., Path], tmp_path: Path
) -> None:
    changes = {"optimizer": "muon", "crop": 16, "ema_decay": 0.9, "augment": LIVELY}
    stage = small_run(make_patches(), tmp_path / "run", "unetplusplus", seed=3, **changes)
    data = stored(tmp_path)
    task = Task(side="tuned", architecture="unetplusplus", seed=3)
    trained = list(accuracy.train_ours(task, data, train_params(**changes)))
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

    def unet(architecture: str, base: int) -> torch.nn.Module:
        return build_network(architecture, 3, 4, base)  # of the four classes of the store

    monkeypatch.setattr(accuracy, "monai_network", unet)
    task = Task(side="monai", architecture="unet", seed=3)
    params = train_params(epochs=8, learning_rate=0.05)
    scorer = accuracy.Scorer(num_classes=4, class_weights=None, compute=CPU)
    data = stored(tmp_path)
    batches = accuracy.truth_loader(
        accuracy.TruthPatches(data.store, data.store.of_split("train")), 3, workers=0
    )
    scores = [
        scorer.score(network, batches).confusion.accuracy()
        for network, _, _ in accuracy.train_monai(task, data, params)
    ]
    assert len(scores) == 8
    assert scores[-1] > scores[0] + 0.1


def stored(folder: Path) -> Data:
    store = PatchStore(folder / "patches")
    names = [patch.name for patch in store.of_split("train")]
    return Data(store=store, labels=LabelStore(folder / "run-labels", names))
