"""Which raster holds the truth of a cell: its orthophoto's mask, or what a person drew on it."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from rasterio.io import DatasetReader
from rasterio.windows import Window

from partialseg.masks import MaskCode
from partialseg.raster import open_raster
from partialseg.source import Orthophoto
from partialseg.split import SPLITS
from partialseg.truth import NO_TRUTH

TrainTruth = Literal["masks", "labels"]
Kind = Literal["mask", "labels"]


@dataclass(frozen=True, kw_only=True)
class TruthRasters:
    """The open mask and labels of an orthophoto, None where it has none."""

    rasters: Mapping[Kind, DatasetReader | None]
    code: MaskCode

    def read(self, window: Window, kind: Kind) -> NDArray[np.uint8]:
        """Return the class ids (H, W) of a window, NO_TRUTH everywhere where there is no raster.

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


def truth_kind(orthophoto: Orthophoto, split: str, train_truth: TrainTruth) -> Kind:
    """Return what holds the truth of a cell of this split.

    Raises:
        ValueError: the cell needs a mask, and the orthophoto has labels alone.
    """
    if split == "train" and train_truth == "labels":
        return "labels"
    if orthophoto.mask is None and split in SPLITS:
        use = "train_truth is masks" if split == "train" else f"it is held out for {split}"
        raise ValueError(f"{orthophoto.image}: has labels but no mask, and {use}")
    return "mask"
