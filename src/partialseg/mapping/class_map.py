"""What the predicted rasters hold: classes, their probabilities, and the doubt about them."""

import json
from collections.abc import Mapping
from pathlib import Path

from rasterio.enums import Resampling
from rasterio.io import DatasetReader

from partialseg.mapping.cog import Layout
from partialseg.truth import Colour

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


def probabilities_layout(class_names: tuple[str, ...]) -> Layout:
    """Return the layout of a band of probability a class, 0..250 for 0..1."""
    return _share_layout(class_names, "probability")


def entropy_layout() -> Layout:
    """Return the layout of the entropy of the probabilities, 0..250 for 0..ln(classes)."""
    return _share_layout(("entropy",), "share of ln(number of classes)")


def read_classes(raster: DatasetReader) -> tuple[tuple[str, ...], tuple[Colour, ...]]:
    """Return the class names and the palette of an open class map, by id.

    Raises:
        ValueError: the raster is no class map of ours.
    """
    try:
        names = tuple(json.loads(raster.tags()[NAMES_TAG]))
        colours = raster.colormap(1)
    except (KeyError, ValueError) as error:
        raise ValueError(
            f"{Path(raster.name)}: is no class map: it has no tag {NAMES_TAG} or no colour table"
        ) from error
    return names, tuple(colours[index][:3] for index in range(len(names)))


def _share_layout(band_names: tuple[str, ...], unit: str) -> Layout:
    return Layout(
        band_names=band_names,
        nodata=NODATA,
        scale=1 / ONE,
        unit=unit,
        overviews=Resampling.average,
        tags={},
    )
