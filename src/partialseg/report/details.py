"""The details of the runs of a page by cell."""

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partialseg.comparison.cells import by_cell
from partialseg.evaluation.results import RunResults
from partialseg.evaluation.runs import Cell, is_main
from partialseg.figures.border_distance import DistanceBand
from partialseg.figures.reliability import Reliability, ReliabilityBin
from partialseg.report.tables import known_values

Detail = dict[str, Any]  # the content of the details file of a run
CellDetails = Mapping[Cell, Sequence[Detail]]
SHOWN = {"gflop", "peak_memory_mib", "commit", "test_examples"}  # keys of the details ...
SHOWN_OF_TEST = {"orthophotos", "boundary", "objects", "calibration", "border_distance"}
Bin = Mapping[str, Any]


def check_details(results: Sequence[RunResults]) -> None:
    """Check that the details of runs have what the page shows.

    Raises:
        ValueError: they lack something, being of an earlier version.
    """
    for item in results:
        missing = (SHOWN - item.detail.keys()) | (SHOWN_OF_TEST - item.detail["test"].keys())
        if missing:
            lacking = ", ".join(sorted(missing))
            raise ValueError(f"details of the run {item.run.path}: lack {lacking}; evaluate again")


def cell_details(results: Sequence[RunResults]) -> dict[Cell, list[Detail]]:
    """Return the details of the runs of each cell, cells and runs in their order."""
    return {cell: [item.detail for item in runs] for cell, runs in by_cell(results).items()}


def of_split(cells: CellDetails, split: str) -> dict[Cell, Sequence[Detail]]:
    """Return the cells of one split."""
    return {cell: details for cell, details in cells.items() if cell.split == split}


def of_first(cells: CellDetails) -> dict[Cell, Sequence[Detail]]:
    """Return the cells of the first split and labelling."""
    first = next(iter(cells))
    return {cell: details for cell, details in cells.items() if is_main(cell, first)}


def at_fraction(cells: CellDetails, fraction: str) -> dict[Cell, Sequence[Detail]]:
    """Return the cells at one label fraction."""
    return {cell: details for cell, details in cells.items() if cell.fraction == fraction}


def best_run(results: Sequence[RunResults]) -> RunResults:
    """Return the run of the first split and labelling that has the highest validation mIoU.

    By validation, as the test split is to judge the choice; and of one split, as other splits
    have other validation patches, easier ones where they leak.
    """
    first = results[0].run.cell
    return max(
        (item for item in results if is_main(item.run.cell, first)),
        key=lambda item: item.detail["val"]["miou"],
    )


def confusion(details: Sequence[Detail]) -> NDArray[np.int64]:
    """Return the sum of the confusion matrices counts[truth, prediction] (C, C) of the test."""
    matrices = [np.array(detail["test"]["confusion"], np.int64) for detail in details]
    return np.sum(matrices, axis=0, dtype=np.int64)


def reliability(details: Sequence[Detail]) -> Reliability:
    """Return the mean calibration error of the runs, and their bins with all pixels of them."""
    calibrations = [detail["test"]["calibration"] for detail in details]
    errors = known_values(calibration["ece"] for calibration in calibrations)
    of_bin = zip(*(calibration["bins"] for calibration in calibrations), strict=True)
    return Reliability(
        ece=statistics.fmean(errors) if errors else math.nan,
        bins=tuple(
            ReliabilityBin(
                low=bins[0]["from"],
                high=bins[0]["to"],
                pixels=_pixels(bins),
                confidence=_weighted(bins, "confidence"),
                accuracy=_weighted(bins, "accuracy"),
            )
            for bins in of_bin
        ),
    )


def distance_bands(details: Sequence[Detail]) -> list[DistanceBand]:
    """Return the accuracy of all pixels of the runs by their distance to a border."""
    of_band = zip(*(detail["test"]["border_distance"] for detail in details), strict=True)
    return [
        DistanceBand(
            low=bands[0]["from_px"],
            high=bands[0]["to_px"],
            pixels=_pixels(bands),
            accuracy=_weighted(bands, "accuracy"),
        )
        for bands in of_band
    ]


def _pixels(bins: Sequence[Bin]) -> int:
    return sum(item["pixels"] for item in bins)


def _weighted(bins: Sequence[Bin], key: str) -> float | None:
    """Return the mean of a key over the pixels of the bins; None without any."""
    pixels = _pixels(bins)
    if not pixels:
        return None
    return float(sum(item["pixels"] * item[key] for item in bins if item["pixels"]) / pixels)
