"""The model card of a checkpoint, in Markdown: its use, training, scores and limits."""

import copy
from typing import Any

import torch
from tabulate import tabulate
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from partialseg.engine.checkpoint import BEST, Checkpoint
from partialseg.evaluation.results import (
    SPLIT_NAMES,
    WITHOUT_TEST,
    scored_splits,
    shown_scores,
    shown_split,
)
from partialseg.evaluation.runs import architecture_name, percent, share

CARD = "best.md"  # beside best.pt
LABELLING = "random"  # of single pixels: then the fraction is that of the pixels

# The origin of a data set, for the reader of the card.
ORIGINS = {
    "sample": "`sample`, synthetic orthophotos that the pipeline renders",
    "landcover_ai": "LandCover.ai (arXiv:2005.02264, CC BY-NC-SA 4.0)",
}


def model_card(checkpoint: Checkpoint, detail: dict[str, Any]) -> str:
    """Return the card of the best checkpoint of a run; detail is the content of its details."""
    title = (
        f"{architecture_name(checkpoint.architecture)} for land cover, trained on "
        f"{percent(checkpoint.label_fraction)} of the labels"
    )
    if checkpoint.labelling != LABELLING:
        title += f" ({checkpoint.labelling})"
    parts = [
        "---\nlibrary_name: pytorch\npipeline_tag: image-segmentation\n"
        "tags: [land-cover, orthophoto, partial-labels]\n---",
        f"# {title}",
        "It gives every pixel of an aerial orthophoto one of "
        f"{len(checkpoint.class_names)} classes: {', '.join(checkpoint.class_names)}.",
        "## Use",
        f"    python src/predict.py {BEST} ORTHOPHOTO.tif --out maps",
        "writes a class map for QGIS. The images should look like those of the training: "
        f"8-bit RGB, {_pixel_size(checkpoint)} Of other regions, seasons and cameras nothing "
        "is known.",
        "## Training",
        _table(training_facts(checkpoint, detail)),
        "## Scores",
        _scores(checkpoint, detail),
        _caution(detail),
    ]
    return "\n\n".join(parts) + "\n"


def training_facts(checkpoint: Checkpoint, detail: dict[str, Any]) -> dict[str, str]:
    """Return the facts of a training for its table, by name."""
    return {
        "Architecture": f"{architecture_name(checkpoint.architecture)}, base width "
        f"{checkpoint.base_channels}, {detail['parameters'] / 1e6:.2f} M parameters",
        "Data": ORIGINS.get(checkpoint.dataset, f"`{checkpoint.dataset}`"),
        "Labels": _labels(checkpoint),
        "Patches": f"{checkpoint.patch_size} x {checkpoint.patch_size} px",
        "Normalisation": f"(RGB in 0..255 - {_numbers(checkpoint.mean)}) / "
        f"{_numbers(checkpoint.std)}",
        "Recipe": f"`{checkpoint.recipe}`, {detail['epochs']} epochs, weights of epoch "
        f"{checkpoint.epoch}, seed {checkpoint.seed}",
        "Computed by": f"{checkpoint.compute}, {detail['train_seconds']:.0f} s"
        + (f", a step in {checkpoint.accumulation} parts" if checkpoint.accumulation > 1 else ""),
        "Commit": f"`{checkpoint.commit}`" if checkpoint.commit else "unknown",
    }


def _labels(checkpoint: Checkpoint) -> str:
    fraction = percent(checkpoint.label_fraction)
    if checkpoint.labelling == LABELLING:
        return f"{fraction} of the pixels of the training patches"
    return (
        f"`{checkpoint.labelling}` at a label fraction of {fraction}: "
        f"{share(checkpoint.labelled_share)} of the pixels of the training patches"
    )


def _scores(checkpoint: Checkpoint, detail: dict[str, Any]) -> str:
    splits = scored_splits(detail)
    rows = {
        "mIoU": [detail[split]["miou"] for split in splits],
        "Accuracy": [detail[split]["accuracy"] for split in splits],
        "mIoU of the largest class everywhere": [
            detail[split]["majority_miou"] for split in splits
        ],
    } | {
        f"IoU of {name}": [detail[split]["iou"].get(name) for split in splits]
        for name in checkpoint.class_names
    }
    table = [
        [name, *("absent" if value is None else f"{value:.4f}" for value in values)]
        for name, values in rows.items()
    ]
    headings = ["", *(SPLIT_NAMES[split].capitalize() for split in splits)]
    return tabulate(table, headings, tablefmt="github", disable_numparse=True)


def _caution(detail: dict[str, Any]) -> str:
    split = shown_split(detail)
    iou = shown_scores(detail)["iou"]
    worst = min(iou, key=iou.get)
    pixels = sum(map(sum, shown_scores(detail)["confusion"]))
    without = "" if split == "test" else f"{WITHOUT_TEST} "
    return (
        f"{without}All scores are of this one training; those of the {SPLIT_NAMES[split]} split "
        f"rest on {pixels / 1e6:.1f} Mpx. The weakest class there is {worst} "
        f"(IoU {iou[worst]:.2f}): do not rely on it unseen."
    )


def _pixel_size(checkpoint: Checkpoint) -> str:
    if not checkpoint.ground_sampling_distances:
        return "with a pixel size as theirs, which is unknown."
    sizes = " or ".join(f"{size:.3g} m" for size in checkpoint.ground_sampling_distances)
    return f"pixels of {sizes} (others are resampled)."


def _numbers(values: tuple[float, float, float]) -> str:
    return "(" + ", ".join(f"{value:g}" for value in values) + ")"


def _table(facts: dict[str, str]) -> str:
    return tabulate(facts.items(), ["", ""], tablefmt="github", disable_numparse=True)


def forward_gflop(network: nn.Module, size: int) -> float:
    """Return the 10^9 floating-point operations of one image of size x size px.

    A multiplication and an addition count as two; convolutions alone are counted, as torch does.
    """
    shapes = copy.deepcopy(network).to("meta")  # where nothing is computed
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        shapes(torch.empty(1, 3, size, size, device="meta"))
    return counter.get_total_flops() / 1e9
