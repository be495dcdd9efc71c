"""The stage evaluate: score the best checkpoint of a run on the full truth of its held-out splits.

These are validation and test, or validation alone where the data set has no test split.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from partialseg.confusion import ConfusionMatrix
from partialseg.core.files import new_file
from partialseg.engine.batches import TruthPatches, truth_loader
from partialseg.engine.checkpoint import BEST, LAST, Checkpoint, load_checkpoint
from partialseg.engine.compute import Compute, choose_compute, out_of_memory_named
from partialseg.engine.scoring import Scores, predict_logits
from partialseg.evaluation.model_card import CARD, forward_gflop, model_card
from partialseg.evaluation.params import Evaluate
from partialseg.evaluation.pixels import PixelCounts, class_planes, pixel_losses
from partialseg.evaluation.results import SCORED_SPLITS, Results, write_results
from partialseg.evaluation.runs import RunFiles
from partialseg.evaluation.shown import choose_panel, class_examples
from partialseg.evaluation.spatial import orthophoto_scores, spatial_scores
from partialseg.models.build import count_parameters
from partialseg.tiling.patches import Patch, PatchStore


@dataclasses.dataclass(frozen=True, kw_only=True)
class SplitResults:
    """Scores of a split, counts of its pixels, and the predicted class ids (K, H, W)."""

    scores: Scores
    pixels: PixelCounts
    predictions: NDArray[np.uint8]


def evaluate(
    patches: Path, run_folder: Path, out: RunFiles, params: Evaluate, dataset: str = ""
) -> Results:
    """Score a run; write its scores, all details, predictions for the figures and its model card.

    The card is written beside the predictions: in the pipeline, into the folder of the run. dataset
    is that of the patches ('': that of the run).

    Raises:
        ValueError: patches or checkpoints are missing, damaged or of different classes, or the card
            of another run or of another data set would be overwritten.
    """
    store = PatchStore(patches)
    best = load_checkpoint(run_folder / BEST)
    card = card_file(run_folder, out, best, dataset)
    last = load_checkpoint(run_folder / LAST)
    if tuple(best.class_names) != store.summary.class_names:
        raise ValueError(
            f"{run_folder / BEST}: trained on classes {best.class_names}, but the patches hold "
            f"{list(store.summary.class_names)}"
        )
    params.spatial.object_class(best.class_names)  # fail at an unknown one before anything runs
    compute = choose_compute(params.precision)
    compute.use_threads(params.threads)
    network = compute.place(best.build())
    detail = run_scores(last, best.epoch) | cost(best) | {"panel_patches": params.panel_patches}
    for split in splits_to_score(store):
        with out_of_memory_named(f"at batch_size {params.batch_size} of evaluate: lower it"):
            scored = score_split(network, store, split, best, params, compute)
        patches_of = store.of_split(split)
        detail[split] = (
            pixel_scores(scored.scores, best.class_names)
            | {
                "calibration": scored.pixels.calibration(),
                "orthophotos": orthophoto_scores(patches_of, scored.pixels.confusions),
            }
            | spatial_scores(store, patches_of, scored.predictions, params.spatial)
        )
    # `split`, `scored` and `patches_of` are of the last split, which figures and report show.
    examples = class_examples(
        best.class_names, patches_of, scored.pixels.confusions, params.examples
    )
    results = Results(
        detail=detail | {f"{split}_examples": examples},
        predictions=kept_predictions(
            patches_of, scored.predictions, examples, params.panel_patches
        ),
    )
    write_results(out, results)
    with new_file(card) as file:
        file.write_text(model_card(best, results.detail), encoding="utf-8")
    return results


def splits_to_score(store: PatchStore) -> list[str]:
    """Return 'val' and, unless the data set has no test split, 'test'.

    Raises:
        ValueError: there is no patch for validation.
    """
    found = [split for split in SCORED_SPLITS if store.of_split(split)]
    if found[:1] != ["val"]:
        raise ValueError(f"{store.folder}: no patch is of the validation split")
    return found


def card_file(run_folder: Path, out: RunFiles, best: Checkpoint, dataset: str) -> Path:
    """Return where the model card of an evaluation is written: beside its predictions.

    Raises:
        ValueError: it would replace the card of another run, or that of this run by one with scores
            on another data set.
    """
    folder = out.predictions.parent
    own = folder.resolve() == run_folder.resolve()
    if own and dataset not in ("", best.dataset):
        raise ValueError(
            f"{out.predictions}: is in the folder of a run on {best.dataset}, whose card and "
            f"predictions would be replaced by those on {dataset}; choose another folder"
        )
    if not own and (folder / BEST).exists():
        raise ValueError(
            f"{out.predictions}: is in the folder of another run, whose card would be replaced; "
            "choose another folder"
        )
    return folder / CARD


@torch.inference_mode()
def score_split(
    network: nn.Module,
    store: PatchStore,
    split: str,
    checkpoint: Checkpoint,
    params: Evaluate,
    compute: Compute,
) -> SplitResults:
    """Score a network on one split, with the class weights of its training in the loss.

    The scores are those that the Scorer of a training gives, to the last bit, by fewer passes over
    the pixels, since every count here follows from the same one.

    Raises:
        ValueError: no pixel has a truth, or an id of the truth is out of range.
    """
    patches = store.of_split(split)
    weights = checkpoint.class_weights
    class_weights = None if weights is None else torch.tensor(weights, device=compute.device)
    whole = ConfusionMatrix(len(checkpoint.class_names))
    pixels = PixelCounts(whole.num_classes, params.calibration_bins)
    predictions: list[NDArray[np.uint8]] = []
    loss_sum, batch_mious = 0.0, []
    network.eval()
    for images, labels in truth_loader(
        TruthPatches(store, patches), params.batch_size, params.workers
    ):
        logits, truth = predict_logits(network, images, compute), compute.to_labels(labels)
        losses = torch.empty(truth.shape, device=truth.device)
        # Patch by patch: what belongs to one fits into the caches of a processor.
        for index, patch in enumerate(map(class_planes, logits)):
            predictions.append(pixels.update(patch[None], labels[index, None]))
            losses[index] = pixel_losses(patch, truth[index], class_weights)
        of_batch = ConfusionMatrix(whole.num_classes)
        of_batch.counts += torch.from_numpy(np.sum(pixels.confusions[-len(images) :], axis=0))
        if known := int(of_batch.counts.sum()):
            # As partial_cross_entropy divides: another order of operations differs in a last bit.
            loss_sum += float(losses.sum() / torch.tensor(known)) * known
            batch_mious.append(of_batch.miou())
        whole.merge(of_batch)
    if not batch_mious:
        raise ValueError("no pixel of the split that is scored has a truth")
    scores = Scores(
        confusion=whole,
        loss=loss_sum / int(whole.counts.sum()),
        batch_miou=sum(batch_mious) / len(batch_mious),
    )
    return SplitResults(scores=scores, pixels=pixels, predictions=np.concatenate(predictions))


def kept_predictions(
    patches: Sequence[Patch],
    predictions: NDArray[np.uint8],
    examples: dict[str, Any],
    panel_patches: int,
) -> dict[str, NDArray[np.uint8]]:
    """Return those of the predictions (K, H, W) that figures or report show, by patch name."""
    shown = {patch.name for patch in choose_panel(patches, panel_patches)}
    shown |= {item["patch"] for ends in examples.values() for end in ends.values() for item in end}
    named = zip(patches, predictions, strict=True)
    return {patch.name: ids for patch, ids in named if patch.name in shown}


def cost(checkpoint: Checkpoint) -> dict[str, float]:
    """Return the parameters of a network and the operations to predict a patch."""
    network = checkpoint.build()
    return {
        "parameters": count_parameters(network),
        "gflop": forward_gflop(network, checkpoint.patch_size),
    }


def run_scores(last: Checkpoint, kept_epoch: int) -> dict[str, Any]:
    """Return identity and cost of a training, and the final and best values of its curves."""
    final = last.history[-1]
    return last.identity() | {
        "compute": last.compute,
        "accumulation": last.accumulation,
        "commit": last.commit,
        "labelled_pixels": last.labelled_share,
        "clicks": last.clicks,
        "annotation_seconds": last.annotation_seconds,
        "epochs": len(last.history),
        "kept_epoch": kept_epoch,
        "train_seconds": round(sum(record.seconds for record in last.history), 1),
        "peak_memory_mib": round(max(record.peak_memory_mib for record in last.history)),
        "best_val_miou": max(record.val_miou for record in last.history),
        "final_val_miou": final.val_miou,
        "final_val_accuracy": final.val_accuracy,
        "final_val_batch_miou": final.val_batch_miou,
        "best_val_batch_miou": max(record.val_batch_miou for record in last.history),
    }


def pixel_scores(scores: Scores, class_names: Sequence[str]) -> dict[str, Any]:
    """Return the scores of a split, and those of predicting its largest class everywhere.

    A class that occurs neither in the truth nor in the prediction is listed in `absent` and has
    no IoU and no F1.
    """
    confusion = scores.confusion
    of_truth = confusion.counts.sum(dim=1).double()
    absent = confusion.absent()
    present = [index for index in range(len(class_names)) if index not in absent]
    iou, f1 = confusion.iou(), confusion.f1()
    return {
        "miou": confusion.miou(),
        "accuracy": confusion.accuracy(),
        "mean_f1": confusion.mean_f1(),
        "fw_iou": confusion.frequency_weighted_iou(),
        "loss": scores.loss,
        "batch_miou": scores.batch_miou,
        "majority_class": class_names[int(of_truth.argmax())],
        "majority_miou": float(of_truth.max() / of_truth.sum() / (of_truth > 0).sum()),
        "iou": {class_names[index]: float(iou[index]) for index in present},
        "f1": {class_names[index]: float(f1[index]) for index in present},
        "absent": [class_names[index] for index in absent],
        "confusion": confusion.counts.tolist(),
    }
