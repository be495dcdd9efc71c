"""A user's own data set: images and masks in a folder, described in params.yaml."""

import os
import shutil
from dataclasses import fields
from pathlib import Path

from pydantic.dataclasses import dataclass

from partialseg.core.files import new_folder
from partialseg.core.params import STRICT
from partialseg.source.index import index_files
from partialseg.source.legend import Legend
from partialseg.source.pairing import Files, Unlabelled, files_by_patterns, files_in_folders
from partialseg.source.reading import Reading

SPLITS = ("train", "val", "test")


class NoFolderError(ValueError):
    """The folder of a data set does not exist."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Download(Reading):
    """Where the files are, how images are read (as Reading says), and what masks mean.

    path is the folder; ~ and $VARIABLES are expanded. legend names the classes, and says whether
    masks hold their ids or their colours, and which ids or colours have no truth. images, masks and
    labels are patterns of paths in the folder, with {name} (see files_by_patterns); without them
    the folders images/, masks/ and labels/ are taken, of which the last may be missing: it holds
    what a person drew, encoded as the masks are. unlabelled says what happens to an image without
    either.
    """

    path: str
    legend: Legend
    images: str = ""
    masks: str = ""
    labels: str = ""
    unlabelled: Unlabelled = "refuse"

    def __post_init__(self) -> None:
        super().__post_init__()
        if bool(self.images) != bool(self.masks):
            raise ValueError(
                f"images and masks: patterns of both or of none, got {self.images!r} and "
                f"{self.masks!r}"
            )
        if not self.images and (self.labels or self.unlabelled != "refuse"):
            raise ValueError("labels and unlabelled need patterns of images and masks")

    @property
    def reading(self) -> Reading:
        """How images are read."""
        return Reading(**{item.name: getattr(self, item.name) for item in fields(Reading)})


def download(params: Download, out: Path) -> None:
    """Check and index the folder; its files stay where they are, lists of a split are copied.

    Raises:
        ValueError: the folder is missing or its files do not fit the contract of a source.
    """
    path = Path(os.path.expandvars(params.path)).expanduser()
    if not path.is_dir():
        raise NoFolderError(f"{path}: no such folder; a relative path is taken from {Path.cwd()}")
    with new_folder(out) as folder:
        index_files(folder, find_files(path, params), params.legend, params.reading)
        for file in path.glob("*.txt"):  # train.txt, val.txt and test.txt of the split 'official'
            if file.stem in SPLITS:
                shutil.copyfile(file, folder / file.name)


def find_files(path: Path, params: Download) -> Files:
    """Return the images, masks and labels of a folder.

    Raises:
        ValueError: a folder is missing, a pattern is wrong, or two files have one name.
    """
    if params.images:
        return files_by_patterns(
            path, params.images, params.masks, params.labels, params.unlabelled
        )
    labels = path / "labels"
    return files_in_folders(path / "images", path / "masks", labels if labels.exists() else None)
