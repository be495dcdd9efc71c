"""A user's own data set: a folder with images/, masks/ and labels/, described in params.yaml."""

import os
import shutil
from pathlib import Path

from pydantic.dataclasses import dataclass

from partialseg.core.files import new_folder
from partialseg.core.params import STRICT
from partialseg.source.index import write_index
from partialseg.source.legend import Legend

SPLITS = ("train", "val", "test")


class NoFolderError(ValueError):
    """The folder of a data set does not exist."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Download:
    """Where the files are and what their masks mean.

    path is the folder; ~ and $VARIABLES are expanded. legend names the classes, and says whether
    masks hold their ids or their colours, and which ids or colours have no truth. labels/,
    which may be missing, holds what a person drew, encoded as the masks are.
    """

    path: str
    legend: Legend


def download(params: Download, out: Path) -> None:
    """Check and index the folder; its files stay where they are, lists of a split are copied.

    Raises:
        ValueError: the folder is missing or its files do not fit the contract of a source.
    """
    path = Path(os.path.expandvars(params.path)).expanduser()
    if not path.is_dir():
        raise NoFolderError(f"{path}: no such folder; a relative path is taken from {Path.cwd()}")
    with new_folder(out) as folder:
        labels = path / "labels" if (path / "labels").exists() else None
        write_index(folder, path / "images", path / "masks", params.legend, labels)
        for file in path.glob("*.txt"):  # train.txt, val.txt and test.txt of the split 'official'
            if file.stem in SPLITS:
                shutil.copyfile(file, folder / file.name)
