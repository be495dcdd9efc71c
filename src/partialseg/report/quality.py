"""The sections on single classes, borders, calibration and orthophotos of the split shown.

That is the test split, or validation where there is no test.

Their tables have means over the seeds; their charts take the pixels of all seeds together.
"""

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partialseg.evaluation.results import shown_scores
from partialseg.figures.border_distance import DistanceBand, border_distance_figure
from partialseg.figures.confusion import confusions_figure
from partialseg.figures.reliability import Reliability, ReliabilityBin, reliability_figure
from partialseg.figures.style import svg_text
from partialseg.report.data import ReportData
from partialseg.report.page import Chart, Section
from partialseg.report.quality_tables import (
    boundary_f1_table,
    boundary_iou_table,
    calibration_table,
    iou_table,
    objects_table,
    orthophoto_table,
)
from partialseg.report.tables import (
    Detail,
    known_values,
)

Bin = Mapping[str, Any]


def confusion(details: Sequence[Detail]) -> NDArray[np.int64]:
    """Return the sum of the runs' confusion matrices counts[truth, prediction] (C, C)."""
    matrices = [np.array(shown_scores(detail)["confusion"], np.int64) for detail in details]
    return np.sum(matrices, axis=0, dtype=np.int64)


def reliability(details: Sequence[Detail]) -> Reliability:
    """Return the mean calibration error of the runs, and their bins with all pixels of them."""
    calibrations = [shown_scores(detail)["calibration"] for detail in details]
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
    of_band = zip(*(shown_scores(detail)["border_distance"] for detail in details), strict=True)
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


def classes_section(data: ReportData) -> Section:
    """Return the section of confusions and IoU of the classes."""
    confusions = {
        data.headline_names[cell]: confusion(details) for cell, details in data.headline.items()
    }
    scored = data.compared.scored
    return Section(
        anchor="classes",
        title="Classes",
        charts=[
            Chart(
                svg=svg_text(confusions_figure(confusions, data.class_names), "confusions"),
                alt=f"Confusion matrices of the {scored} split, in percent of the truth.",
                caption=f"Confusions on the {scored} split at {data.headline_percent} labels.",
            )
        ],
        tables=[iou_table(data.first_split, data.class_names)],
    )


def borders_section(data: ReportData) -> Section:
    """Return the section of scores at borders, and of small objects."""
    bands = {cell: distance_bands(details) for cell, details in data.headline.items()}
    figure = border_distance_figure(bands, data.headline_names)
    objects = objects_table(data.first_split)
    return Section(
        anchor="borders",
        title="Borders and small objects",
        charts=[
            Chart(
                svg=svg_text(figure, "border-distance"),
                alt="Accuracy of the pixels over their distance to the next border of classes.",
                caption=f"Accuracy over the distance to a border ({data.compared.scored}), at "
                f"{data.headline_percent} labels, all seeds together.",
            )
        ],
        tables=[
            boundary_iou_table(data.first_split, data.class_names),
            boundary_f1_table(data.first_split),
            *([objects] if objects else []),
        ],
    )


def calibration_section(data: ReportData) -> Section:
    """Return the section of how confidence and accuracy agree."""
    diagrams = {
        data.headline_names[cell]: reliability(details) for cell, details in data.headline.items()
    }
    return Section(
        anchor="calibration",
        title="Calibration",
        charts=[
            Chart(
                svg=svg_text(reliability_figure(diagrams), "reliability"),
                alt=f"Accuracy over confidence of the {data.compared.scored} pixels, a diagram a "
                "cell; the calibration errors are in the table below.",
                caption=f"Reliability ({data.compared.scored}) at {data.headline_percent} labels, "
                "all seeds together. Below the dashed line a network is overconfident; grey bars "
                "are the shares of the pixels.",
            )
        ],
        tables=[calibration_table(data.first_split)],
    )


def orthophotos_section(data: ReportData) -> Section:
    """Return the section of the scores of single orthophotos."""
    return Section(
        anchor="orthophotos",
        title="Orthophotos",
        paragraphs=[f"At {data.headline_percent} labels."],
        tables=[orthophoto_table(data.headline)],
    )
