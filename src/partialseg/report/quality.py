"""The sections on single classes, borders, calibration and orthophotos of the test split.

Their tables have means over the seeds; their charts take the pixels of all seeds together.
"""

import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partialseg.evaluation.runs import Cell, cell_names
from partialseg.figures.border_distance import DistanceBand, border_distance_figure
from partialseg.figures.confusion import confusions_figure
from partialseg.figures.reliability import Reliability, ReliabilityBin, reliability_figure
from partialseg.figures.style import svg_text
from partialseg.report.data import ReportData
from partialseg.report.page import Chart, Section
from partialseg.report.tables import (
    CellDetails,
    Detail,
    Entry,
    Table,
    known_values,
    number,
    over_seeds,
    text,
)

Bin = Mapping[str, Any]
Scores = Callable[[Detail], dict[str, float | None]]
WEIGHTED = "Weighted by pixels"


def iou_table(cells: CellDetails, class_names: Sequence[str]) -> Table:
    """Return the IoU of each class, their mean, and that weighted by the classes' pixels."""
    return _class_table(
        "IoU of the classes (test)",
        cells,
        [*class_names, "Mean", WEIGHTED],
        lambda detail: {
            **detail["test"]["iou"],
            "Mean": detail["test"]["miou"],
            WEIGHTED: detail["test"]["fw_iou"],
        },
    )


def boundary_iou_table(cells: CellDetails, class_names: Sequence[str]) -> Table:
    """Return the boundary IoU of each class (Cheng et al. 2021)."""
    distance = _first(cells)["test"]["boundary"]["iou"]["distance_px"]
    return _class_table(
        f"Boundary IoU of the classes (test), within {distance} px of a border",
        cells,
        [*class_names, "Mean"],
        lambda detail: {
            **detail["test"]["boundary"]["iou"]["classes"],
            "Mean": detail["test"]["boundary"]["iou"]["mean"],
        },
    )


def boundary_f1_table(cells: CellDetails) -> Table:
    """Return the boundary F1 at each tolerance, as a mean over the classes."""
    tolerances = _first(cells)["test"]["boundary"]["f1"]
    return _table(
        "Boundary F1 (test), mean over the classes, by tolerance",
        [f"{item['tolerance']:g} {item['unit']}" for item in tolerances],
        cells,
        lambda details: [
            over_seeds(detail["test"]["boundary"]["f1"][place]["mean"] for detail in details)
            for place in range(len(tolerances))
        ],
    )


def objects_table(cells: CellDetails) -> Table | None:
    """Return the share of the objects that is found, by area; None where no class has objects."""
    objects = _first(cells)["test"]["objects"]
    if objects is None:
        return None
    unit = {"m2": "m²"}.get(objects["unit"], objects["unit"])
    return _table(
        f"Share of the objects of class {objects['class']} that is found (test): "
        f"at least {100 * objects['overlap']:g} % of it predicted, by area",
        [
            _area(band["from"], band["to"], unit) + f" (n = {band['objects']})"
            for band in objects["areas"]
        ],
        cells,
        lambda details: [
            over_seeds(detail["test"]["objects"]["areas"][place]["recall"] for detail in details)
            for place in range(len(objects["areas"]))
        ],
    )


def calibration_table(cells: CellDetails) -> Table:
    """Return the calibration error and the loss."""
    return _table(
        "Calibration (test)",
        ["Expected calibration error", "Cross-entropy", "Accuracy"],
        cells,
        lambda details: [
            over_seeds(detail["test"]["calibration"]["ece"] for detail in details),
            over_seeds(detail["test"]["loss"] for detail in details),
            over_seeds(detail["test"]["accuracy"] for detail in details),
        ],
    )


def orthophoto_table(cells: CellDetails) -> Table:
    """Return the mIoU of each orthophoto of the test split, a column a cell."""
    names = cell_names(list(cells))
    patches = {name: item["patches"] for name, item in _first(cells)["test"]["orthophotos"].items()}
    return Table(
        caption="mIoU of the orthophotos (test)",
        headings=["Orthophoto", "Patches", *names.values()],
        rows=[
            [
                text(name),
                number(count, "d"),
                *(
                    over_seeds(detail["test"]["orthophotos"][name]["miou"] for detail in details)
                    for details in cells.values()
                ),
            ]
            for name, count in patches.items()
        ],
    )


def _class_table(caption: str, cells: CellDetails, columns: Sequence[str], scores: Scores) -> Table:
    """Return the columns of the scores, which may be missing in a run."""
    return _table(
        caption,
        columns,
        cells,
        lambda details: [
            over_seeds(scores(detail).get(column) for detail in details) for column in columns
        ],
    )


def _table(
    caption: str,
    headings: Iterable[str],
    cells: CellDetails,
    entries: Callable[[Sequence[Detail]], list[Entry]],
) -> Table:
    names = cell_names(list(cells))
    rows = [[text(names[cell]), *entries(details)] for cell, details in cells.items()]
    return Table(caption=caption, headings=["Cell", *headings], rows=rows)


def _first(cells: CellDetails) -> Detail:
    cell: Cell = next(iter(cells))
    return cells[cell][0]


def _area(low: float, high: float | None, unit: str) -> str:
    return f"≥ {low:g} {unit}" if high is None else f"{low:g}–{high:g} {unit}"


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


def classes_section(data: ReportData) -> Section:
    """Return the section of confusions and IoU of the classes."""
    confusions = {
        data.headline_names[cell]: confusion(details) for cell, details in data.headline.items()
    }
    return Section(
        anchor="classes",
        title="Classes",
        charts=[
            Chart(
                svg=svg_text(confusions_figure(confusions, data.class_names), "confusions"),
                alt="Confusion matrices of the test split, in percent of the truth.",
                caption=f"Confusions on the test split at {data.headline_percent} labels.",
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
                caption="Accuracy over the distance to a border (test), at "
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
                alt="Accuracy over confidence of the test pixels, a diagram a cell; the "
                "calibration errors are in the table below.",
                caption=f"Reliability (test) at {data.headline_percent} labels, all seeds "
                "together. Below the dashed line a network is overconfident; grey bars are the "
                "shares of the pixels.",
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
