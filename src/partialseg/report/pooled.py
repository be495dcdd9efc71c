"""What the figures of a cell show: the counts of its runs, one a seed, taken together."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partialseg.figures.border_distance import DistanceBand
from partialseg.figures.reliability import Reliability, ReliabilityBin
from partialseg.report.cells import Detail
from partialseg.report.tables import mean_and_std
from partialseg.seeds import SeedScore

Bin = Mapping[str, Any]


def miou_score(details: Sequence[Detail]) -> SeedScore:
    """Return the test mIoU of the runs of a cell."""
    mean, std = mean_and_std(detail["test"]["miou"] for detail in details)
    labelled = statistics.fmean(detail["labelled_pixels"] for detail in details)
    return SeedScore(mean=float("nan") if mean is None else mean, std=std, labelled=labelled)


def confusion(details: Sequence[Detail]) -> NDArray[np.int64]:
    """Return the sum of the confusion matrices counts[truth, prediction] (C, C) of the test."""
    matrices = [np.array(detail["test"]["confusion"], np.int64) for detail in details]
    return np.sum(matrices, axis=0, dtype=np.int64)


def reliability(details: Sequence[Detail]) -> Reliability:
    """Return the mean calibration error of the runs, and their bins with all pixels of them."""
    calibrations = [detail["test"]["calibration"] for detail in details]
    ece, _ = mean_and_std(calibration["ece"] for calibration in calibrations)
    of_bin = zip(*(calibration["bins"] for calibration in calibrations), strict=True)
    return Reliability(
        ece=float("nan") if ece is None else ece,
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
