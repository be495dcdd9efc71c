"""An assessment as tables to read, and as JSON."""

from dataclasses import asdict
from typing import Any

from tabulate import tabulate

from partialseg.assessment.assess import Assessment
from partialseg.assessment.estimate import Estimate

# Points of a class below which its intervals are rough, and right or wrong ones of it below which
# they are too short: without any error they would have no width at all.
FEW, FEW_OF_A_KIND = 30, 5
UNEQUAL = 1.02  # ratio of pixels on the ground; national grids stay far below it
HECTARE = 10_000  # m2
SMALL = 100 * HECTARE  # a map below is told in m2
UNITS = {
    "value, half_width": "shares in 0..1, with half of the 95 % interval",
    "mapped, share": "shares of the map, as it says and as estimated",
    "estimated_m2": "square metres, with half of the 95 % interval; null: the map has no CRS",
    "pixel_ratio": "ground of the largest pixel of the map over that of the smallest one",
    "confusion": "points by mapped class (rows) and reference class (columns)",
}


def content(assessment: Assessment) -> dict[str, Any]:
    """Return an assessment as JSON content, with its units."""
    names, accuracy = assessment.class_names, assessment.accuracy
    return {
        "points": int(assessment.counts.sum()),
        "points_left_out": asdict(assessment.left_out),
        "area_m2": assessment.area_m2,
        "pixel_ratio": assessment.pixel_ratio,
        "confusion": assessment.counts.tolist(),
        "overall_accuracy": asdict(accuracy.overall),
        "classes": {
            name: asdict(item) | {"estimated_m2": _area(item.share, assessment.area_m2)}
            for name, item in zip(names, accuracy.classes, strict=True)
        },
        "units": UNITS,
    }


def _area(share: Estimate, area_m2: float | None) -> dict[str, float] | None:
    if area_m2 is None:
        return None
    return {key: value * area_m2 for key, value in asdict(share).items()}


def text(assessment: Assessment) -> str:
    """Return an assessment as tables in Markdown, with remarks on the sample."""
    names, counts = assessment.class_names, assessment.counts
    confusion = [
        [name, *row.tolist(), int(row.sum())] for name, row in zip(names, counts, strict=True)
    ]
    confusion.append(["sum", *counts.sum(axis=0).tolist(), int(counts.sum())])
    unit, size, digits = _unit(assessment.area_m2)
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


def _unit(area_m2: float | None) -> tuple[str, float, int]:
    """Return the unit of areas, the size of the map in it, and the digits to show."""
    if area_m2 is None:
        return "share of the map", 1.0, 4
    return ("m²", area_m2, 0) if area_m2 < SMALL else ("ha", area_m2 / HECTARE, 1)


def _percent(item: Estimate | None) -> str:
    return "-" if item is None else f"{item.value:.1%} ± {item.half_width:.1%}"


def _remarks(assessment: Assessment) -> list[str]:
    remarks, few, one_sided = [], [], []
    for index, (name, row) in enumerate(
        zip(assessment.class_names, assessment.counts, strict=True)
    ):
        number, right = int(row.sum()), int(row[index])
        if 0 < number < FEW:
            few.append(f"{name} ({number})")
        elif number and min(right, number - right) < FEW_OF_A_KIND:
            one_sided.append(f"{name} ({number - right} wrong of {number})")
    if few:
        remarks.append(f"Fewer than {FEW} points, so rough intervals: {', '.join(few)}.")
    if one_sided:
        remarks.append(
            f"Fewer than {FEW_OF_A_KIND} right or wrong points, so intervals that are too short, "
            f"of the class and of all that it is part of: {', '.join(one_sided)}."
        )
    if assessment.pixel_ratio > UNEQUAL:
        remarks.append(
            f"Pixels of the map cover up to {assessment.pixel_ratio:.2f} times as much ground as "
            "others, but points are drawn among pixels: areas and accuracies may be biased. Warp "
            "the map to an equal-area CRS, such as EPSG:3035 in Europe, and draw from that."
        )
    left = assessment.left_out
    if left.unlabelled:
        remarks.append(f"Left out, without a reference: {left.unlabelled} points.")
    if left.outside:
        remarks.append(f"Left out, outside the map or on its nodata: {left.outside} points.")
    return remarks
