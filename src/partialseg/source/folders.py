"""Find the rasters of a folder and its sub-folders, and say which files are left out."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from partialseg.source.raster import SUFFIXES

KINDS = 8  # endings in a message
NO_RASTER = f"not being one of {', '.join(SUFFIXES)}"


def find_rasters(folder: Path) -> tuple[list[Path], list[Path]]:
    """Return the rasters in a folder and its sub-folders, sorted, and the files that are none.

    Endings in capitals count, too. Hidden files and folders are in neither list, nor are the files
    that accompany a raster: those that begin with its name and a dot, as a.tfw and a.tif.msk do.

    Raises:
        ValueError: there is no such folder.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder")
    rasters: list[Path] = []
    others: list[Path] = []
    for files in _files_by_folder(folder):
        found = [file for file in files if file.suffix.lower() in SUFFIXES]
        beside = tuple(f"{file.stem}." for file in found)
        rasters += found
        others += [file for file in files if not file.name.startswith(beside)]
    return sorted(rasters), sorted(others)


def left_out(folder: Path, files: Sequence[Path], why: str = NO_RASTER) -> str:
    """Return a sentence on files that are not taken: how many of each ending."""
    endings = Counter(file.suffix.lower() or file.name for file in files).most_common()
    named = ", ".join(f"{count} {ending}" for ending, count in endings[:KINDS])
    more = ", ..." if len(endings) > KINDS else ""
    what = "1 file is" if len(files) == 1 else f"{len(files)} files are"
    return f"{folder}: {what} left out, {why}: {named}{more}"


def _files_by_folder(folder: Path) -> Iterator[list[Path]]:
    seen = set()  # links may lead in circles
    for path, folders, names in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        real = os.path.realpath(path)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        yield [Path(path, name) for name in names if not name.startswith(".")]
