"""The sections tile and splits of params.yaml: how orthophotos are cut and split."""

import re
from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt
from pydantic.dataclasses import dataclass

from partialseg.core.params import STRICT
from partialseg.tiling import split

TrainTruth = Literal["masks", "labels"]
PartialCells = Literal["drop", "pad"]
MIN_SIZE = 32  # px: below, the deepest level has 1 x 1 px, and BatchNorm fails on a batch of one
HeldOut = float | str | tuple[str, ...]
GROUND = "ground"  # as groups: by place instead of by name
NONE = "none"  # instead of patterns or a share: there is no such split


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Tile:
    """How orthophotos are cut and split.

    A cell of source_size px is resampled to a patch of size px (equal: cut natively). With gsd
    instead, the pixels of the patches have that size in metres, and cells are as large as that
    needs. partial_cells says whether the cells that the right and lower border cut are dropped, or
    padded with pixels without truth.

    val and test are shares for the splits 'orthophoto' and 'random' (drawn with split_seed), for
    'pattern' file name patterns, one or more, or a share of the orthophotos that no pattern
    matches, and without effect for 'official'; test may be 'none'. Orthophotos in whose names the
    regular expression groups finds the same text are drawn together; with groups 'ground', those
    that share ground are in one split. train_truth says whether the
    truth of training patches is that of the masks or the labels that a person drew.
    """

    source_size: PositiveInt | None = None
    gsd: PositiveFloat | None = None
    size: Annotated[int, Field(ge=MIN_SIZE)]
    partial_cells: PartialCells = "drop"
    split: split.SplitMethod
    split_seed: NonNegativeInt
    val: HeldOut
    test: HeldOut
    groups: str = ""
    train_truth: TrainTruth

    def __post_init__(self) -> None:
        if (self.source_size is None) == (self.gsd is None):
            raise ValueError(
                "one of source_size and gsd must be given, the other one be null or missing, got "
                f"{self.source_size} and {self.gsd}"
            )
        if self.source_size is not None and self.size > self.source_size:
            raise ValueError(f"size {self.size} must not exceed source_size {self.source_size}")
        for key, value in (("val", self.val), ("test", self.test)):
            if not (key == "test" and value == NONE):
                self._check_held_out(key, value)
        if self.split == "pattern" and not {type(self.val), type(self.test)} & {str, tuple}:
            raise ValueError(
                "split 'pattern' needs a file name pattern as val or test, got "
                f"{self.val!r} and {self.test!r}"
            )
        self._check_groups()

    def _check_held_out(self, key: str, value: HeldOut) -> None:
        wanted = {
            "pattern": "a share in 0 <= share < 1, a file name pattern or a list of them",
            "orthophoto": "a share in 0 <= share < 1",
            "random": "a share in 0 <= share < 1",
        }.get(self.split)
        is_share = isinstance(value, float) and 0 <= value < 1
        is_pattern = self.split == "pattern" and not isinstance(value, float) and value
        if wanted and not (is_share or is_pattern):
            raise ValueError(f"{key} must be {wanted} for split {self.split!r}, got {value!r}")

    def _check_groups(self) -> None:
        try:
            re.compile(self.groups)
        except re.error as error:
            raise ValueError(f"groups {self.groups!r} is no regular expression: {error}") from error
        if self.groups and self.split not in ("orthophoto", "pattern"):
            raise ValueError(f"groups need the split orthophoto or pattern, got {self.split!r}")
