"""Annotate all training patches of a store, and write the labels."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from partialseg.core.files import new_folder
from partialseg.labelling.annotator import Annotator, label_patch
from partialseg.labelling.labels import LabelOrigin, LabelSummary, PatchLabels, write_labels
from partialseg.labelling.params import Label
from partialseg.tiling.patches import PatchStore


def label(patches: Path, out: Path, fraction: float, seed: int, params: Label) -> LabelSummary:
    """Draw the visible pixels of each training patch of a store and write them to `out`.

    Raises:
        ValueError: the fraction is not in 0 < fraction <= 1, a patch cannot hold what it asks for
            or (but with the pattern `patches`) stays without any labelled pixel, or all labels
            are of one class.
    """
    store = PatchStore(patches)
    train = store.of_split("train")
    annotator = Annotator(params, fraction, seed, [patch.name for patch in train])
    labels = []
    for patch in train:
        item = label_patch(store, patch, annotator)
        if not any(item.counts) and params.pattern != "patches":
            raise ValueError(
                f"patch {patch.name}: label_fraction {fraction} shows {item.visible} of "
                f"{store.summary.size**2} pixels, none of them with a truth ({patch.no_truth} "
                "have none); take a larger fraction"
            )
        labels.append(item)
    check_classes(labels, store.summary.class_names)
    with new_folder(out) as folder:
        origin = LabelOrigin(pattern=params.pattern, fraction=fraction, seed=seed)
        return write_labels(folder, labels, store.summary.class_names, store.summary.size, origin)


def check_classes(labels: list[PatchLabels], class_names: tuple[str, ...]) -> None:
    """Check that the labels of all patches hold two classes or more.

    Raises:
        ValueError: all labelled pixels are of one class.
    """
    totals = np.sum([item.counts for item in labels], axis=0)
    if np.count_nonzero(totals) < 2:
        raise ValueError(
            f"labels hold one class only ({class_names[int(totals.argmax())]}): nothing to tell "
            "apart; raise label_fraction or change the seed"
        )


def lines(summary: LabelSummary) -> Iterator[str]:
    """Yield the lines that describe the labels, for the console."""
    yield f"{summary.visible} visible pixels in {summary.patches} patches: {summary.counts}"
    if summary.clicks is not None and summary.seconds is not None:
        yield (
            f"{summary.pattern}: {summary.clicks} clicks, about {summary.seconds / 3600:.2f} h of "
            "annotation by an estimate"
        )
    for name, count in summary.short.items():
        yield f"{name}: {count} clicks fewer than asked, as patches hold too few pixels of it"
    for name, count in summary.counts.items():
        if not count:
            yield f"{name}: no labelled pixel"
