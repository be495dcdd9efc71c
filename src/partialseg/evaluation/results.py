"""The results of a run: scores, details, and the predictions that figures show."""

import json
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partialseg.core.files import new_file, write_json
from partialseg.evaluation.runs import Run, RunFiles

SCORED_SPLITS = ("val", "test")
SPLIT_NAMES: Mapping[str, str] = {"val": "validation", "test": "test"}
WITHOUT_TEST = (
    "There is no test split: all scores are of the validation split. Epochs and runs are chosen by "
    "it, too, so its scores are rather too high."
)
# What reading a JSON file or an .npz raises on damaged bytes or other content.
DAMAGED = (
    OSError,
    ValueError,
    EOFError,
    KeyError,
    IndexError,
    TypeError,
    zipfile.BadZipFile,
    zlib.error,
)
# Metrics that are measured, and so differ between equal trainings.
MEASURED = frozenset({"train_seconds", "peak_memory_mib"})


@dataclass(frozen=True, kw_only=True)
class Results:
    """The results of scoring a run.

    detail is the content of the detail file: the run's identity, settings and cost, and for each
    scored split its scores and its confusion matrix counts[t][p]; predictions the predicted class
    ids, uint8 (H, W), of the patches that figures show, by patch name.
    """

    detail: dict[str, Any]
    predictions: Mapping[str, NDArray[np.uint8]]

    def scores(self) -> dict[str, float]:
        """Return the few numbers of the best checkpoint that `dvc metrics` shows."""
        scores = {
            f"{split}_{score}": self.detail[split][score]
            for split in scored_splits(self.detail)
            for score in ("miou", "accuracy")
        }
        return scores | {"train_seconds": self.detail["train_seconds"]}

    def confusion(self, split: str) -> NDArray[np.int64]:
        """Return the confusion matrix counts[t, p] of a split, int64 (C, C)."""
        return np.array(self.detail[split]["confusion"], np.int64)


@dataclass(frozen=True, kw_only=True)
class RunResults(Results):
    """Results that were read, with the run that they are of."""

    run: Run


def write_results(files: RunFiles, results: Results) -> None:
    """Write the results of a run, the scores last."""
    with new_file(files.predictions) as file:
        # Not one array per name: the name `file` is an argument of savez_compressed.
        names, ids = list(results.predictions), list(results.predictions.values())
        np.savez_compressed(file, names=np.array(names, np.str_), ids=np.array(ids, np.uint8))
    write_json(files.detail, results.detail)
    write_json(files.scores, results.scores())


def read_results(files: RunFiles, run: Run) -> RunResults:
    """Read the results of a run.

    Raises:
        ValueError: a file is missing, damaged or of another run.
    """
    reading = files.detail
    try:
        detail = json.loads(files.detail.read_text(encoding="utf-8"))
        if not isinstance(detail, dict) or not detail.keys() >= {"seed", "val"}:
            raise ValueError("no results of a run")
        if not detail.items() >= run.identity().items():
            raise ValueError(f"not of the run {run.path}")
        reading = files.predictions
        with np.load(files.predictions, allow_pickle=False) as arrays:
            predictions = dict(zip(arrays["names"].tolist(), arrays["ids"], strict=True))
    except DAMAGED as error:
        raise ValueError(f"{reading}: missing or damaged results of a run: {error}") from error
    return RunResults(run=run, detail=detail, predictions=predictions)


def scored_splits(detail: Mapping[str, Any]) -> tuple[str, ...]:
    """Return which of SCORED_SPLITS the details of a run hold: a data set may have no test."""
    return tuple(split for split in SCORED_SPLITS if split in detail)


def shown_split(detail: Mapping[str, Any]) -> str:
    """Return the split whose scores tables and figures show: 'test', or 'val' where it is alone."""
    return scored_splits(detail)[-1]


def shown_scores(detail: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the scores on the split that tables and figures show."""
    scores: Mapping[str, Any] = detail[shown_split(detail)]
    return scores


def common_shown_split(runs: Sequence[RunResults]) -> str:
    """Return the split that tables and figures of the runs show.

    Raises:
        ValueError: some runs were scored on a test split, and others have none.
    """
    first = runs[0]
    split = shown_split(first.detail)
    for item in runs:
        if shown_split(item.detail) != split:
            raise ValueError(
                f"run {item.run.path}: scores on {SPLIT_NAMES[shown_split(item.detail)]} cannot "
                f"stand beside those of {first.run.path} on {SPLIT_NAMES[split]}"
            )
    return split


def is_measured(key: str) -> bool:
    """Whether a dotted key, 'unet.tuned.train_seconds', ends in the name of a measured metric."""
    return key.rpartition(".")[2] in MEASURED
