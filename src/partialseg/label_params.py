"""The section `label` of a data set: how its training patches are labelled."""

from typing import Literal

from pydantic.dataclasses import dataclass

from partialseg.params import STRICT
from partialseg.patterns.params import PatternParams

Pattern = Literal["random", "points", "scribbles", "boxes", "blocks", "patches", "drawn"]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Label(PatternParams):
    """What is labelled: pattern; and the sizes of all patterns, of which it uses its own."""

    pattern: Pattern
