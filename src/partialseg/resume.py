"""Where a training that was interrupted goes on: a folder that no stage lists as its output.

DVC removes a stage's outputs before it runs again, and `persist: true`, which would keep them,
takes the stage out of DVC's run cache. So the checkpoints of a training lie here until it is
over, and are copied to its outputs then.
"""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Self

from filelock import FileLock, Timeout

from partialseg.atomic import new_file
from partialseg.checkpoint import BEST, LAST, Checkpoint, load_checkpoint, save_checkpoint


class ResumeFolder:
    """The checkpoints of one training; one process at a time may have it.

    Raises:
        ValueError: another process has it.
    """

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self._folder = folder
        self._fingerprint = fingerprint
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(folder / "lock")
        try:
            self._lock.acquire(blocking=False)
        except Timeout:
            raise ValueError(
                f"{folder}: another process is training this run; wait for it or end it"
            ) from None

    def load(self) -> Checkpoint | None:
        """Return the last checkpoint of this very training; else say why not and remove it."""
        file = self._folder / LAST
        if not file.exists():
            return None
        try:
            last, best = load_checkpoint(file), load_checkpoint(self._folder / BEST)
            if {last.fingerprint, best.fingerprint} != {self._fingerprint}:
                raise ValueError(f"{file}: of another configuration, code or data")
        except ValueError as error:
            print(f"{error}; training starts from the beginning", flush=True)
            for name in (LAST, BEST):
                (self._folder / name).unlink(missing_ok=True)
            return None
        return last

    def save(self, checkpoint: Checkpoint, best: bool) -> None:
        """Write the checkpoint of an epoch: first as the best, if it is."""
        if best:
            save_checkpoint(replace(checkpoint, state=None), self._folder / BEST)
        save_checkpoint(checkpoint, self._folder / LAST)

    def publish(self, last: Checkpoint, out: Path) -> Checkpoint:
        """Copy the checkpoints of a finished training to its outputs, the last without state."""
        last = replace(last, state=None)
        save_checkpoint(last, self._folder / LAST)
        for name in (BEST, LAST):
            with new_file(out / name) as part:
                shutil.copyfile(self._folder / name, part)
        return last

    def __str__(self) -> str:
        return str(self._folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._lock.release()
