"""What a round of acquisition bought: acquisition.json in its label store."""

from pathlib import Path

from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass

from partialseg.acquisition.params import Strategy, Unit
from partialseg.params import STRICT

SUMMARY = "acquisition.json"


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Acquired:
    """How the new pixels of a label store were chosen, and how many they are.

    budget is the number of new pixels that the label fraction allows, bought that of those chosen:
    counts of each class, and without_truth, which are spent although nobody knows their class.
    region is the side of the windows in px, 0 where pixels were chosen one by one. labelled counts
    the pixels before.
    """

    strategy: Strategy
    unit: Unit
    region: int
    fraction: float
    labelled: int
    budget: int
    bought: int
    without_truth: int
    counts: dict[str, int]


_SUMMARY = TypeAdapter(Acquired)


def write_acquired(folder: Path, acquired: Acquired) -> None:
    """Write the summary into a label store."""
    (folder / SUMMARY).write_bytes(_SUMMARY.dump_json(acquired, indent=1))


def read_acquired(folder: Path) -> Acquired:
    """Read what write_acquired wrote.

    Raises:
        ValueError: the folder holds no such summary.
    """
    try:
        return _SUMMARY.validate_json((folder / SUMMARY).read_bytes())
    except (OSError, ValueError) as error:
        raise ValueError(f"{folder}: no usable acquisition summary: {error}") from error
