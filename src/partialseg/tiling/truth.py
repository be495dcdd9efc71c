"""The truth of an orthophoto: its mask, or the labels that a person drew."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from rasterio.io import DatasetReader
from rasterio.windows import Window

from partialseg.core.classes import NO_TRUTH
from partialseg.source.index import Orthophoto
from partialseg.source.mask_code import MaskCode
from partialseg.source.raster import open_raster
from partialseg.tiling import split
from partialseg.tiling.params import TrainTruth

Kind = Literal["mask", "labels"]


@dataclass(frozen=True, kw_only=True)
class TruthRasters:
    """The open mask and labels of an orthophoto, None where it has none."""

    rasters: Mapping[Kind, DatasetReader | None]
    code: MaskCode

    def read(self, window: Window, kind: Kind) -> NDArray[np.uint8]:
        """Return the class ids (H, W) of a window, all NO_TRUTH if there is no raster.

        Raises:
            ValueError: the raster holds an unknown value.
        """
        raster = self.rasters[kind]
        if raster is None:
            return np.full((window.height, window.width), NO_TRUTH, np.uint8)
        return self.code.decode(raster, window)


@contextmanager
def open_truth(orthophoto: Orthophoto, code: MaskCode) -> Iterator[TruthRasters]:
    """Open the mask and the labels of an orthophoto."""
    files: dict[Kind, Path | None] = {"mask": orthophoto.mask, "labels": orthophoto.labels}
    with ExitStack() as opened:
        yield TruthRasters(
            rasters={
                kind: opened.enter_context(open_raster(file)) if file else None
                for kind, file in files.items()
            },
            code=code,
        )


def truth_kind(orthophoto: Orthophoto, split_name: str, train_truth: TrainTruth) -> Kind:
    """Return whether the truth of a cell of this split is the mask or the drawn labels.

    Raises:
        ValueError: the cell needs a mask, but the orthophoto only has labels.
    """
    if split_name == "train" and train_truth == "labels":
        return "labels"
    if orthophoto.mask is None and split_name in split.SPLITS:
        held_out = f"it is held out for {split_name}"
        use = "train_truth is masks" if split_name == "train" else held_out
        raise ValueError(f"{orthophoto.image}: has labels but no mask, and {use}")
    return "mask"


def unknown_values(orthophotos: Sequence[Orthophoto], code: MaskCode) -> str:
    """Return a sentence on all values of all masks and labels that are no class and not ignored."""
    files = [file for item in orthophotos for file in (item.mask, item.labels) if file]
    counts: Counter[float] = Counter()
    with_unknown = []
    for file in files:
        with open_raster(file) as raster:
            found = code.unknown_values(raster)
        if found:
            with_unknown.append(file)
            counts += found
    more = f" (and {len(with_unknown) - 1} more)" if len(with_unknown) > 1 else ""
    return f"{with_unknown[0]}{more}: {code.describe(counts)}"
