"""A user's own data set: a folder with images/ and masks/, described in params.yaml."""

import os
from pathlib import Path
from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from partialseg.atomic import new_folder
from partialseg.masks import MAX_CLASSES, MaskValues
from partialseg.params import STRICT
from partialseg.source import Byte, Classes, LandCoverClass, write_index


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Download:
    """Where the files lie and what their masks mean.

    path is the folder; ~ and $VARIABLES are expanded. mask_values says whether masks hold class
    ids 0..C-1 in the order of `classes`, or their colours; the ignored ids or colours are pixels
    without truth.
    """

    path: str
    classes: Annotated[tuple[LandCoverClass, ...], Field(min_length=2, max_length=MAX_CLASSES)]
    mask_values: MaskValues
    ignored_ids: tuple[Byte, ...]
    ignored_colours: tuple[tuple[Byte, Byte, Byte], ...]

    def described(self) -> Classes:
        """Return the classes of this folder."""
        return Classes(
            classes=self.classes,
            mask_values=self.mask_values,
            ignored_ids=self.ignored_ids,
            ignored_colours=self.ignored_colours,
        )


def download(params: Download, out: Path) -> None:
    """Check and index the folder; its files stay where they are.

    Raises:
        ValueError: the folder is missing or its files do not fit the contract of a source.
    """
    path = Path(os.path.expandvars(params.path)).expanduser()
    if not path.is_dir():
        raise ValueError(
            f"{path}: no such folder (datasets.folder.download.path; a relative path is taken "
            f"from {Path.cwd()})"
        )
    classes = params.described()
    with new_folder(out) as folder:
        write_index(folder, path / "images", path / "masks", classes)
