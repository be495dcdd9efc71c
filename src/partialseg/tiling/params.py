"""The sections tile and splits of params.yaml: how orthophotos are cut and split."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveInt
from pydantic.dataclasses import dataclass

from partialseg.core.params import STRICT
from partialseg.tiling import split

TrainTruth = Literal["masks", "labels"]
MIN_SIZE = 32  # px: below, the deepest level has 1 x 1 px, and BatchNorm fails on a batch of one


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Tile:
    """How orthophotos are cut.

    A cell of source_size px is resampled to a patch of size px (equal: cut natively). val and
    test are shares for the splits 'orthophoto' and 'random' (drawn with split_seed), file name
    patterns for 'pattern', and without effect for 'official'. train_truth says whether the truth of
    training patches is that of the masks or the labels that a person drew.
    """

    source_size: PositiveInt
    size: Annotated[int, Field(ge=MIN_SIZE)]
    split: split.SplitMethod
    split_seed: NonNegativeInt
    val: float | str
    test: float | str
    train_truth: TrainTruth

    def __post_init__(self) -> None:
        if self.size > self.source_size:
            raise ValueError(f"size {self.size} must not exceed source_size {self.source_size}")
        kind = {"pattern": str, "orthophoto": float, "random": float}.get(self.split)
        for key, value in (("val", self.val), ("test", self.test)):
            if kind and not isinstance(value, kind):
                wanted = "a file name pattern" if kind is str else "a share in 0 <= share < 1"
                raise ValueError(f"{key} must be {wanted} for split {self.split!r}, got {value!r}")
            if kind is float and not 0 <= float(value) < 1:
                raise ValueError(f"{key} must be a share in 0 <= share < 1, got {value!r}")
