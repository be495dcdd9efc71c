"""Accuracy over training time on the sample: ours, ours of an earlier commit, a MONAI loop.

Every training has the visible labels and the initial weights of its seed, and the same number of
pixels to train on. Results are added to a JSON file that keeps what it has, so that a machine can
work through the trainings in pieces; those that it has are only shown.
"""

import argparse
import itertools
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from filelock import FileLock
from numpy.typing import NDArray
from tabulate import tabulate
from torch import Tensor, nn

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "src"))  # nothing is installed: the stages find partialseg so too

from partialseg.core.classes import IGNORE_INDEX
from partialseg.core.files import new_file
from partialseg.core.params import load_section
from partialseg.engine.batches import TruthPatches, normalise, truth_loader
from partialseg.engine.compute import choose_compute, seed_everything
from partialseg.engine.ranks import ALONE
from partialseg.engine.scoring import Scorer
from partialseg.evaluation.params import Evaluate
from partialseg.evaluation.spatial import spatial_scores
from partialseg.labelling.labels import LabelStore
from partialseg.models.build import ARCHITECTURES, build_network
from partialseg.tiling.patches import PatchStore
from partialseg.training.data import EpochBatches, Shown, TrainPatches, train_loader
from partialseg.training.learner import Learner
from partialseg.training.loop import fit
from partialseg.training.losses import resolve_class_weights
from partialseg.training.params import Train
from train_step import monai_network

FRACTION = "0.1"
# What the recipe `tuned` of commit 2db57f6 had otherwise than today's.
BEFORE = {"crop": 0, "batch_size": 2, "optimizer": "adamw", "weight_decay": 1e-2, "epochs": 12}
SIDES = ("tuned", "2db57f6", "monai")
NAMES = {"tuned": "tuned", "2db57f6": "tuned of 2db57f6", "monai": "MONAI BasicUNet"}
COLOURS = ("#0072b2", "#e69f00", "#808080")
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

    def __init__(self, data: Data, params: Evaluate) -> None:
        self._store, self._params = data.store, params
        self._compute = choose_compute(params.precision)
        self._scorer = Scorer(
            num_classes=len(data.store.summary.class_names),
            class_weights=None,
            compute=self._compute,
        )

    def point(self, network: nn.Module, epoch: int, seconds: float) -> dict[str, Any]:
        """Return a point of the curve: the mIoU of both splits after an epoch."""
        scores = {split: self._score(network, split)[0] for split in ("val", "test")}
        point = {"epoch": epoch, "seconds": round(seconds, 1)}
        return point | {f"{split}_miou": round(item["miou"], 4) for split, item in scores.items()}

    def end(self, network: nn.Module) -> dict[str, Any]:
        """Return the test scores by class, and how many of the buildings are found."""
        scores, predictions = self._score(network, "test")
        spatial = spatial_scores(
            self._store, self._store.of_split("test"), predictions, self._params.spatial
        )
        counted = [
            item for item in spatial["objects"]["areas"] if item["from"] >= SMALLEST_BUILDING
        ]
        found, number = (sum(item[key] for item in counted) for key in ("found", "objects"))
        return {
            "test_iou": {name: round(value, 4) for name, value in scores["iou"].items()},
            "buildings_found": round(found / number, 4),
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


Trained = Iterator[tuple[nn.Module, int, float]]  # network, epoch, seconds of training so far


def train_ours(task: Task, data: Data, params: Train) -> Trained:
    """Train as the stage does, without validation in the time."""
    store = data.store
    patches = TrainPatches(store, data.labels, params.augment, task.seed, params.crop)
    weights = resolve_class_weights(params.class_weights, data.labels.summary.counts)
    compute = choose_compute(params.precision)
    seed_everything(task.seed)
    classes = len(store.summary.class_names)
    network = build_network(task.architecture, 3, classes, params.base_channels)
    of_classes = None if weights is None else torch.tensor(weights)
    learner = Learner(compute.place(network), of_classes, params, compute, ALONE, task.seed)
    val = TruthPatches(store, store.of_split("val")[:1])  # fit() validates: as little as possible
    seconds = 0.0
    for record in fit(learner, patches, val, params, task.seed):
        seconds += len(patches) / record.images_per_second
        yield learner.scored, record.epoch, seconds


def train_monai(task: Task, data: Data, params: Train) -> Trained:
    """Train MONAI's BasicUNet by a plain loop: whole patches, AdamW with one cycle."""
    patches = TrainPatches(data.store, data.labels, params.augment, task.seed, params.crop)
    order = EpochBatches(Shown(often=[1] * len(patches)), params.batch_size, 1, task.seed, ALONE)
    batches = train_loader(patches, order, workers=1)
    torch.manual_seed(task.seed)
    network = monai_network(task.architecture, params.base_channels)
    optimizer = torch.optim.AdamW(
        network.parameters(), params.learning_rate, weight_decay=params.weight_decay, fused=True
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, params.learning_rate, total_steps=params.epochs * len(order), pct_start=0.1
    )
    loss_of = nn.CrossEntropyLoss(ignore_index=IGNORE_INDEX)
    seconds = 0.0
    for epoch in range(1, params.epochs + 1):
        order.epoch = epoch
        started = time.perf_counter()
        network.train()
        for images, labels in batches:
            optimizer.zero_grad()
            loss_of(network(normalise(images)), labels.long()).backward()
            optimizer.step()
            schedule.step()
        seconds += time.perf_counter() - started
        yield network, epoch, seconds


def measure(task: Task, data: Data, every: int) -> dict[str, Any]:
    """Train; return the curve and the scores of its end."""
    section = "datasets.sample"
    params = load_section(
        ROOT / "params.yaml", f"{section}.train", Train, f"{section}.recipes.tuned"
    )
    if task.side != "tuned":
        params = replace(params, **BEFORE)
    meter = Meter(data, load_section(ROOT / "params.yaml", f"{section}.evaluate", Evaluate))
    train = train_monai if task.side == "monai" else train_ours
    curve = []
    for network, epoch, seconds in train(task, data, params):
        last = epoch == params.epochs
        if last or epoch % every == 0:
            curve.append(meter.point(network, epoch, seconds))
            print(f"{task.side}, {task.architecture}, seed {task.seed}: {curve[-1]}", flush=True)
    return vars(task) | {"curve": curve} | meter.end(network)


def labels_of(seed: int, store: PatchStore) -> LabelStore:
    """Return the labels of the sample at FRACTION, drawn by the stage itself."""
    names = [patch.name for patch in store.of_split("train")]
    with TemporaryDirectory() as folder:
        out = Path(folder) / "labels"
        words = ["--dataset", "sample", "--labelling", "random", "--fraction", FRACTION]
        words += ["--seed", str(seed), "--patches", str(store.folder), "--out", str(out)]
        subprocess.run([sys.executable, "src/label.py", *words], cwd=ROOT, check=True)
        return LabelStore(out, names)


def medians(results: Sequence[dict[str, Any]], side: str) -> list[dict[str, Any]]:
    """Return the points of a side's curve, medians over its seeds."""
    curves = [item["curve"] for item in results if item["side"] == side]
    return [
        {"side": side}
        | {key: statistics.median(point[key] for point in points) for key in points[0]}
        for points in zip(*curves, strict=True)
    ]


def ends(results: Sequence[dict[str, Any]], architecture: str) -> list[dict[str, Any]]:
    """Return a row a side: mean and standard deviation of its last test scores over the seeds."""
    rows = []
    for side in SIDES:
        of_side = [item for item in results if item["side"] == side]
        if not of_side:
            continue
        miou = [item["curve"][-1]["test_miou"] for item in of_side]
        classes = of_side[0]["test_iou"]
        iou = {
            name: statistics.fmean(item["test_iou"][name] for item in of_side) for name in classes
        }
        worst = min(iou, key=lambda name: iou[name])
        found = statistics.fmean(item["buildings_found"] for item in of_side)
        rows.append(
            {
                "architecture": architecture,
                "side": side,
                "seeds": len(miou),
                "test mIoU": f"{statistics.fmean(miou):.4f}",
                "std": f"{statistics.stdev(miou):.4f}" if len(miou) > 1 else "",
                "worst class": f"{worst} {iou[worst]:.3f}",
                "buildings found": f"{found:.0%}",
            }
        )
    return rows


def draw(results: Sequence[dict[str, Any]], file: Path) -> None:
    """Draw the test mIoU over the training seconds: each seed thin, the medians thick."""
    figure, axes = plt.subplots(figsize=(7, 4.2), layout="constrained")
    for number, side in enumerate(SIDES):
        colour = COLOURS[number]
        for item in (item for item in results if item["side"] == side):
            axes.plot(*_xy(item["curve"]), color=colour, linewidth=0.8, alpha=0.5)
        axes.plot(*_xy(medians(results, side)), color=colour, linewidth=2.2, label=NAMES[side])
    axes.set(xlabel="seconds of training, one thread", ylabel="test mIoU")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(file, dpi=120)


def _xy(curve: Sequence[dict[str, Any]]) -> tuple[list[float], list[float]]:
    return [point["seconds"] for point in curve], [point["test_miou"] for point in curve]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=ROOT / "data" / "sample" / "main" / "patches")
    parser.add_argument(
        "--results", type=Path, default=ROOT / "docs" / "evidence" / "accuracy.json"
    )
    parser.add_argument("--sides", nargs="+", default=SIDES, choices=SIDES)
    parser.add_argument("--architectures", nargs="+", default=["unet"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[42, 1, 2])
    parser.add_argument("--every", type=int, default=3, help="epochs between two points")
    args = parser.parse_args()
    torch.set_num_threads(1)
    store = PatchStore(args.data)
    for values in itertools.product(args.seeds, args.architectures, args.sides):
        task = Task(**dict(zip(("seed", "architecture", "side"), values, strict=True)))
        if not any(vars(task).items() <= item.items() for item in read(args.results)):
            measured = measure(
                task, Data(store=store, labels=labels_of(task.seed, store)), args.every
            )
            add(args.results, measured)
    results = read(args.results)
    of_unet = [item for item in results if item["architecture"] == "unet"]
    rows = [point for side in SIDES for point in medians(of_unet, side)]
    print(tabulate(rows, headers="keys", tablefmt="github"))
    print()
    tables = [
        ends([i for i in results if i["architecture"] == name], name) for name in ARCHITECTURES
    ]
    print(tabulate(itertools.chain(*tables), headers="keys", tablefmt="github"))
    draw(of_unet, args.results.with_suffix(".png"))


def add(file: Path, result: dict[str, Any]) -> None:
    """Add a result to those in a file, to which other processes may add, too."""
    with FileLock(Path(gettempdir()) / f"{file.name}.lock"):
        results = [*read(file), result]
        with new_file(file) as part:
            part.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def read(file: Path) -> list[dict[str, Any]]:
    """Return the results in a file, none where there is no file yet."""
    found: list[dict[str, Any]] = json.loads(file.read_text("utf-8")) if file.exists() else []
    return found


if __name__ == "__main__":
    main()
