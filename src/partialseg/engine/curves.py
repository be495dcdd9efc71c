"""The record of an epoch, and the curves of a run: written by DVCLive, read for the figures."""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

FOLDER = "curves"
# Name of a curve in DVCLive (a file under plots/metrics/), and the field of a record it shows.
CURVES = {
    "train/loss": "train_loss",
    "val/loss": "val_loss",
    "val/miou": "val_miou",
    "val/accuracy": "val_accuracy",
}


@dataclass(frozen=True, kw_only=True)
class EpochRecord:
    """The results of one epoch: losses, scores on the whole validation split, and speed.

    images_per_second counts whole patches; crops count by their pixels. loader_share is the share
    of the training time, without scoring, spent waiting for patches; skipped_steps counts the steps
    whose gradient overflowed float16; peak_memory_mib is the peak memory so far of the (first)
    process, on CUDA of its tensors on the device.
    """

    epoch: int
    train_loss: float
    val_loss: float
    val_miou: float
    val_accuracy: float
    val_batch_miou: float
    seconds: float
    images_per_second: float
    loader_share: float
    skipped_steps: int
    peak_memory_mib: float


class CurveWriter:
    """Writes the curves of one run into a folder of its own, created with the first epoch."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._live: Any = None

    def append(self, record: EpochRecord) -> None:
        """Add one epoch."""
        if self._live is None:
            self._live = _open_live(self._folder)
        self._live.step = record.epoch
        for curve, field in CURVES.items():
            self._live.log_metric(curve, getattr(record, field))
        self._live.make_summary()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._live is not None:
            self._live.end()


def _open_live(folder: Path) -> Any:
    # Imported here, since it takes a second and reading curves does not need it.
    from dvclive.live import Live

    # The project has its own dvc.yaml, and `dvc exp run` saves its experiments.
    return Live(str(folder), dvcyaml=False, save_dvc_exp=False, report=None)


def read_curve(folder: Path, curve: str) -> tuple[list[int], list[float]]:
    """Return epochs and values of one of CURVES.

    Raises:
        ValueError: the curve is missing or damaged.
    """
    file = (folder / "plots" / "metrics" / curve).with_suffix(".tsv")
    name = curve.rsplit("/", 1)[-1]
    try:
        with file.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream, delimiter="\t"))
        if not rows:
            raise ValueError("no epoch")
        return [int(row["step"]) for row in rows], [float(row[name]) for row in rows]
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{file}: missing or damaged curve: {error}") from error
