"""The results of networks on another data set: one JSON file a pair of data sets and split."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from partialseg.core.files import write_json
from partialseg.evaluation.runs import Cell

MIN_PATCHES = 10  # with fewer test patches a score says too little to be compared
KEYS = {
    *("trained_on", "tested_on", "split", "tested_split", "classes", "left_out", "pixel_size"),
    *("own", "other", "runs"),
}


@dataclass(frozen=True, kw_only=True)
class TransferResults:
    """What networks of one data set scored on another one, the content of the file.

    detail has both data sets; the common classes that are scored, and those that one of the two
    lacks; the pixel sizes; for the own and the other test patches their number, pixels and the
    majority answer; and for each run its identity, and its scores on both, in the same classes.
    """

    detail: dict[str, Any]

    @property
    def pair(self) -> tuple[str, str]:
        """The data sets: trained on, tested on."""
        return self.detail["trained_on"], self.detail["tested_on"]

    def ranked(self, side: str) -> bool:
        """Whether the test patches of 'own' or 'other' are enough to compare scores."""
        return bool(self.detail[side]["patches"] >= MIN_PATCHES)

    def runs_of_cells(self) -> dict[Cell, list[dict[str, Any]]]:
        """Return the runs of each cell, which differ in their seed."""
        cells: dict[Cell, list[dict[str, Any]]] = {}
        for item in self.detail["runs"]:
            cell = Cell(
                split=item["split"],
                fraction=str(item["label_fraction"]),
                labelling=item["labelling"],
                architecture=item["architecture"],
                recipe=item["recipe"],
            )
            cells.setdefault(cell, []).append(item)
        return cells


def without_test_split(results: TransferResults) -> bool:
    """Return whether the scores on the own data set are those of its validation patches."""
    # Files written before there was this key are of data sets with a test split.
    return bool(results.detail["own"].get("scored", "test") == "val")


def write_transfer(results: TransferResults, file: Path) -> None:
    """Write the results as JSON."""
    assert results.detail.keys() == KEYS
    write_json(file, results.detail)


def read_transfer(file: Path) -> TransferResults:
    """Read results.

    Raises:
        ValueError: the file is missing, damaged, or of an earlier version.
    """
    try:
        detail = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(detail, dict) or detail.keys() != KEYS:
            raise ValueError("no results on another data set, or of an earlier version")
    except (OSError, ValueError) as error:
        raise ValueError(f"{file}: missing or damaged results: {error}") from error
    return TransferResults(detail=detail)


def listed_transfers(folder: Path, datasets: list[str]) -> list[TransferResults]:
    """Read the results in a folder of which both data sets are listed, in the order of the list.

    They lie in folder/<trained on>/<tested on>/<split>.json. A pair that was not run has none.

    Raises:
        ValueError: a file is damaged.
    """
    return [
        read_transfer(file)
        for trained in datasets
        for tested in datasets
        for file in sorted((folder / trained / tested).glob("*.json"))
    ]
