"""The section of params.yaml on how people label."""

from pydantic import PositiveInt
from pydantic.dataclasses import dataclass

from partialseg.params import STRICT


@dataclass(frozen=True, kw_only=True, config=STRICT)
class PatternParams:
    """Sizes of what a person draws.

    points is the clicks for each class of a patch at label fraction 1; thickness is that of a
    stroke, box the longest side of a box and block the side of a window, all in pixels.
    """

    points: PositiveInt
    thickness: PositiveInt
    box: PositiveInt
    block: PositiveInt
