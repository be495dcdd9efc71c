"""The sections label and labellings of params.yaml: how labels are drawn."""

from typing import Literal

from pydantic import PositiveInt
from pydantic.dataclasses import dataclass

from partialseg.core.params import STRICT

Pattern = Literal["random", "points", "scribbles", "boxes", "blocks", "patches", "drawn"]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class PatternParams:
    """Sizes of what an annotator draws.

    points is the number of clicks on each class of a patch at label fraction 1; thickness is that
    of a stroke, box the longest side of a box and block the side of a window, all in pixels.
    """

    points: PositiveInt
    thickness: PositiveInt
    box: PositiveInt
    block: PositiveInt


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Label(PatternParams):
    """The pattern of the labels, and the sizes of all patterns, of which it uses its own."""

    pattern: Pattern
