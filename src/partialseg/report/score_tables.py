"""The tables that compare cells: scores, differences, splits, cost.

Scores and differences are those that compare wrote as JSON.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from partialseg.evaluation.results import SPLIT_NAMES, shown_scores, shown_split
from partialseg.evaluation.runs import AXES, Cell, cell_names
from partialseg.report.tables import (
    NONE,
    CellDetails,
    Detail,
    Entry,
    Table,
    number,
    over_seeds,
    shown,
    spread,
    text,
)

Row = Mapping[str, Any]
ALIKE = {"split": "split", "labelling": "labels drawn as", "recipe": "recipe"}  # by axis
LABELLED = ("Labelled (%)", "Annotation (h, estimate)")
KEPT_SCORES = {
    "test": {"test_miou": "Test mIoU", "test_accuracy": "Test accuracy"},
    "validation": {"val_miou": "Validation mIoU", "val_accuracy": "Validation accuracy"},
}
CURVE_SCORES = {
    "final_val_miou": "Final val mIoU",
    "best_val_miou": "Best val mIoU",
    "final_val_accuracy": "Final val accuracy",
}
DIFFERENCE_KEYS = {
    *("axis", "compared", "where", "difference", "low", "high"),
    *("jackknife_low", "jackknife_high", "verdict"),
}


def row_keys(scored: str) -> set[str]:
    """Return the keys that each row of the table must have, by what was scored."""
    scores = KEPT_SCORES[scored] | CURVE_SCORES
    return {
        *(*AXES, "label_fraction", "seeds", "labelled_pixels", "annotation_seconds"),
        *(*scores, *(f"{score}_std" for score in scores)),
    } - {"fraction"}


def read_rows(file: Path, keys: set[str]) -> list[Row]:
    """Read a list of JSON objects that each have the given keys.

    Raises:
        ValueError: the file is missing or damaged, or an object lacks a key.
    """
    try:
        rows = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(rows, list):
            raise ValueError("no list of rows")
        for place, row in enumerate(rows):
            missing = sorted(keys - set(row))
            if missing:
                raise ValueError(f"row {place} lacks {', '.join(missing)}")
    except (OSError, ValueError, TypeError) as error:
        raise ValueError(f"{file}: missing or damaged table: {error}") from error
    return rows


def comparison_table(rows: Sequence[Row], majority_class: str, majority_miou: float) -> Table:
    """Return the scores of all cells, and below them that of the trivial answer.

    Of several labellings it also says how much they label, and what that costs by an estimate.
    """
    cells = [_cell(row) for row in rows]
    names = cell_names(cells)
    several = len({cell.labelling for cell in cells}) > 1
    kept = KEPT_SCORES["test" if "test_miou" in rows[0] else "validation"]
    scores = kept | CURVE_SCORES
    headings = ["Cell", *scores.values(), *(LABELLED if several else ())]
    trivial = {
        "Cell": text(f"all {majority_class}"),
        next(iter(kept.values())): number(majority_miou),
    }
    return Table(
        caption=f"Scores of the cells{_alike(cells)}",
        headings=headings,
        rows=[
            [
                text(names[cell]),
                *(spread(row[score], row[f"{score}_std"]) for score in scores),
                *(_labelled(row) if several else ()),
            ]
            for row, cell in zip(rows, cells, strict=True)
        ],
        footer=[[trivial.get(heading, text("")) for heading in headings]],
    )


def differences_table(rows: Sequence[Row], scored: str = "test") -> Table:
    """Return the differences of mIoU with their intervals, what is said of them first."""
    return Table(
        caption=f"Differences of {scored} mIoU, with 95 % confidence intervals",
        headings=["Compared", "Difference", "Verdict", "Bootstrap", "Jackknife"],
        rows=[
            [
                text(f"{row['compared']}: {row['where']}"),
                number(row["difference"], "+.3f"),
                text(row["verdict"]),
                _interval(row["low"], row["high"]),
                _interval(row["jackknife_low"], row["jackknife_high"]),
            ]
            for row in rows
        ],
    )


def leakage_table(cells: CellDetails) -> Table | None:
    """Return the mIoU of each split side by side, and what it differs from the first.

    None where there is one split.
    """
    splits = list(dict.fromkeys(cell.split for cell in cells))
    if len(splits) < 2:
        return None
    first, *others = splits
    names = cell_names([cell for cell in cells if cell.split == first])
    scored = SPLIT_NAMES[shown_split(next(iter(cells.values()))[0])].capitalize()
    rows = []
    for cell, name in names.items():
        first_score, *others_scores = (
            over_seeds(map(_miou, cells.get(replace(cell, split=split), ()))) for split in splits
        )
        rows.append(
            [
                text(name),
                *(first_score, *others_scores),
                *(number(_minus(s.value, first_score.value), "+.3f") for s in others_scores),
            ]
        )
    return Table(
        caption=f"{scored} mIoU by split{_alike(list(cells))}",
        headings=["Cell", *splits, *(f"{other} − {first}" for other in others)],
        rows=rows,
    )


def cost_table(cells: CellDetails) -> Table:
    """Return what the training of each cell costs, and what its network weighs."""
    names = cell_names(list(cells))
    return Table(
        caption="Cost of training and prediction",
        headings=[
            *("Cell", "Training time (s)", "Epochs", "Parameters (M)", "GFLOP a patch"),
            *("Peak memory (MiB)", "Parts of a step", "Compute"),
        ],
        rows=[
            [
                text(names[cell]),
                over_seeds(_each("train_seconds", details), ".1f"),
                over_seeds(_each("epochs", details), ".3g"),
                number(details[0]["parameters"] / 1e6, ".2f"),
                number(details[0]["gflop"], ".2f"),
                over_seeds(_each("peak_memory_mib", details), ".0f"),
                over_seeds(_each("accumulation", details), ".3g"),
                text("; ".join(dict.fromkeys(detail["compute"] for detail in details))),
            ]
            for cell, details in cells.items()
        ],
    )


def _each(key: str, details: Sequence[Detail]) -> list[float | None]:
    return [detail[key] for detail in details]


def _miou(detail: Detail) -> float:
    return float(shown_scores(detail)["miou"])


def _minus(value: float | None, other: float | None) -> float | None:
    return None if value is None or other is None else value - other


def _cell(row: Row) -> Cell:
    return Cell(
        split=row["split"],
        fraction=str(row["label_fraction"]),
        labelling=row["labelling"],
        architecture=row["architecture"],
        recipe=row["recipe"],
    )


def _alike(cells: Sequence[Cell]) -> str:
    """Return what the names of the cells leave out: ' (split main, labels drawn as random)'."""
    values = {name: {getattr(cell, axis) for cell in cells} for axis, name in ALIKE.items()}
    alike = [f"{name} {min(found)}" for name, found in values.items() if len(found) == 1]
    return f" ({', '.join(alike)})" if alike else ""


def _labelled(row: Row) -> list[Entry]:
    seconds = row["annotation_seconds"]
    return [
        number(100 * row["labelled_pixels"], ".3g"),
        number(None if seconds is None else seconds / 3600, ".2f"),
    ]


def _interval(low: float | None, high: float | None) -> Entry:
    if low is None or high is None:
        return Entry(NONE, None, True)
    return Entry(f"{shown(low, '+.3f')} to {shown(high, '+.3f')}", low, True)
