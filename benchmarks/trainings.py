"""Trainings for comparison, with the time of the training alone, and a file of their results.

Ours is the training of the stage; the other side is a plain loop around MONAI's BasicUNet. Both run
on the CPU, with one thread that also loads the patches. Their time is CPU time: what the
training takes on a core of its own, whatever else the machine does.
"""

import hashlib
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock
from numpy.typing import NDArray
from torch import Tensor, nn

from partialseg.core.classes import IGNORE_INDEX
from partialseg.core.files import new_file
from partialseg.engine.batches import TruthPatches, normalise, truth_loader
from partialseg.engine.compute import Compute
from partialseg.engine.ranks import ALONE
from partialseg.engine.scoring import Scorer
from partialseg.evaluation.params import Evaluate
from partialseg.evaluation.spatial import spatial_scores
from partialseg.labelling.labels import LabelStore
from partialseg.tiling.patches import MANIFEST, PatchStore
from partialseg.training.data import EpochBatches, Shown, TrainPatches, train_loader
from partialseg.training.learner import Learner
from partialseg.training.loop import fit
from partialseg.training.losses import resolve_class_weights
from partialseg.training.params import Train
from partialseg.training.train import initial_network
from train_step import monai_network

SMALLEST_BUILDING = 50.0  # m2: smaller ones are not counted as missed


@dataclass(frozen=True, kw_only=True)
class Task:
    """A training: what is compared, the architecture and the seed."""

    side: str
    architecture: str
    seed: int


@dataclass(frozen=True, kw_only=True)
class Data:
    """The patches of a split, and the visible labels of a seed."""

    store: PatchStore
    labels: LabelStore


class Meter:
    """Scores a network on validation and test patches; its time is not that of the training."""

    def __init__(self, data: Data, params: Evaluate, compute: Compute) -> None:
        self._store, self._params = data.store, params
        classes = len(data.store.summary.class_names)
        self._scorer = Scorer(num_classes=classes, class_weights=None, compute=compute)

    def point(self, network: nn.Module, epoch: int, seconds: float) -> dict[str, Any]:
        """Return a point of the curve: the mIoU of both splits after an epoch."""
        scores = {split: self._score(network, split)[0] for split in ("val", "test")}
        point = {"epoch": epoch, "seconds": round(seconds, 1)}
        return point | {f"{split}_miou": round(item["miou"], 4) for split, item in scores.items()}

    def val_miou(self, network: nn.Module) -> float:
        """Return the validation mIoU."""
        return float(self._score(network, "val")[0]["miou"])

    def end(self, network: nn.Module) -> dict[str, Any]:
        """Return the test scores, overall and by class, and how many of the buildings are found."""
        scores, predictions = self._score(network, "test")
        spatial = spatial_scores(
            self._store, self._store.of_split("test"), predictions, self._params.spatial
        )
        counted = [
            item for item in spatial["objects"]["areas"] if item["from"] >= SMALLEST_BUILDING
        ]
        found, number = (sum(item[key] for item in counted) for key in ("found", "objects"))
        return {
            "test_miou": round(scores["miou"], 4),
            "test_iou": {name: round(value, 4) for name, value in scores["iou"].items()},
            "buildings_found": round(found / number, 4) if number else None,
            "buildings": number,
        }

    def _score(self, network: nn.Module, split: str) -> tuple[dict[str, Any], NDArray[np.uint8]]:
        patches = TruthPatches(self._store, self._store.of_split(split))
        predictions: list[NDArray[np.uint8]] = []

        def keep(logits: Tensor, _: Tensor) -> None:
            predictions.append(logits.argmax(dim=1).to(torch.uint8).numpy())

        batches = truth_loader(patches, self._params.batch_size, workers=0)
        confusion = self._scorer.score(network, batches, observers=(keep,)).confusion
        names = self._store.summary.class_names
        iou = dict(zip(names, confusion.iou().tolist(), strict=True))
        return {"miou": confusion.miou(), "iou": iou}, np.concatenate(predictions)


Epochs = Iterator[tuple[nn.Module, int, float]]  # network, epoch, CPU seconds of training so far


def train_ours(task: Task, data: Data, params: Train, compute: Compute) -> Epochs:
    """Train as the stage does; the time has one patch of validation an epoch in it."""
    params = replace(params, workers=0)
    store = data.store
    patches = TrainPatches(store, data.labels, params.augment, task.seed, params.crop)
    weights = resolve_class_weights(params.class_weights, data.labels.summary.counts)
    classes = len(store.summary.class_names)
    network = initial_network(task.architecture, classes, params, task.seed)
    of_classes = None if weights is None else torch.tensor(weights)
    learner = Learner(compute.place(network), of_classes, params, compute, ALONE, task.seed)
    val = TruthPatches(store, store.of_split("val")[:1])  # fit() validates: as little as possible
    seconds, started = 0.0, time.process_time()
    for record in fit(learner, patches, val, params, task.seed):
        seconds += time.process_time() - started
        yield learner.scored, record.epoch, seconds
        started = time.process_time()


def train_monai(task: Task, data: Data, params: Train, compute: Compute) -> Epochs:
    """Train MONAI's BasicUNet by a plain loop: whole patches, AdamW with one cycle."""
    patches = TrainPatches(data.store, data.labels, params.augment, task.seed, params.crop)
    order = EpochBatches(Shown(often=[1] * len(patches)), params.batch_size, 1, task.seed, ALONE)
    batches = train_loader(patches, order, workers=0)
    torch.manual_seed(task.seed)
    classes = len(data.store.summary.class_names)
    network = monai_network(task.architecture, params.base_channels, classes)
    optimizer = torch.optim.AdamW(
        network.parameters(), params.learning_rate, weight_decay=params.weight_decay, fused=True
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        params.learning_rate,
        total_steps=params.epochs * len(order),
        pct_start=params.warmup,
        cycle_momentum=False,  # as ours
    )
    loss_of = nn.CrossEntropyLoss(ignore_index=IGNORE_INDEX)
    seconds = 0.0
    for epoch in range(1, params.epochs + 1):
        order.epoch = epoch
        started = time.process_time()
        network.train()
        for images, labels in batches:
            optimizer.zero_grad()
            with compute.autocast():
                logits = network(normalise(images))
            loss_of(logits.float(), labels.long()).backward()
            optimizer.step()
            schedule.step()
        seconds += time.process_time() - started
        yield network, epoch, seconds


def made_by(params: Train, store: PatchStore, compute: Compute) -> dict[str, str]:
    """Return what a training is made of, but its side, its code and its seed.

    Of the patches it is the manifest, with its counts of classes, not the images.
    """
    settings = asdict(params)
    if not params.augment.colour_jitter.probability:
        del settings["augment"]["colour_jitter"]  # of earlier trainings it was no parameter yet
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    digest.update((store.folder / MANIFEST).read_bytes())
    return {"digest": digest.hexdigest()[:16], "compute": str(compute)}


def is_done(file: Path, keys: Mapping[str, Any], made: Mapping[str, Any]) -> bool:
    """Return whether a file has the result of these keys, made so.

    Raises:
        ValueError: it has one that is made otherwise.
    """
    for item in read(file):
        if keys.items() <= item.items():
            if made.items() <= item.items():
                return True
            name = ", ".join(map(str, keys.values()))
            raise ValueError(
                f"{file}: {name}: was trained by other parameters, patches or precision; take "
                "other --results, or remove what is out of date"
            )
    return False


def add(file: Path, result: Mapping[str, Any]) -> None:
    """Add a result to those in a file, to which other processes may add at the same time."""
    with FileLock(file.with_name(f".{file.name}.lock")):
        results = [*read(file), result]
        with new_file(file) as part:
            part.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def read(file: Path) -> list[dict[str, Any]]:
    """Return the results in a file, none where there is no file yet."""
    found: list[dict[str, Any]] = json.loads(file.read_text("utf-8")) if file.exists() else []
    return found
