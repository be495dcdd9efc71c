"""Writers of files and folders that get their final name only once they are complete."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Yield an empty sibling folder that replaces `folder` when the block succeeds.

    After an exception nothing is left behind and an earlier `folder` is as it was.

    Raises:
        OSError: it cannot be written (a full disk); the message names the folder.
    """
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        with _named(folder):
            part.mkdir(parents=True)
            yield part
            shutil.rmtree(folder, ignore_errors=True)
            os.replace(part, folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


@contextmanager
def new_file(file: Path) -> Iterator[Path]:
    """Yield a sibling path that replaces `file` when the block succeeds.

    The suffix is kept, since writers choose the format by it. After an exception nothing is left
    behind and an earlier `file` is as it was.

    Raises:
        OSError: it cannot be written (a full disk); the message names the file.
    """
    part = file.with_name(f".{file.stem}.part{file.suffix}")
    try:
        with _named(file):
            file.parent.mkdir(parents=True, exist_ok=True)
            yield part
            os.replace(part, file)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Add the path to an OSError without one, such as write() raises on a full disk."""
    try:
        yield
    except OSError as error:
        if error.errno is None or error.filename is not None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


@contextmanager
def part_folder(file: Path) -> Iterator[Path]:
    """Yield an empty hidden folder beside a file, which is removed however the block ends.

    GDAL and SQLite create auxiliary files beside the one they write: here those are removed too.
    """
    part = file.with_name(f".{file.name}.part")
    shutil.rmtree(part, ignore_errors=True)  # left by a run that was killed
    try:
        part.mkdir(parents=True)
        yield part
    finally:
        shutil.rmtree(part, ignore_errors=True)


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a JSON object, indented, by way of new_file()."""
    with new_file(path) as file:
        file.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")
