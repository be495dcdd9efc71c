"""Stage label: draw which pixels of the training patches are visible at a label fraction."""

import argparse
from pathlib import Path

import numpy as np

from partialseg.atomic import new_folder
from partialseg.command import run
from partialseg.labels import LabelSummary, PatchLabels, write_labels
from partialseg.patches import Patch, PatchStore
from partialseg.truth import NO_TRUTH
from partialseg.visibility import visible_pixels


def label(patches: Path, out: Path, fraction: float, seed: int) -> LabelSummary:
    """Draw the visible pixels of each training patch of a store and write them to `out`.

    Raises:
        ValueError: the fraction is not in 0 < fraction <= 1, or a patch stays without any
            labelled pixel.
    """
    store = PatchStore(patches)
    labels = [label_patch(store, patch, fraction, seed) for patch in store.of_split("train")]
    with new_folder(out) as folder:
        return write_labels(
            folder, labels, store.summary.class_names, store.summary.size, fraction, seed
        )


def label_patch(store: PatchStore, patch: Patch, fraction: float, seed: int) -> PatchLabels:
    """Draw the visible pixels of one patch and count their classes.

    Raises:
        ValueError: no visible pixel has a truth.
    """
    truth, side = store.truth(patch), store.summary.size
    visible = visible_pixels(seed, patch.name, side, side, fraction)
    counts = np.bincount(truth[visible], minlength=NO_TRUTH + 1)[: len(patch.counts)]
    if not counts.any():
        raise ValueError(
            f"patch {patch.name}: label_fraction {fraction} shows {visible.sum()} of "
            f"{visible.size} pixels, none of them with a truth ({patch.no_truth} have none); "
            "take a larger fraction"
        )
    return PatchLabels(
        name=patch.name,
        bits=np.packbits(visible),
        visible=int(visible.sum()),
        counts=tuple(counts.tolist()),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patches", type=Path, required=True)
    parser.add_argument("--fraction", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    summary = label(args.patches, args.out, args.fraction, args.seed)
    print(f"{summary.visible} visible pixels in {summary.patches} patches: {summary.counts}")


if __name__ == "__main__":
    run(main)
