"""What evaluate writes of a run and compare reads: scores, details, panel."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partialseg.atomic import new_file
from partialseg.run import Run

SCORED_SPLITS = ("val", "test")


@dataclass(frozen=True, kw_only=True)
class RunFiles:
    """Where the results of one run lie: headline scores, all details, predictions of the panel."""

    scores: Path
    detail: Path
    panel: Path


def run_files(runs: Path, metrics: Path, item: Run) -> RunFiles:
    """Return where the results of a run lie, as dvc.yaml lays them out."""
    return RunFiles(
        scores=metrics / f"{item.folder}.json",
        detail=metrics / "detail" / f"{item.folder}.json",
        panel=runs / item.folder / "panel.npy",
    )


@dataclass(frozen=True, kw_only=True)
class RunResults:
    """The results of one run.

    detail is the content of the detail file: the run's identity, settings and cost, and for each
    split its scores and its confusion matrix counts[t][p]; panel the predicted class ids of the
    panel's patches, uint8 (K, H, W).
    """

    run: Run
    detail: dict[str, Any]
    panel: NDArray[np.uint8]

    def scores(self) -> dict[str, float]:
        """Return the few numbers that `dvc metrics` shows of a run, best checkpoint."""
        scores = {
            f"{split}_{score}": self.detail[split][score]
            for split in SCORED_SPLITS
            for score in ("miou", "accuracy")
        }
        return scores | {"train_seconds": self.detail["train_seconds"]}

    def confusion(self, split: str) -> NDArray[np.int64]:
        """Return the confusion matrix counts[t, p] of a split, int64 (C, C)."""
        return np.array(self.detail[split]["confusion"], np.int64)


def write_results(files: RunFiles, results: RunResults) -> None:
    """Write the results of a run, the scores last."""
    with new_file(files.panel) as file:
        np.save(file, results.panel)
    write_json(files.detail, results.detail)
    write_json(files.scores, results.scores())


def read_results(files: RunFiles, run: Run) -> RunResults:
    """Read what write_results wrote of a run.

    Raises:
        ValueError: a file is missing, damaged or of another run.
    """
    reading = files.detail
    try:
        detail = json.loads(files.detail.read_text(encoding="utf-8"))
        if not isinstance(detail, dict) or not detail.keys() >= {"seed", *SCORED_SPLITS}:
            raise ValueError("no results of a run")
        if not detail.items() >= run.identity().items():
            raise ValueError(f"not of the run {run.folder}")
        reading = files.panel
        panel = np.load(files.panel, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ValueError(f"{reading}: missing or damaged results of a run: {error}") from error
    return RunResults(run=run, detail=detail, panel=panel)


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a JSON object, indented, as a whole file."""
    with new_file(path) as file:
        file.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")
