"""Accuracy over training time on the sample: `tuned`, the recipe of commit 2db57f6, a MONAI loop.

The time is CPU time. All are trained by one thread on the visible labels of their seed. `tuned` and
MONAI see equally many pixels; the recipe of 2db57f6, run by today's code, has the 12 epochs that it
had. The sides of a seed are trained one after the other. Results are added to a JSON file that
keeps what it has, so that a machine can work through the trainings in pieces; one by other
parameters, patches or precision takes a file of its own.
"""

import argparse
import copy
import itertools
import statistics
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import matplotlib.pyplot as plt
import torch
from tabulate import tabulate

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "src"))  # nothing is installed: the stages find partialseg so too

from partialseg.core.params import load_section
from partialseg.engine.compute import Compute, choose_compute
from partialseg.evaluation.params import Evaluate
from partialseg.labelling.label import label
from partialseg.labelling.labels import LabelStore
from partialseg.labelling.params import Label
from partialseg.models.build import ARCHITECTURES
from partialseg.tiling.patches import PatchStore
from partialseg.training.params import Train
from trainings import Data, Meter, Task, add, is_done, made_by, read, train_monai, train_ours

SECTION = "datasets.sample"
FRACTION = 0.1
EVERY = 2  # epochs between two points of a curve
# What the recipe `tuned` of commit 2db57f6 had otherwise than today's.
BEFORE = {
    "crop": 0,
    "batch_size": 2,
    "optimizer": "adamw",
    "weight_decay": 1e-2,
    "epochs": 12,
    "select": "last",
}
SIDES = ("tuned", "2db57f6", "monai")
NAMES = {"tuned": "tuned", "2db57f6": "tuned of 2db57f6", "monai": "MONAI BasicUNet"}
COLOURS = ("#0072b2", "#e69f00", "#808080")


def params_of(side: str, epochs: int | None = None) -> Train:
    """Return the parameters of a side; MONAI has those of 2db57f6 with the pixels of `tuned`.

    `epochs` replaces those of `tuned`.
    """
    params = load_section(
        ROOT / "params.yaml", f"{SECTION}.train", Train, f"{SECTION}.recipes.tuned"
    )
    params = replace(params, epochs=epochs or params.epochs)
    if side == "2db57f6":
        return replace(params, **BEFORE)
    if side == "monai":
        return replace(params, **BEFORE | {"epochs": params.epochs, "select": params.select})
    return params


def measure(task: Task, data: Data, params: Train, compute: Compute) -> dict[str, Any]:
    """Train; return the curve and the scores of the epoch that the parameters select."""
    evaluate = load_section(ROOT / "params.yaml", f"{SECTION}.evaluate", Evaluate)
    meter = Meter(data, evaluate, compute)
    train = train_monai if task.side == "monai" else train_ours
    curve, selected, best = [], 0, -1.0
    for network, epoch, seconds in train(task, data, params, compute):
        if epoch == params.epochs or epoch % EVERY == 0:
            curve.append(meter.point(network, epoch, seconds))
            print(f"{task.side}, {task.architecture}, seed {task.seed}: {curve[-1]}", flush=True)
        val_miou = meter.val_miou(network) if params.select == "best" else best
        if params.select == "last" or val_miou > best:
            kept, selected, best = copy.deepcopy(network), epoch, val_miou
    return {"curve": curve, "selected_epoch": selected} | meter.end(kept)


def labels_of(seed: int, store: PatchStore) -> LabelStore:
    """Return the labels of the sample at FRACTION."""
    names = [patch.name for patch in store.of_split("train")]
    params = load_section(ROOT / "params.yaml", f"{SECTION}.label", Label)
    with TemporaryDirectory() as folder:
        label(store.folder, Path(folder) / "labels", FRACTION, seed, params)
        return LabelStore(Path(folder) / "labels", names)


def medians(results: Sequence[dict[str, Any]], side: str) -> list[dict[str, Any]]:
    """Return the points of a side's curve, medians over its seeds."""
    curves = [item["curve"] for item in results if item["side"] == side]
    return [
        {"side": side}
        | {key: statistics.median(point[key] for point in points) for key in points[0]}
        for points in zip(*curves, strict=True)
    ]


def ends(results: Sequence[dict[str, Any]], architecture: str) -> list[dict[str, Any]]:
    """Return a row a side: the test scores of the selected epochs, mean and std over the seeds."""
    rows = []
    for side in SIDES:
        of_side = [item for item in results if item["side"] == side]
        if not of_side:
            continue
        miou = [item["test_miou"] for item in of_side]
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
                "epochs": of_side[0]["curve"][-1]["epoch"],
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
    measured = {item["side"] for item in results}
    for side, colour in zip(SIDES, COLOURS, strict=True):
        if side not in measured:
            continue
        for item in (item for item in results if item["side"] == side):
            axes.plot(*_xy(item["curve"]), color=colour, linewidth=0.8, alpha=0.5)
        axes.plot(*_xy(medians(results, side)), color=colour, linewidth=2.2, label=NAMES[side])
    axes.set(xlabel="CPU seconds of training, one thread", ylabel="test mIoU")
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
    parser.add_argument("--architectures", nargs="+", default=["unet"], choices=ARCHITECTURES)
    parser.add_argument("--seeds", type=int, nargs="+", default=[42, 1, 2])
    parser.add_argument("--epochs", type=int, help="of `tuned`, instead of params.yaml's")
    parser.add_argument("--precision", default="float32", choices=["float32", "bfloat16"])
    args = parser.parse_args()
    torch.set_num_threads(1)
    store = PatchStore(args.data.resolve())
    compute = choose_compute(args.precision, "cpu")
    current = {side: made_by(params_of(side, args.epochs), store, compute) for side in SIDES}
    for seed, architecture, side in itertools.product(args.seeds, args.architectures, args.sides):
        task = Task(side=side, architecture=architecture, seed=seed)
        params = params_of(side, args.epochs)
        data = Data(store=store, labels=labels_of(seed, store))
        if not is_done(args.results, vars(task), current[side]):
            made = vars(task) | current[side]
            add(args.results, made | measure(task, data, params, compute))
    results = [item for item in read(args.results) if current[item["side"]].items() <= item.items()]
    if others := len(read(args.results)) - len(results):
        print(f"{others} trainings by other parameters, patches or precision are not shown")
    of_unet = [item for item in results if item["architecture"] == "unet"]
    rows = [point for side in SIDES for point in medians(of_unet, side)]
    print(tabulate(rows, headers="keys", tablefmt="github"))
    print()
    tables = [
        ends([item for item in results if item["architecture"] == name], name)
        for name in ARCHITECTURES
    ]
    print(tabulate(itertools.chain(*tables), headers="keys", tablefmt="github"))
    draw(of_unet, args.results.with_suffix(".png"))


if __name__ == "__main__":
    try:
        main()
    except ValueError as error:
        sys.exit(f"error: {error}")
