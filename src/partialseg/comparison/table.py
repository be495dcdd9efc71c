"""The comparison table; on LandCover.ai beside the figures of the published report.

Also how any table is written: as Markdown, CSV and JSON.
"""

import csv
import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any

from tabulate import tabulate

from partialseg.comparison.cells import by_cell, mean_and_std
from partialseg.core.files import new_file
from partialseg.evaluation.results import WITHOUT_TEST, RunResults, common_shown_split
from partialseg.evaluation.runs import Cell, architecture_name, percent, share

DATASET = "landcover_ai"
RECIPE = "reproduction"
LABELLING = "random"
TEST, VALIDATION = "Test mIoU", "Validation mIoU"  # headings
SPLIT = "main"  # the official one, as params.yaml has it
Row = dict[str, Any]
Scores = Mapping[str, Callable[[dict[str, Any]], float]]
LABELS = ("labelled_pixels", "clicks", "annotation_seconds")
CURVE_SCORES: Scores = {
    "final_val_miou": itemgetter("final_val_miou"),
    "best_val_miou": itemgetter("best_val_miou"),
    "final_val_accuracy": itemgetter("final_val_accuracy"),
}
MORE: Scores = {
    "train_seconds": itemgetter("train_seconds"),
    "final_val_batch_miou": itemgetter("final_val_batch_miou"),
    "best_val_batch_miou": itemgetter("best_val_batch_miou"),
}


@dataclass(frozen=True, kw_only=True)
class ReportedRun:
    """What the report gives for one run; mIoU by batches, seconds of training."""

    final_batch_miou: float
    best_batch_miou: float
    final_accuracy: float
    train_seconds: int


REPORTED = {
    ("unet", 0.10): ReportedRun(
        final_batch_miou=0.4775, best_batch_miou=0.4887, final_accuracy=0.8640, train_seconds=1080
    ),
    ("unet", 0.15): ReportedRun(
        final_batch_miou=0.4764, best_batch_miou=0.4902, final_accuracy=0.8605, train_seconds=1080
    ),
    ("unetplusplus", 0.10): ReportedRun(
        final_batch_miou=0.5054, best_batch_miou=0.5054, final_accuracy=0.8680, train_seconds=2100
    ),
    ("unetplusplus", 0.15): ReportedRun(
        final_batch_miou=0.4630, best_batch_miou=0.4705, final_accuracy=0.8398, train_seconds=2100
    ),
}


def table_rows(dataset: str, runs: Sequence[RunResults]) -> list[Row]:
    """Return one row per cell; for LandCover.ai with the report's figures (None: not reported).

    Scores are means over the seeds, with their sample standard deviation under the same name and
    '_std' (None for one seed). labelled_pixels is the share of the training pixels with a label,
    clicks and annotation_seconds what they cost a person by an estimate (None: unknown), as means
    too. The report's are those of its own recipe, labelling and split. Without a test split there
    are val_miou and val_accuracy of the kept epoch in place of test_miou and test_accuracy.

    Raises:
        ValueError: some runs have a test split, and others none.
    """
    scores = _scores_of(common_shown_split(runs))
    rows = [_row(cell, of_cell, scores) for cell, of_cell in by_cell(runs).items()]
    if dataset == DATASET:
        rows = [row | _reported(row) for row in rows]
    return rows


def write_table(rows: Sequence[Row], majority: tuple[str, float], folder: Path) -> None:
    """Write table.md, table.csv and table.json into a folder.

    majority names the largest class and gives the mIoU of predicting it everywhere, under the split
    of the first row.
    """
    write_rows(rows, markdown(rows, majority), folder / "table")


def write_rows(rows: Sequence[Row], text: str, path: Path) -> None:
    """Write a table to path.json, path.csv and, as the given Markdown, path.md.

    The CSV is empty, without a header, where there are no rows.
    """
    with new_file(path.with_suffix(".json")) as file:
        content = json.dumps(list(rows), indent=2, allow_nan=False)
        file.write_text(content + "\n", encoding="utf-8")
    with new_file(path.with_suffix(".csv")) as file, file.open("w", newline="") as stream:
        if rows:
            lines = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
            lines.writeheader()
            lines.writerows(rows)
    with new_file(path.with_suffix(".md")) as file:
        file.write_text(text, encoding="utf-8")


def markdown(rows: Sequence[Row], majority: tuple[str, float]) -> str:
    """Return the table as Markdown, and below it the scores beside those of the report."""
    majority_class, majority_miou = majority
    ours = [_split_of(row, rows) | _shown(row, _several(rows, "labelling")) for row in rows]
    _, heading = _kept_miou(rows[0])
    trivial = {"Architecture": f"all {majority_class}", heading: _score(majority_miou)}
    trivial |= _split_of(rows[0], rows)
    ours.append({key: trivial.get(key, "") for key in ours[0]})
    parts = [github_table(ours)]
    if heading != TEST:
        parts.append(f"{WITHOUT_TEST} {heading} is that of the epoch that is kept.")
    seeds = rows[0]["seeds"]
    if len(seeds) > 1:
        parts.append(f"Mean ± standard deviation over the seeds {', '.join(map(str, seeds))}.")
    beside = [_beside_report(row) for row in rows if _has_report(row)]
    if beside:
        parts += [
            "mIoU as the published report takes it, a mean over batches of the per-batch mIoU "
            f"(ours, recipe {RECIPE} / report):",
            github_table(beside),
        ]
    return "\n\n".join(parts) + "\n"


def _kept_miou(row: Row) -> tuple[str, str]:
    """Return the key of the mIoU that the table is about, and the heading of its column."""
    return ("test_miou", TEST) if "test_miou" in row else ("val_miou", VALIDATION)


def _split_of(row: Row, rows: Sequence[Row]) -> Row:
    """Return the column that tells splits apart, where there are several."""
    return {"Split": row["split"]} if _several(rows, "split") else {}


def _several(rows: Sequence[Row], axis: str) -> bool:
    return len({row[axis] for row in rows}) > 1


def _labels_of(row: Row) -> Row:
    """Return the columns that tell labellings apart."""
    seconds = row["annotation_seconds"]
    return {
        "Labels": row["labelling"],
        "Labelled": share(row["labelled_pixels"]),
        "Annotation (estimate)": "-" if seconds is None else f"{seconds / 3600:.2f} h",
    }


def _shown(row: Row, labellings: bool) -> Row:
    labels = _labels_of(row) if labellings else {}
    score, heading = _kept_miou(row)
    return {
        "Label fraction": percent(row["label_fraction"]),
        **labels,
        "Architecture": architecture_name(row["architecture"]),
        "Recipe": row["recipe"],
        "Final val mIoU": _spread(row, "final_val_miou"),
        "Best val mIoU": _spread(row, "best_val_miou"),
        "Final val accuracy": _spread(row, "final_val_accuracy"),
        heading: _spread(row, score),
        "Training time": _duration(row["train_seconds"]),
        "Parameters": f"{row['parameters'] / 1e6:.2f} M",
    }


def _scores_of(split: str) -> Scores:
    """Return how each score of a row is found, with those of the kept epoch on the split."""
    kept: Scores = {
        f"{split}_miou": lambda detail: detail[split]["miou"],
        f"{split}_accuracy": lambda detail: detail[split]["accuracy"],
    }
    return {**CURVE_SCORES, **kept, **MORE}


def _row(cell: Cell, runs: Sequence[RunResults], scores: Scores) -> Row:
    row: Row = cell.identity() | {"seeds": [item.run.seed for item in runs]}
    for score, find in scores.items():
        mean, std = mean_and_std([find(item.detail) for item in runs])
        row |= {score: mean, f"{score}_std": std}
    row |= {key: _mean([item.detail[key] for item in runs]) for key in LABELS}
    return row | {"parameters": runs[0].detail["parameters"]}


def _mean(values: Sequence[float | None]) -> float | None:
    """Return the mean of the known values; None where there is none."""
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if known else None


def _reported(row: Row) -> Row:
    run = REPORTED.get((row["architecture"], row["label_fraction"]))
    run = run if _is_reported(row) else None
    return {
        "report_final_batch_miou": run and run.final_batch_miou,
        "report_best_batch_miou": run and run.best_batch_miou,
        "report_final_accuracy": run and run.final_accuracy,
        "report_train_seconds": run and run.train_seconds,
    }


def _has_report(row: Row) -> bool:
    return _is_reported(row) and "report_best_batch_miou" in row


def _is_reported(row: Row) -> bool:
    """Whether the report trained as the row did."""
    return (row["recipe"], row["labelling"], row["split"]) == (RECIPE, LABELLING, SPLIT)


def _beside_report(row: Row) -> Row:
    def pair(ours: str, report: str) -> str:
        return f"{_spread(row, ours)} / {_score(row[report])}"

    return {
        "Label fraction": percent(row["label_fraction"]),
        "Architecture": architecture_name(row["architecture"]),
        "Final mIoU": pair("final_val_batch_miou", "report_final_batch_miou"),
        "Best mIoU": pair("best_val_batch_miou", "report_best_batch_miou"),
        "Final accuracy": pair("final_val_accuracy", "report_final_accuracy"),
        "Training time": f"{_duration(row['train_seconds'])} / "
        f"{_duration(row['report_train_seconds'])}",
    }


def github_table(rows: Sequence[Row]) -> str:
    """Return rows of texts as a table of GitHub's Markdown, headed by their keys."""
    # disable_numparse: tabulate would turn 0.5000 into 0.5.
    return tabulate(rows, headers="keys", tablefmt="github", disable_numparse=True)


def _spread(row: Row, score: str) -> str:
    std = row[f"{score}_std"]
    return _score(row[score]) + ("" if std is None else f" ± {_score(std)}")


def _score(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"
