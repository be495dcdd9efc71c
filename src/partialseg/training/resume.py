"""Resuming an interrupted training: its checkpoints, and the mark by which they are trusted.

DVC removes a stage's outputs before it runs again, and `persist: true`, which would keep them,
excludes the stage from DVC's run cache. So the checkpoints of a training lie in a folder that no
stage lists as an output, and are copied to its outputs once it is finished.
"""

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from filelock import FileLock, Timeout

from partialseg.core.files import new_file
from partialseg.engine.checkpoint import BEST, LAST, Checkpoint, load_checkpoint, save_checkpoint

# Their versions belong to the mark: another one may compute other numbers.
LIBRARIES = ("torch", "numpy", "albumentations", "cv2")
CODE = ("src", "params.yaml")  # a change here marks the commit with +; committed results do not


class ResumeFolder:
    """The checkpoints of one training; a lock lets one process at a time use them.

    Raises:
        ValueError: another process uses them.
    """

    def __init__(self, folder: Path, mark: str) -> None:
        self._folder = folder
        self._mark = mark
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(folder / "lock")
        try:
            self._lock.acquire(blocking=False)
        except Timeout:
            raise ValueError(
                f"{folder}: another process is training this run; wait for it or end it"
            ) from None

    def load(self) -> Checkpoint | None:
        """Return the last checkpoint of this training; of another one, say why and delete it."""
        file = self._folder / LAST
        if not file.exists():
            return None
        try:
            last, best = load_checkpoint(file), load_checkpoint(self._folder / BEST)
            if {mark_of(last), mark_of(best)} != {self._mark}:
                raise ValueError(f"{file}: of another configuration, code or data")
        except ValueError as error:
            self.begin_again(error)
            return None
        return last

    def begin_again(self, why: object) -> None:
        """Say why the checkpoints are of no use, and delete them."""
        print(f"{why}; training starts from the beginning", flush=True)
        for name in (LAST, BEST):
            (self._folder / name).unlink(missing_ok=True)

    def save(self, checkpoint: Checkpoint, best: bool) -> None:
        """Write the checkpoint of an epoch, first as the best one if it is that."""
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


def signed(mark: str, way: str) -> str:
    """Return the fingerprint of the checkpoints of a training that is computed in this way."""
    return f"{mark} {way}"


def mark_of(checkpoint: Checkpoint) -> str:
    """Return what a checkpoint was trained on and how, but for the way of computing."""
    return checkpoint.fingerprint.partition(" ")[0]


def way_of(checkpoint: Checkpoint) -> str:
    """Return the way in which a checkpoint was computed."""
    return checkpoint.fingerprint.partition(" ")[2]


def digest_of(settings: Mapping[str, Any], folders: Mapping[str, Path]) -> str:
    """Return a digest of settings (plain types), code, versions and the content of folders.

    The code is that of all modules of partialseg imported so far, and of the script.
    """
    digest = hashlib.blake2b(digest_size=16)
    digest.update(json.dumps(settings, sort_keys=True, default=str).encode())
    for library in LIBRARIES:
        version = getattr(sys.modules.get(library), "__version__", "none")
        digest.update(f"{library} {version}\n".encode())
    for name, file in [*_code(), *_content(folders)]:
        with file.open("rb") as stream:
            # Reading the patches here also warms the page cache for the first epoch.
            content = hashlib.file_digest(stream, "blake2b").hexdigest()
        digest.update(f"{name} {content}\n".encode())
    return digest.hexdigest()


def _code() -> Iterator[tuple[str, Path]]:
    for name, module in sorted(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file and (name == "__main__" or name.split(".")[0] == "partialseg"):
            yield name, Path(file)


def _content(folders: Mapping[str, Path]) -> Iterator[tuple[str, Path]]:
    for name, folder in sorted(folders.items()):
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                yield f"{name}/{file.relative_to(folder).as_posix()}", file


def commit_of(repository: Path) -> str:
    """Return the commit hash of a work tree, with '+' where its code has changed since.

    It is '' without git or outside a repository, for instance in a copy of the files.
    """
    try:
        commit = _git(repository, "rev-parse", "HEAD")
        changed = _git(repository, "status", "--porcelain", "--", *CODE)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return commit + ("+" if changed else "")


def _git(repository: Path, *arguments: str) -> str:
    command = ["git", "-C", str(repository), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
