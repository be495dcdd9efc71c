"""The tables on single classes, borders, objects, calibration and orthophotos.

They are of the split shown, and have means over the seeds.
"""

from collections.abc import Callable, Iterable, Sequence

from partialseg.evaluation.results import SPLIT_NAMES, shown_scores, shown_split
from partialseg.evaluation.runs import Cell, cell_names
from partialseg.report.tables import (
    CellDetails,
    Detail,
    Entry,
    Table,
    number,
    over_seeds,
    text,
)

Scores = Callable[[Detail], dict[str, float | None]]
WEIGHTED = "Weighted by pixels"


def iou_table(cells: CellDetails, class_names: Sequence[str]) -> Table:
    """Return the IoU of each class, their mean, and that weighted by the classes' pixels."""
    return _class_table(
        f"IoU of the classes ({_scored(cells)})",
        cells,
        [*class_names, "Mean", WEIGHTED],
        lambda detail: {
            **shown_scores(detail)["iou"],
            "Mean": shown_scores(detail)["miou"],
            WEIGHTED: shown_scores(detail)["fw_iou"],
        },
    )


def boundary_iou_table(cells: CellDetails, class_names: Sequence[str]) -> Table:
    """Return the boundary IoU of each class (Cheng et al. 2021)."""
    distance = shown_scores(_first(cells))["boundary"]["iou"]["distance_px"]
    return _class_table(
        f"Boundary IoU of the classes ({_scored(cells)}), within {distance} px of a border",
        cells,
        [*class_names, "Mean"],
        lambda detail: {
            **shown_scores(detail)["boundary"]["iou"]["classes"],
            "Mean": shown_scores(detail)["boundary"]["iou"]["mean"],
        },
    )


def boundary_f1_table(cells: CellDetails) -> Table:
    """Return the boundary F1 at each tolerance, as a mean over the classes."""
    tolerances = shown_scores(_first(cells))["boundary"]["f1"]
    return _table(
        f"Boundary F1 ({_scored(cells)}), mean over the classes, by tolerance",
        [f"{item['tolerance']:g} {item['unit']}" for item in tolerances],
        cells,
        lambda details: [
            over_seeds(shown_scores(detail)["boundary"]["f1"][place]["mean"] for detail in details)
            for place in range(len(tolerances))
        ],
    )


def objects_table(cells: CellDetails) -> Table | None:
    """Return the share of the objects that is found, by area; None where no class has objects."""
    objects = shown_scores(_first(cells))["objects"]
    if objects is None:
        return None
    unit = {"m2": "m²"}.get(objects["unit"], objects["unit"])
    return _table(
        f"Share of the objects of class {objects['class']} that is found ({_scored(cells)}): "
        f"at least {100 * objects['overlap']:g} % of it predicted, by area",
        [
            _area(band["from"], band["to"], unit) + f" (n = {band['objects']})"
            for band in objects["areas"]
        ],
        cells,
        lambda details: [
            over_seeds(
                shown_scores(detail)["objects"]["areas"][place]["recall"] for detail in details
            )
            for place in range(len(objects["areas"]))
        ],
    )


def calibration_table(cells: CellDetails) -> Table:
    """Return the calibration error and the loss."""
    return _table(
        f"Calibration ({_scored(cells)})",
        ["Expected calibration error", "Cross-entropy", "Accuracy"],
        cells,
        lambda details: [
            over_seeds(shown_scores(detail)["calibration"]["ece"] for detail in details),
            over_seeds(shown_scores(detail)["loss"] for detail in details),
            over_seeds(shown_scores(detail)["accuracy"] for detail in details),
        ],
    )


def orthophoto_table(cells: CellDetails) -> Table:
    """Return the mIoU of each orthophoto of the split shown, a column a cell."""
    names = cell_names(list(cells))
    patches = {
        name: item["patches"] for name, item in shown_scores(_first(cells))["orthophotos"].items()
    }
    return Table(
        caption=f"mIoU of the orthophotos ({_scored(cells)})",
        headings=["Orthophoto", "Patches", *names.values()],
        rows=[
            [
                text(name),
                number(count, "d"),
                *(
                    over_seeds(
                        shown_scores(detail)["orthophotos"][name]["miou"] for detail in details
                    )
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


def _scored(cells: CellDetails) -> str:
    return SPLIT_NAMES[shown_split(_first(cells))]


def _area(low: float, high: float | None, unit: str) -> str:
    return f"≥ {low:g} {unit}" if high is None else f"{low:g}–{high:g} {unit}"
