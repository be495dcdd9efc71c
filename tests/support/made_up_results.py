"""Made-up results of runs: details by the schema of evaluate, tables, a store, predictions."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from drawings import make_curves
from partialseg.comparison.compared import ComparedRuns
from partialseg.comparison.table import Row, table_rows
from partialseg.evaluation.results import RunResults
from partialseg.evaluation.runs import Run, listed_runs
from partialseg.report.data import ReportData
from partialseg.source.legend import LANDCOVER_AI
from partialseg.tiling.patches import (
    Imagery,
    Patch,
    PatchStore,
    PatchWriter,
    Summary,
    create_arrays,
    open_writer,
    write_manifest,
)

NAMES, PALETTE = LANDCOVER_AI.names, LANDCOVER_AI.palette

ARCHITECTURES = ("unet", "unetplusplus")
FRACTIONS = ("0.1", "0.15")
RECIPES = ("reproduction", "tuned")
SEEDS = (42, 1, 2)
ABSENT = "water"  # neither in the truth nor in the prediction of the test split
ORTHOPHOTOS = tuple(f"N-33-60-D-c-4-{number}" for number in range(2, 8))
PATCHES_OF = 4  # patches of each orthophoto
KEPT = [place for place, name in enumerate(NAMES) if name != ABSENT]


def make_runs(
    splits: Sequence[str] = ("main",),
    seeds: Sequence[int] = SEEDS,
    labellings: Sequence[str] = ("random",),
) -> list[Run]:
    return listed_runs(splits, FRACTIONS, labellings, ARCHITECTURES, RECIPES, seeds)


def make_results(runs: Sequence[Run], store: PatchStore) -> list[RunResults]:
    details = [make_detail(run, place) for place, run in enumerate(runs)]
    return [
        RunResults(run=run, detail=detail, predictions=make_predictions(store, detail))
        for run, detail in zip(runs, details, strict=True)
    ]


def make_data(
    results: Sequence[RunResults],
    stores: Mapping[str, PatchStore],
    found: Sequence[Row] = (),
    **changes: Any,
) -> ReportData:
    """Return what a page shows of results at the headline 0.1, with the rows of differences."""
    cells = dict.fromkeys(item.run.cell for item in results)
    compared = ComparedRuns(
        dataset="sample", headline="0.1", results=results, curves=make_curves(list(cells), 3)
    )
    given = {"rows": table_rows("sample", results), "parameters": "", "outputs": []} | changes
    return ReportData(compared=compared, stores=stores, differences=found, **given)


def make_detail(run: Run, place: int) -> dict[str, Any]:
    """Return details that agree within themselves; later runs are a little better."""
    rng = np.random.default_rng([place, run.seed])
    right = 0.55 + 0.01 * place % 0.3
    val, test = (_scores(rng, right, absent) for absent in (False, True))
    names = [f"{name}_{PATCHES_OF - 1}" for name in ORTHOPHOTOS[2:]]
    return run.identity() | {
        "panel_patches": 2,
        "parameters": 486_589 + 80_000 * (run.cell.architecture == "unetplusplus"),
        "gflop": 1.86 if run.cell.architecture == "unet" else 3.41,
        "compute": "CPU, float32",
        "commit": "1b3c2c5f0a",
        "labelled_pixels": run.cell.label_fraction,
        "clicks": None if run.cell.labelling == "random" else 1200,
        "annotation_seconds": None if run.cell.labelling == "random" else 5400.0,
        "epochs": 12,
        "kept_epoch": 9,
        "accumulation": 1,
        "train_seconds": float(rng.uniform(200, 400)),
        "peak_memory_mib": float(rng.uniform(600, 700)),
        "best_val_miou": val["miou"] + 0.01,
        "final_val_miou": val["miou"],
        "final_val_accuracy": val["accuracy"],
        "final_val_batch_miou": val["miou"] - 0.02,
        "best_val_batch_miou": val["miou"] - 0.01,
        "val": val,
        "test": test,
        "test_examples": {
            name: {
                "best": [{"patch": names[rank % len(names)], "iou": 0.9 - 0.01 * rank}],
                "worst": [{"patch": names[(rank + 1) % len(names)], "iou": 0.1 + 0.01 * rank}],
            }
            for rank, name in enumerate(NAMES[place] for place in KEPT)
        },
    }


def _counts(rng: np.random.Generator, right: float, absent: bool) -> NDArray[np.int64]:
    of_truth = np.array([500_000, 20_000, 200_000, 0 if absent else 30_000, 25_000])
    shares = rng.uniform(0.2, 1, (5, 5))
    if absent:
        shares[:, NAMES.index(ABSENT)] = 0
    shares *= (1 - right) / shares.sum(1, keepdims=True)
    np.fill_diagonal(shares, shares.diagonal() + right)
    return (of_truth[:, None] * shares).round().astype(np.int64)


def _iou(counts: NDArray[np.int64]) -> dict[str, float]:
    hit = counts.diagonal()
    either = counts.sum(0) + counts.sum(1) - hit
    return {NAMES[place]: float(hit[place] / either[place]) for place in np.flatnonzero(either)}


def _scores(rng: np.random.Generator, right: float, absent: bool) -> dict[str, Any]:
    parts = [_counts(rng, right + rng.uniform(-0.1, 0.1), absent) for _ in ORTHOPHOTOS[2:]]
    counts = np.sum(parts, axis=0)
    iou = _iou(counts)
    accuracy = float(counts.diagonal().sum() / counts.sum())
    boundary = {name: 0.7 * value for name, value in iou.items() if name != "road"}
    return {
        "miou": float(np.mean(list(iou.values()))),
        "accuracy": accuracy,
        "mean_f1": 0.6,
        "fw_iou": 0.65,
        "loss": 1.4 - accuracy,
        "batch_miou": 0.4,
        "majority_class": "background",
        "majority_miou": float(counts[0].sum() / counts.sum() / len(iou)),
        "iou": iou,
        "f1": {name: 2 * value / (1 + value) for name, value in iou.items()},
        "absent": [ABSENT] if absent else [],
        "confusion": counts.tolist(),
        "orthophotos": {
            name: {
                "patches": PATCHES_OF,
                "miou": float(np.mean(list(_iou(part).values()))),
                "accuracy": float(part.diagonal().sum() / part.sum()),
                "confusion": part.tolist(),
            }
            for name, part in zip(ORTHOPHOTOS[2:], parts, strict=True)
        },
        "boundary": {
            "iou": {
                "distance_px": 11,
                "mean": float(np.mean(list(boundary.values()))),
                "classes": boundary,
            },
            "f1": [
                {
                    "tolerance": tolerance,
                    "unit": "m",
                    "mean": None if tolerance == 0.5 else 0.2 * tolerance + 0.2 * right,
                    "classes": {} if tolerance == 0.5 else boundary,
                }
                for tolerance in (0.5, 1.0, 2.0)
            ],
        },
        "objects": {
            "class": "building",
            "overlap": 0.5,
            "unit": "m2",
            "cut": 7,
            "areas": [
                {"from": low, "to": high, "objects": n, "found": k, "recall": k / n if n else None}
                for low, high, n, k in (
                    (0.0, 50.0, 40, 10 + int(10 * right)),
                    (50.0, 200.0, 64, 40 + int(20 * right)),
                    (200.0, None, 0, 0),
                )
            ],
        },
        "calibration": _calibration(rng, accuracy),
        "border_distance": [
            {
                "from_px": low,
                "to_px": high,
                "pixels": 0 if low == 16 else 1000 * (low + 1),
                "accuracy": None if low == 16 else accuracy - 0.2 + 0.02 * low,
            }
            for low, high in ((0, 1), (1, 2), (2, 4), (4, 8), (8, 16), (16, None))
        ],
    }


def _calibration(rng: np.random.Generator, accuracy: float) -> dict[str, Any]:
    bins = []
    for place in range(15):
        low, high = place / 15, (place + 1) / 15
        pixels = 0 if place < 3 else int(1000 * 1.5**place)
        middle = (low + high) / 2
        bins.append(
            {
                "from": low,
                "to": high,
                "pixels": pixels,
                "confidence": middle if pixels else None,
                "accuracy": max(0.0, middle - 0.1 * float(rng.random())) if pixels else None,
            }
        )
    return {"ece": 0.1 * (1 - accuracy), "bins": bins}


def make_store(folder: Path, side: int = 96) -> PatchStore:
    """Write a store of smooth fields, roads and houses: 2 orthophotos train and val, 4 test."""
    rng = np.random.default_rng(11)
    patches = []
    for place, orthophoto in enumerate(ORTHOPHOTOS):
        create_arrays(folder, orthophoto, PATCHES_OF, side)
        with open_writer(folder, orthophoto) as writer:
            for index in range(PATCHES_OF):
                mask = _write_patch(writer, rng, side)
                patches.append(
                    Patch(
                        name=f"{orthophoto}_{index}",
                        orthophoto=orthophoto,
                        index=index,
                        row=0,
                        column=index * side,
                        split=("train", "val", "test")[min(place, 2)],
                        crs="EPSG:2180",
                        transform=(0.25, 0.0, 0.0, 0.0, -0.25, 0.0),
                        gsd=0.25,
                        counts=tuple(int((mask == name).sum()) for name in range(len(NAMES))),
                        no_truth=int((mask == 255).sum()),
                    )
                )
    summary = Summary(
        size=side, source_size=side, class_names=NAMES, palette=PALETTE, imagery=Imagery()
    )
    write_manifest(folder, summary, patches)
    return PatchStore(folder)


def _write_patch(writer: PatchWriter, rng: np.random.Generator, side: int) -> NDArray[np.uint8]:
    """Write a patch whose classes are blobs, with a strip that has no truth; return its mask."""
    fields = rng.normal(size=(len(NAMES), side, side)).astype(np.float32)
    smooth = np.stack([cv2.GaussianBlur(field, (0, 0), side / 14) for field in fields])
    mask = smooth[KEPT].argmax(0)
    mask = np.array(KEPT, np.uint8)[mask]
    noise = rng.normal(0, 9, (side, side, 3))
    image = (np.array(PALETTE)[mask] * 0.6 + 40 + noise).clip(0, 255).astype(np.uint8)
    mask[:, : side // 24] = 255
    writer.append(image, mask)
    return mask


def make_predictions(store: PatchStore, detail: Mapping[str, Any]) -> dict[str, NDArray[np.uint8]]:
    """Return the truth moved by a few pixels for each example patch; background without truth."""
    names = {
        item["patch"]
        for ranks in detail["test_examples"].values()
        for items in ranks.values()
        for item in items
    }
    predictions = {}
    for patch in store.of_split("test"):
        if patch.name in names:
            truth = np.array(store.truth(patch))
            predictions[patch.name] = np.roll(np.where(truth == 255, 0, truth), 3, 1)
    return predictions
