"""Small runs for the tests: parameters, a network of fixed logits, and a place of their own."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch import Tensor, nn

from code_of_stage import SRC
from partialseg.core.command import run
from partialseg.engine.batches import MEAN, STD
from partialseg.engine.checkpoint import Checkpoint, RunId
from partialseg.engine.compute import Compute
from partialseg.engine.curves import EpochRecord
from partialseg.labelling.label import label
from partialseg.training.augment import Augment, ColourJitter, ShiftScaleRotate
from partialseg.training.losses import Terms
from partialseg.training.methods.build import Methods
from partialseg.training.methods.consistency import Consistency
from partialseg.training.methods.gated_crf import GatedCrf
from partialseg.training.methods.pseudo_labels import PseudoLabels
from partialseg.training.params import Train
from partialseg.training.train import TrainFolders, train
from small_labels import label_params

torch.set_num_threads(1)  # networks as small as these only lose by more

CPU = Compute(torch.device("cpu"), torch.float32)
NO_JITTER = ColourJitter(probability=0.0, brightness=0.5, contrast=0.5, saturation=0.5, balance=0.5)
STILL = Augment(
    horizontal_flip=0.0,
    vertical_flip=0.0,
    rotate90=0.0,
    shift_scale_rotate=ShiftScaleRotate(probability=0.0, shift=0.0, scale=0.0, rotate=0.0),
    colour_jitter=NO_JITTER,
)
LIVELY = Augment(
    horizontal_flip=0.5,
    vertical_flip=0.5,
    rotate90=0.5,
    shift_scale_rotate=ShiftScaleRotate(probability=0.5, shift=0.1, scale=0.1, rotate=45.0),
    colour_jitter=NO_JITTER,
)


METHODS = Methods(
    pseudo_labels=PseudoLabels(weight=0.75, threshold=0.6, first_round=0.5),
    consistency=Consistency(weight=0.25, threshold=0.6, cutmix=0.5, ramp_up=0.5),
    gated_crf=GatedCrf(weight=0.5, radius=2, sigma_xy=3.0, sigma_rgb=20.0, stride=2),
)


def isolate(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Run on one CPU core of any machine, in a folder outside every repository."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(folder / "site-cache"))
    monkeypatch.chdir(folder)


def train_params(**changes: Any) -> Train:
    """Return parameters of a run that takes a blink."""
    small: dict[str, Any] = {
        "base_channels": 2,
        "deep_supervision": False,
        "epochs": 2,
        "crop": 0,
        "batch_size": 2,
        "processes": 1,
        "accumulation": 1,
        "threads": 1,
        "sampling": "patches",
        "optimizer": "adam",
        "learning_rate": 0.01,
        "schedule": "constant",
        "warmup": 0.0,
        "weight_decay": 0.0001,
        "ema_decay": 0.0,
        "patience": 0,
        "select": "best",
        "class_weights": "none",
        "loss": Terms(dice=0.0, lovasz=0.0),
        "method": "none",
        "methods": METHODS,
        "precision": "float32",
        "checkpointing": False,
        "compile": False,
        "deterministic": False,
        "workers": 0,
        "augment": STILL,
    }
    return Train(**small | changes)


def small_run(
    patches: Path, out: Path, architecture: str = "unet", seed: int = 3, **changes: Any
) -> Checkpoint:
    """Label half of the pixels beside `out`, and train into `out`."""
    labels = out.with_name(f"{out.name}-labels")
    label(patches, labels, 0.5, 42, label_params())
    params = train_params(**changes)
    resume = out.with_name(f"{out.name}-resume")
    folders = TrainFolders(patches=patches, labels=labels, out=out, resume=resume)
    return train(run_id(seed, architecture=architecture), folders, params)


def run_id(seed: int, **changes: str) -> RunId:
    """Return which run a small training is."""
    names = {
        "dataset": "sample",
        "split": "main",
        "labelling": "random",
        "architecture": "unet",
        "recipe": "reproduction",
    }
    return RunId(seed=seed, **names | changes)


def train_arguments(folder: Path, **changes: str) -> list[str]:
    """Return the arguments of src/train.py; all but the patch store lies in the current folder."""
    values = {
        "dataset": "sample",
        "architecture": "unet",
        "recipe": "reproduction",
        "split": "main",
        "labelling": "random",
        "seed": "42",
        "patches": str(folder),
        "labels": "labels",
        "out": "run",
        "resume": "resume",
    }
    return [part for key, value in (values | changes).items() for part in (f"--{key}", value)]


def record(epoch: int, **changes: float) -> EpochRecord:
    """Return a made-up record whose every value differs."""
    values = {
        "train_loss": 1 / epoch,
        "val_loss": 2 / (epoch + 2),
        "val_miou": epoch / 7,
        "val_accuracy": epoch / 6,
        "val_batch_miou": epoch / 8,
        "seconds": 1.5 * epoch,
        "images_per_second": 10.0 + epoch,
        "loader_share": 0.01 * epoch,
        "skipped_steps": epoch - 1,
        "peak_memory_mib": 100.0 * epoch,
    }
    return EpochRecord(epoch=epoch, **values | changes)


def write_params(file: Path, **changes: Any) -> None:
    """Write the project's params.yaml with the sample's sections train and evaluate shrunk."""
    params = yaml.safe_load((SRC.parent / "params.yaml").read_text(encoding="utf-8"))
    sample = params["datasets"]["sample"]
    sample["train"] |= {"base_channels": 2, "epochs": 1, "workers": 0, "precision": "float32"}
    sample["train"] |= changes
    sample["evaluate"] |= {"workers": 0, "precision": "float32", "panel_patches": 2}
    sample["evaluate"]["spatial"] |= {"objects": "house"}  # the classes are those of conftest.py
    file.write_text(yaml.safe_dump(params), encoding="utf-8")


def fails_with(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    main: Callable[[], None],
    arguments: Sequence[str],
) -> str:
    """Run a stage's main(), which must end with status 1, and return what it says of it."""
    monkeypatch.setattr(sys, "argv", ["stage.py", *arguments])
    with pytest.raises(SystemExit) as stop:
        run(main)
    assert stop.value.code == 1
    return capsys.readouterr().err


class Lookup(nn.Module):
    """A network whose logits at a pixel are table[red value of the pixel]."""

    def __init__(self, table: Sequence[Sequence[float]]) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.tensor(table))

    def forward(self, images: Tensor) -> Tensor:
        red = (images[:, 0] * STD[0] + MEAN[0]).round().long()
        return self.table[red].permute(0, 3, 1, 2)


def red_image(values: Sequence[Sequence[int]]) -> Tensor:
    """Return an image (3, H, W), uint8, of the given red values, nowhere black."""
    red = torch.tensor(values, dtype=torch.uint8)
    return torch.stack([red, torch.ones_like(red), torch.ones_like(red)])
