"""Whole trainings with a method for the unlabelled pixels."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from partialseg.engine.checkpoint import load_checkpoint
from partialseg.labelling.label import label
from partialseg.training.train import TrainFolders, train
from small_labels import label_params
from small_run import METHODS, isolate, run_id, train_params

pytestmark = pytest.mark.slow

SURE = {"pseudo_labels": {"threshold": 0.0}, "consistency": {"threshold": 0.0}, "gated_crf": {}}


def trained(patches: Path, folder: Path, name: str, method: str) -> dict[str, torch.Tensor]:
    """Train on half of the patches, wholly labelled; return the last weights."""
    labels = folder / f"{name}-labels"
    label(patches, labels, 0.5, 42, label_params("patches"))
    changes: dict[str, Any] = {"method": method, "select": "last", "ema_decay": 0.5}
    if method in SURE:
        sure = replace(getattr(METHODS, method), **SURE[method])
        changes["methods"] = replace(METHODS, **{method: sure})
    folders = TrainFolders(
        patches=patches, labels=labels, out=folder / name, resume=folder / f"{name}-resume"
    )
    params = train_params(batch_size=2, epochs=2, **changes)
    train(run_id(3, labelling="patches"), folders, params)
    return dict(load_checkpoint(folders.out / "last.pt").weights)


@pytest.mark.parametrize("method", ["pseudo_labels", "consistency", "gated_crf"])
def test_a_method_changes_a_training_and_repeats_it(
    method: str,
    make_patches: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    isolate(monkeypatch, tmp_path)
    patches = make_patches(rows=2, columns=2)
    weights = {
        name: trained(patches, tmp_path, name, kind)
        for name, kind in (("none", "none"), ("one", method), ("again", method))
    }
    for key in weights["one"]:
        assert torch.equal(weights["one"][key], weights["again"][key])
    learned = [key for key in weights["one"] if weights["one"][key].is_floating_point()]
    assert any(not torch.equal(weights["one"][key], weights["none"][key]) for key in learned)
