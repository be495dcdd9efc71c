"""What evaluate writes of a run and compare reads: scores, confusion matrices, panel."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partialseg.atomic import new_file

SPLITS = ("val", "test")


@dataclass(frozen=True, kw_only=True)
class RunFiles:
    """Where the results of one run lie."""

    scores: Path
    confusion: Path
    panel: Path


@dataclass(frozen=True, kw_only=True)
class RunResults:
    """The results of one run.

    scores is the content of the JSON file; confusion holds counts[t, p], int64 (C, C), by split;
    panel the predicted class ids of the panel's patches, uint8 (K, H, W).
    """

    scores: dict[str, Any]
    confusion: dict[str, NDArray[np.int64]]
    panel: NDArray[np.uint8]

    @property
    def architecture(self) -> str:
        """The architecture of the run."""
        return str(self.scores["architecture"])

    @property
    def fraction(self) -> float:
        """The label fraction of the run."""
        return float(self.scores["label_fraction"])


def write_results(files: RunFiles, results: RunResults) -> None:
    """Write the results of a run, the scores last."""
    matrices = {split: counts.tolist() for split, counts in results.confusion.items()}
    with new_file(files.panel) as file:
        np.save(file, results.panel)
    with new_file(files.confusion) as file:
        file.write_text(json.dumps(matrices) + "\n", encoding="utf-8")
    with new_file(files.scores) as file:
        file.write_text(json.dumps(results.scores, indent=2) + "\n", encoding="utf-8")


def read_results(files: RunFiles) -> RunResults:
    """Read what write_results wrote.

    Raises:
        ValueError: a file is missing or damaged.
    """
    reading = files.scores
    try:
        scores = json.loads(files.scores.read_text(encoding="utf-8"))
        reading = files.confusion
        matrices = json.loads(files.confusion.read_text(encoding="utf-8"))
        confusion = {split: np.array(matrices[split], np.int64) for split in SPLITS}
        reading = files.panel
        panel = np.load(files.panel, allow_pickle=False)
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise ValueError(f"{reading}: missing or damaged results of a run: {error}") from error
    return RunResults(scores=scores, confusion=confusion, panel=panel)
