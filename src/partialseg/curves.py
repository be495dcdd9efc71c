"""The training curves of a run: written by DVCLive, read for the figures."""

import csv
from pathlib import Path
from typing import Any, Self

from partialseg.epoch_record import EpochRecord

FOLDER = "curves"
# Name of a curve in DVCLive (a file under plots/metrics/), and the field of a record it shows.
CURVES = {
    "train/loss": "train_loss",
    "val/loss": "val_loss",
    "val/miou": "val_miou",
    "val/accuracy": "val_accuracy",
}


class CurveWriter:
    """Writes the curves of one run into a folder of its own, which begins with the first epoch."""

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
    # Imported here: reading curves needs no DVCLive, and its import takes a second.
    from dvclive.live import Live

    # dvc.yaml is ours, and the pipeline's experiments are saved by `dvc exp run`.
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
