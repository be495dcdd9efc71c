"""A hidden folder for what a file is made from."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def part_folder(file: Path) -> Iterator[Path]:
    """Yield an empty hidden folder beside a file, which is removed however the block ends.

    GDAL and SQLite put files of their own beside the one they write: here they go with it.
    """
    part = file.with_name(f".{file.name}.part")
    shutil.rmtree(part, ignore_errors=True)  # of a killed run
    try:
        part.mkdir(parents=True)
        yield part
    finally:
        shutil.rmtree(part, ignore_errors=True)
