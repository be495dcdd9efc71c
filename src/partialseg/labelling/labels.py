"""The label store: packed bits of the visible pixels, labels.csv and labels.json."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass as checked_dataclass

from partialseg.core.classes import PIXELS_OF
from partialseg.core.params import STRICT

BITS = "visible.npy"
TABLE = "labels.csv"
SUMMARY = "labels.json"


@dataclass(frozen=True, kw_only=True)
class PatchLabels:
    """The annotation of one patch as it is stored: packed bits of its visible pixels, and counts.

    visible is the number of these pixels, counts (C,) that of each class among them. clicks and
    seconds are the annotation cost by an estimate, None where it is unknown; short (C,) has the
    clicks that could not be made because a class has too few pixels.
    """

    name: str
    bits: NDArray[np.uint8]
    visible: int
    counts: tuple[int, ...]
    clicks: int | None
    seconds: float | None
    short: tuple[int, ...]


@checked_dataclass(frozen=True, kw_only=True, config=STRICT)
class LabelOrigin:
    """How the labels of a store were chosen: the same on the same patches gives the same labels.

    pattern is that of the annotator, or the strategy of active learning.
    """

    pattern: str
    fraction: float
    seed: int


@checked_dataclass(frozen=True, kw_only=True, config=STRICT)
class LabelSummary(LabelOrigin):
    """What labels.json says of the annotations of all patches of a label store together.

    size is the side of a patch in px. visible counts the annotated pixels, counts those of each
    class among them; the others have no truth in the source. clicks and seconds are the
    annotation cost by an estimate, None where it is unknown; short has the clicks, by class, that
    could not be made because a class has too few pixels.
    """

    size: int
    patches: int
    visible: int
    counts: dict[str, int]
    clicks: int | None
    seconds: float | None
    short: dict[str, int]

    @property
    def labelled_share(self) -> float:
        """The share of the pixels of all training patches that have a label."""
        return sum(self.counts.values()) / (self.patches * self.size**2)


_SUMMARY = TypeAdapter(LabelSummary)


def write_labels(
    folder: Path,
    labels: Sequence[PatchLabels],
    class_names: Sequence[str],
    size: int,
    origin: LabelOrigin,
) -> LabelSummary:
    """Write the labels of the training patches of size px, in the order of the manifest."""
    np.save(folder / BITS, np.stack([item.bits for item in labels]))
    with (folder / TABLE).open("w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream, lineterminator="\n")
        pixels_of = [PIXELS_OF + name for name in class_names]
        rows.writerow(["name", "visible", "clicks", "seconds", *pixels_of])
        for item in labels:
            rows.writerow([item.name, item.visible, item.clicks, item.seconds, *item.counts])
    totals = np.sum([item.counts for item in labels], axis=0).tolist()
    short = np.sum([item.short for item in labels], axis=0).tolist()
    clicks = [item.clicks for item in labels if item.clicks is not None]
    seconds = [item.seconds for item in labels if item.seconds is not None]
    summary = LabelSummary(
        pattern=origin.pattern,
        fraction=origin.fraction,
        seed=origin.seed,
        size=size,
        patches=len(labels),
        visible=sum(item.visible for item in labels),
        counts=dict(zip(class_names, totals, strict=True)),
        clicks=sum(clicks) if clicks else None,
        seconds=sum(seconds) if seconds else None,
        short={name: count for name, count in zip(class_names, short, strict=True) if count},
    )
    (folder / SUMMARY).write_bytes(_SUMMARY.dump_json(summary, indent=1))
    return summary


class LabelStore:
    """Reads what write_labels wrote.

    Raises:
        ValueError: the folder holds no labels, or they are not those of `names`.
    """

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        try:
            self.summary = _SUMMARY.validate_json((folder / SUMMARY).read_bytes())
            with (folder / TABLE).open(newline="", encoding="utf-8") as stream:
                stored = [row["name"] for row in csv.DictReader(stream)]
            self._bits: NDArray[np.uint8] = np.load(folder / BITS, allow_pickle=False)
        except (OSError, ValueError, KeyError, EOFError) as error:
            raise ValueError(f"{folder}: no usable labels: {error}") from error
        pixels = self.summary.size**2
        if self._bits.shape != (len(stored), -(-pixels // 8)):
            raise ValueError(f"{folder / BITS}: damaged: shape {self._bits.shape}")
        if stored != list(names):
            raise ValueError(f"{folder}: these labels belong to other patches; run `dvc repro`")

    def visible(self, index: int) -> NDArray[np.bool_]:
        """Return the visible pixels (size, size) of the training patch at this place."""
        size = self.summary.size
        return np.unpackbits(self._bits[index], count=size**2).reshape(size, size).view(np.bool_)

    def visible_pixels(self) -> list[int]:
        """Return the number of visible pixels of each training patch."""
        return np.bitwise_count(self._bits).sum(axis=1, dtype=np.int64).tolist()
