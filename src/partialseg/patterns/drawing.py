"""What a person has drawn on one patch."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, eq=False)
class Drawing:
    """The visible pixels (H, W) of a patch, and what they cost the person who labelled them.

    clicks are single clicks of the mouse; shapes are strokes, boxes, windows or whole patches;
    seconds are an estimate (see effort.py). short has the clicks that a class was too small for.
    """

    visible: NDArray[np.bool_]
    clicks: int
    shapes: int
    seconds: float
    short: Mapping[int, int] = field(default_factory=dict)
