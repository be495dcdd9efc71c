"""The predicted rasters: their layouts, and their values from the probabilities of a network."""

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.io import DatasetReader

from partialseg.core.classes import Colour
from partialseg.mapping.cog import Layout
from partialseg.source.raster import read_values, row_windows

NODATA = 255
ONE = 250  # how 1.0 is stored in rasters of probability and entropy
NAMES_TAG = "CLASS_NAMES"  # a JSON list, by id


def class_map_layout(
    class_names: tuple[str, ...], palette: tuple[Colour, ...], tags: Mapping[str, str]
) -> Layout:
    """Return the layout of a map of class ids: names and colours lie inside the file."""
    return Layout(
        band_names=("class",),
        nodata=NODATA,
        class_names=class_names,
        palette=palette,
        overviews=Resampling.mode,
        tags={**tags, NAMES_TAG: json.dumps(class_names, ensure_ascii=False)},
    )


def probabilities_layout(class_names: tuple[str, ...], tags: Mapping[str, str]) -> Layout:
    """Return the layout of a band of probability a class, 0..250 for 0..1."""
    return _share_layout(class_names, "probability", tags)


def entropy_layout(tags: Mapping[str, str]) -> Layout:
    """Return the layout of the entropy of the probabilities, 0..250 for 0..ln(classes)."""
    return _share_layout(("entropy",), "share of ln(number of classes)", tags)


def read_classes(raster: DatasetReader) -> tuple[tuple[str, ...], tuple[Colour, ...]]:
    """Return the class names and the palette of an open class map, by id.

    Raises:
        ValueError: the raster is no class map of this project.
    """
    try:
        names = tuple(json.loads(raster.tags()[NAMES_TAG]))
        colours = raster.colormap(1)
    except (KeyError, ValueError) as error:
        raise ValueError(
            f"{Path(raster.name)}: is no class map: it has no tag {NAMES_TAG} or no colour table"
        ) from error
    return names, tuple(colours[index][:3] for index in range(len(names)))


def class_bands(raster: DatasetReader) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Yield an open class map by bands of rows: the first row, and the ids (h, W).

    Raises:
        ValueError: the file is damaged.
    """
    for window in row_windows(raster):
        yield window.row_off, read_values(raster, window)[0]


def _share_layout(band_names: tuple[str, ...], unit: str, tags: Mapping[str, str]) -> Layout:
    return Layout(
        band_names=band_names,
        nodata=NODATA,
        scale=1 / ONE,
        unit=unit,
        overviews=Resampling.average,
        tags=tags,
    )


def quantised(share: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return shares in 0..1 as bytes of 0..250."""
    return np.rint(share * ONE).astype(np.uint8)


def entropy(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the entropy (h, w) of probabilities (C, h, w) as a share of its maximum, ln C."""
    tiny = np.finfo(np.float32).tiny  # 0 ln 0 is 0
    nats = -sum(share * cv2.log(np.maximum(share, tiny)) for share in probabilities)
    return np.clip(nats / math.log(len(probabilities)), 0, 1)
