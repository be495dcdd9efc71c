import math
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from torch import nn

from code_of_stage import SRC
from partialseg.core.classes import NO_TRUTH
from partialseg.engine.batches import MEAN, STD
from partialseg.engine.checkpoint import load_checkpoint
from partialseg.engine.curves import CURVES, EpochRecord, read_curve
from partialseg.labelling.label import label
from partialseg.labelling.labels import LabelSummary
from partialseg.models.unet import UNet
from partialseg.models.unetplusplus import UNetPlusPlus
from partialseg.tiling.patches import PatchStore
from partialseg.training.learner import Learner
from partialseg.training.losses import inverse_root_frequency
from partialseg.training.resume import commit_of
from partialseg.training.train import TrainFolders, print_epoch, train
from small_labels import label_params
from small_run import (
    LIVELY,
    fails_with,
    isolate,
    record,
    run_id,
    small_run,
    train_arguments,
    train_params,
    write_params,
)
from train import main


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    isolate(monkeypatch, tmp_path)


@pytest.fixture
def patches(make_patches: Callable[..., Path]) -> Path:
    return make_patches()


@pytest.fixture
def summary(patches: Path, tmp_path: Path) -> LabelSummary:
    return label(patches, tmp_path / "labels", 0.25, 42, label_params())


def folders_in(folder: Path, patches: Path) -> TrainFolders:
    return TrainFolders(
        patches=patches,
        labels=folder / "labels",
        out=folder / "run",
        resume=folder / "resume",
    )


def test_a_run_is_two_checkpoints_and_its_curves(patches: Path, tmp_path: Path) -> None:
    last = small_run(patches, tmp_path / "run", epochs=3)
    assert sorted(os.listdir(tmp_path / "run")) == ["best.pt", "curves", "last.pt"]
    stored = load_checkpoint(tmp_path / "run" / "last.pt")
    assert replace(stored, weights={}) == replace(last, weights={})
    assert all(torch.equal(stored.weights[name], last.weights[name]) for name in last.weights)
    assert [item.epoch for item in stored.history] == [1, 2, 3]
    for curve, field in CURVES.items():
        values = [getattr(item, field) for item in stored.history]
        assert read_curve(tmp_path / "run" / "curves", curve) == ([1, 2, 3], values)


def test_a_checkpoint_says_how_its_weights_came_about(
    patches: Path, summary: LabelSummary, tmp_path: Path
) -> None:
    params = train_params(class_weights="auto", base_channels=3)
    made = train(run_id(7), folders_in(tmp_path, patches), params)
    assert (made.architecture, made.base_channels, made.deep_supervision) == ("unet", 3, False)
    assert (made.label_fraction, made.seed, made.compute) == (0.25, 7, "CPU, float32")
    assert made.class_names == ["field", "house", "lake"]
    assert made.palette == [(200, 180, 90), (200, 40, 30), (40, 90, 200)]
    assert (made.dataset, made.patch_size) == ("sample", 32)
    assert (made.mean, made.std) == (MEAN, STD)
    assert made.ground_sampling_distances == [pytest.approx(0.25, rel=1e-3)]
    assert made.commit == commit_of(SRC.parent)
    assert made.class_weights == list(inverse_root_frequency(summary.counts))
    assert type(made.build()) is UNet


@pytest.mark.slow
@pytest.mark.parametrize("deep_supervision", [False, True])
def test_deep_supervision_reaches_the_network(
    patches: Path, tmp_path: Path, deep_supervision: bool
) -> None:
    made = small_run(
        patches, tmp_path / "run", "unetplusplus", epochs=1, deep_supervision=deep_supervision
    )
    network = made.build()
    assert type(network) is UNetPlusPlus
    assert network.deep_supervision is made.deep_supervision is deep_supervision


@pytest.mark.parametrize("weights", ["none", (0.5, 1.0, 2.0)])
def test_the_class_weights_are_those_that_were_asked_for(
    patches: Path, tmp_path: Path, weights: Any
) -> None:
    made = small_run(patches, tmp_path / "run", epochs=1, class_weights=weights)
    assert made.class_weights == (None if weights == "none" else [0.5, 1.0, 2.0])


def test_the_class_weights_are_used(patches: Path, tmp_path: Path) -> None:
    losses = [
        small_run(patches, tmp_path / f"run{weight}", epochs=1, class_weights=(weight,) * 3)
        .history[0]
        .train_loss
        for weight in (1.0, 1e-9)
    ]
    assert losses[0] > 0.5
    assert losses[1] < 1e-6


@pytest.mark.slow
def test_equal_seeds_give_equal_weights_and_other_seeds_others(
    patches: Path, tmp_path: Path
) -> None:
    first, again, other = (
        small_run(patches, tmp_path / name, seed=seed, augment=LIVELY).weights
        for name, seed in (("first", 3), ("again", 3), ("other", 4))
    )
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


@pytest.mark.slow
def test_a_training_computes_with_the_threads_that_were_asked_for(
    patches: Path, tmp_path: Path
) -> None:
    weights = []
    try:
        for before in (1, 2):
            torch.set_num_threads(before)
            weights.append(small_run(patches, tmp_path / f"from{before}", threads=1).weights)
            assert torch.get_num_threads() == 1
        small_run(patches, tmp_path / "two", epochs=1, threads=2)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_both_architectures_start_from_their_own_seeded_weights(
    patches: Path, tmp_path: Path
) -> None:
    torch.manual_seed(99)  # what happened before must not matter
    torch.rand(5)
    made = small_run(patches, tmp_path / "run", epochs=1, learning_rate=1e-30, weight_decay=0.0)
    torch.manual_seed(3)
    expected = UNet(3, 3, 2)
    assert torch.equal(made.weights["head.weight"], expected.head.weight)


def fake_fit(scores: list[float]) -> Callable[..., Iterator[EpochRecord]]:
    """Return a fit() whose epoch n scores scores[n - 1] and leaves n in the head's bias."""

    def fit(learner: Learner, *arguments: Any) -> Iterator[EpochRecord]:
        for epoch in range(len(arguments[-1]) + 1, len(scores) + 1):
            nn.init.constant_(learner.network.head.bias, epoch)
            yield record(epoch, val_miou=scores[epoch - 1])

    return fit


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scores", "best"),
    [([0.2, 0.5, 0.5, 0.3], 2), ([0.4], 1), ([0.0, 0.0], 1), ([0.3, 0.2, 0.4], 3), ([0.9, 0.1], 1)],
)
def test_the_best_epoch_is_the_first_of_the_highest_validation_miou(
    patches: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    scores: list[float],
    best: int,
) -> None:
    monkeypatch.setattr("partialseg.training.train.fit", fake_fit(scores))
    small_run(patches, tmp_path / "run")
    for name, epoch in (("best.pt", best), ("last.pt", len(scores))):
        stored = load_checkpoint(tmp_path / "run" / name)
        assert stored.epoch == epoch
        assert [item.val_miou for item in stored.history] == scores[:epoch]
        assert stored.weights["head.bias"].tolist() == [float(epoch)] * 3


def test_the_last_epoch_is_kept_where_the_parameter_says_so(
    patches: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("partialseg.training.train.fit", fake_fit([0.2, 0.5, 0.3]))
    small_run(patches, tmp_path / "run", select="last")
    assert load_checkpoint(tmp_path / "run" / "best.pt").epoch == 3


def test_a_failed_training_leaves_its_checkpoints_and_no_output(
    patches: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fit(*arguments: Any) -> Iterator[EpochRecord]:
        yield from fake_fit([0.5, 0.4])(*arguments)
        raise RuntimeError("the power failed in epoch 3")

    monkeypatch.setattr("partialseg.training.train.fit", fit)
    with pytest.raises(RuntimeError, match="the power failed"):
        small_run(patches, tmp_path / "run")
    assert load_checkpoint(tmp_path / "run-resume" / "best.pt").epoch == 1
    assert load_checkpoint(tmp_path / "run-resume" / "last.pt").epoch == 2
    assert os.listdir(tmp_path / "run") == ["curves"]
    assert read_curve(tmp_path / "run" / "curves", "val/miou") == ([1, 2], [0.5, 0.4])


def test_another_run_replaces_the_first(
    patches: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed, scores in ((1, [0.1, 0.2, 0.9]), (2, [0.3])):
        monkeypatch.setattr("partialseg.training.train.fit", fake_fit(scores))
        small_run(patches, tmp_path / "run", seed=seed)
    assert load_checkpoint(tmp_path / "run" / "best.pt").history == [record(1, val_miou=0.3)]
    assert read_curve(tmp_path / "run" / "curves", "val/miou") == ([1], [0.3])


def test_an_epoch_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    print_epoch(record(2, val_miou=0.5), 12)
    assert capsys.readouterr().out == (
        "epoch 2/12: loss 0.5000, val loss 0.5000, val mIoU 0.5000, val accuracy 0.3333, "
        "12.0 images/s (2.0% waiting for patches), 3.0 s, 1 steps overflowed\n"
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"class_weights": (1.0, 2.0)}, r"class_weights: needs 3 positive weights"),
        ({"precision": "float16"}, r"precision: float16 needs a CUDA device"),
        ({"accumulation": "auto"}, r"accumulation: auto fits .* this is a CPU; give a number"),
    ],
)
def test_parameters_that_do_not_fit_are_refused_before_anything_is_written(
    patches: Path, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        small_run(patches, tmp_path / "run", **changes)
    assert not (tmp_path / "run").exists()


def test_a_class_that_nobody_has_labelled_is_named_and_has_weight_0(
    patches: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = PatchStore(patches)
    for patch in store.of_split("train"):
        file = patches / "masks" / f"{patch.orthophoto}.npy"
        masks = np.load(file)
        masks[patch.index][masks[patch.index] == 2] = NO_TRUTH
        np.save(file, masks)
    made = small_run(patches, tmp_path / "run", epochs=1, class_weights="auto")
    name = store.summary.class_names[2]
    said = f"{name}: no visible training pixel, so that it cannot be learned\n"
    assert capsys.readouterr().out.count(said) == 1
    assert made.class_weights is not None
    assert made.class_weights[2] == 0.0 < min(made.class_weights[:2])
    assert math.isfinite(made.history[0].val_loss)


def test_labels_of_other_patches_are_refused(
    patches: Path, summary: LabelSummary, make_patches: Callable[..., Path], tmp_path: Path
) -> None:
    other = make_patches(columns=2)
    with pytest.raises(ValueError, match="labels: these labels belong to other patches"):
        train(run_id(3), folders_in(tmp_path, other), train_params())
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_the_command_trains_by_the_params_file(
    patches: Path, summary: LabelSummary, tmp_path: Path
) -> None:
    write_params(tmp_path / "params.yaml")
    script = [
        sys.executable,
        SRC / "train.py",
        *train_arguments(patches, architecture="unetplusplus"),
    ]
    done = subprocess.run(script, cwd=tmp_path, capture_output=True, text=True, check=True)
    device, epoch, *_ = done.stdout.splitlines()
    assert device.startswith("trains on ") and epoch.startswith("epoch 1/1: loss ")
    stored = load_checkpoint(tmp_path / "run" / "best.pt")
    assert (stored.architecture, stored.base_channels) == ("unetplusplus", 2)
    assert (stored.seed, stored.label_fraction) == (42, 0.25)
    assert stored.class_weights == list(inverse_root_frequency(summary.counts))


@pytest.mark.slow
def test_the_command_ends_with_status_1_and_one_line(patches: Path, tmp_path: Path) -> None:
    write_params(tmp_path / "params.yaml")
    script = [sys.executable, SRC / "train.py", *train_arguments(patches, architecture="segnet")]
    label(patches, tmp_path / "labels", 0.25, 42, label_params())
    done = subprocess.run(script, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == ("error: unknown architecture 'segnet'; known: unet, unetplusplus\n")
    assert not (tmp_path / "run").exists()


def test_a_misspelt_parameter_is_named(
    patches: Path,
    summary: LabelSummary,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_params(tmp_path / "params.yaml", learning_rat=0.1)
    assert fails_with(monkeypatch, capsys, main, train_arguments(patches)) == (
        "error: params.yaml: datasets.sample.train.learning_rat: is unknown (value 0.1)\n"
    )
    assert not (tmp_path / "run").exists()


def test_a_missing_parameter_and_a_wrong_type_are_named(
    patches: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_params(tmp_path / "params.yaml", epochs="many")
    params = yaml.safe_load((tmp_path / "params.yaml").read_text())
    del params["datasets"]["sample"]["train"]["workers"]
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    error = fails_with(monkeypatch, capsys, main, train_arguments(patches))
    assert error.count("\n") == 1
    assert "datasets.sample.train.epochs: should be a valid integer, got 'many'" in error
    assert "datasets.sample.train.workers: is missing" in error


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": "no-labels"}, "error: no-labels: no usable labels: "),
        ({"patches": "no-patches"}, "error: no-patches: no usable patch store: "),
        ({"dataset": "mars"}, "error: params.yaml: datasets.mars.train: no key 'mars' in datasets"),
    ],
)
def test_missing_inputs_are_named(
    patches: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    changes: dict[str, str],
    message: str,
) -> None:
    write_params(tmp_path / "params.yaml")
    error = fails_with(monkeypatch, capsys, main, train_arguments(patches, **changes))
    assert error.startswith(message)
    assert error.count("\n") == 1
    assert not (tmp_path / "run").exists()
