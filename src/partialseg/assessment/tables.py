"""An assessment as tables to read, and as JSON."""

from dataclasses import asdict
from typing import Any

from tabulate import tabulate

from partialseg.assessment.assess import Assessment
from partialseg.assessment.estimate import Estimate

FEW = 30  # points of a class below which its normal intervals are rough
HECTARE = 10_000  # m2


def content(assessment: Assessment) -> dict[str, Any]:
    """Return an assessment as JSON content; shares are those of the map's area."""
    names, accuracy = assessment.class_names, assessment.accuracy
    return {
        "points": int(assessment.counts.sum()),
        "points_without_reference": assessment.unlabelled,
        "points_outside": assessment.outside,
        "area_m2": assessment.area_m2,
        "confusion": assessment.counts.tolist(),
        "overall_accuracy": asdict(accuracy.overall),
        "classes": {name: asdict(item) for name, item in zip(names, accuracy.classes, strict=True)},
    }


def text(assessment: Assessment) -> str:
    """Return an assessment as tables in Markdown, with remarks on the sample."""
    names, counts = assessment.class_names, assessment.counts
    confusion = [
        [name, *row.tolist(), int(row.sum())] for name, row in zip(names, counts, strict=True)
    ]
    confusion.append(["sum", *counts.sum(axis=0).tolist(), int(counts.sum())])
    unit = "share of the map" if assessment.area_m2 is None else "ha"
    size = 1.0 if assessment.area_m2 is None else assessment.area_m2 / HECTARE
    digits = 4 if assessment.area_m2 is None else 1
    rows = [
        {
            "class": name,
            "user's accuracy": _percent(item.users),
            "producer's accuracy": _percent(item.producers),
            f"mapped, {unit}": f"{item.mapped * size:,.{digits}f}",
            f"estimated, {unit}": f"{item.share.value * size:,.{digits}f}"
            f" ± {item.share.half_width * size:,.{digits}f}",
        }
        for name, item in zip(names, assessment.accuracy.classes, strict=True)
    ]
    parts = [
        "Points by mapped class (rows) and reference class (columns):",
        tabulate(confusion, ["", *names, "sum"], "github"),
        tabulate(rows, "keys", "github", disable_numparse=True),
        f"Overall accuracy: {_percent(assessment.accuracy.overall)}. ± are 95 % intervals.",
        *_remarks(assessment),
    ]
    return "\n\n".join(parts)


def _percent(item: Estimate | None) -> str:
    return "-" if item is None else f"{item.value:.1%} ± {item.half_width:.1%}"


def _remarks(assessment: Assessment) -> list[str]:
    remarks = []
    of_classes = zip(assessment.class_names, assessment.counts.sum(axis=1), strict=True)
    few = [f"{name} ({number})" for name, number in of_classes if 0 < number < FEW]
    if few:
        remarks.append(f"Fewer than {FEW} points, so rough intervals: {', '.join(few)}.")
    if assessment.unlabelled:
        remarks.append(f"Left out, without a reference: {assessment.unlabelled} points.")
    if assessment.outside:
        remarks.append(f"Left out, outside the map or on its nodata: {assessment.outside} points.")
    return remarks
