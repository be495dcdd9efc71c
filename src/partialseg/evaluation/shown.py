"""The choice of the test (without a test split: validation) patches that figures show."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partialseg.tiling.patches import Patch

MIN_SHARE = 0.005  # of a patch's known pixels: the IoU of very few pixels says little


def choose_panel(patches: Sequence[Patch], count: int) -> list[Patch]:
    """Choose the patches whose truth mixes the classes most evenly (highest entropy).

    The choice depends on the truth alone, never on a prediction; ties are resolved by name.
    """
    ranked = sorted(patches, key=lambda patch: (-class_entropy(patch), patch.name))
    return ranked[:count]


def class_entropy(patch: Patch) -> float:
    """Return the entropy of the class shares of a patch, in nats."""
    total = sum(patch.counts)
    shares = [count / total for count in patch.counts if count]
    return -sum(share * math.log(share) for share in shares)


def class_examples(
    class_names: Sequence[str],
    patches: Sequence[Patch],
    confusions: Sequence[NDArray[np.int64]],
    count: int,
) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """Return, for each class, up to `count` patches with its best IoU and as many with its worst.

    confusions are the matrices counts[t, p], int64 (C, C), of the patches in their order. Patches
    whose truth has less than MIN_SHARE of the class are left out. The best are chosen first and the
    worst among the rest, so that no patch is both. Ties are resolved by name.
    """
    counts = np.stack(confusions)
    hits = np.diagonal(counts, axis1=1, axis2=2)
    of_truth = counts.sum(axis=2)
    either = of_truth + counts.sum(axis=1) - hits
    enough = (of_truth > 0) & (of_truth >= MIN_SHARE * of_truth.sum(axis=1, keepdims=True))
    examples = {}
    for index, name in enumerate(class_names):
        scored = [
            (hits[k, index] / either[k, index], patches[k].name)
            for k in np.flatnonzero(enough[:, index]).tolist()
        ]
        best = sorted(scored, key=lambda item: (-item[0], item[1]))
        worst = sorted(best[count:])[:count]
        examples[name] = {"best": _listed(best[:count]), "worst": _listed(worst)}
    return examples


def _listed(scored: Sequence[tuple[float, str]]) -> list[dict[str, Any]]:
    return [{"patch": name, "iou": float(iou)} for iou, name in scored]
