"""How the pixels of orthophotos become the image that a network sees."""

from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from partialseg.core.params import STRICT

Band = Annotated[int, Field(ge=1)]
Range = tuple[float, float]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Imagery:
    """Which bands are shown as red, green and blue, and how their values become 0..255.

    bands are their numbers, from 1 (None: those that each file declares, else its first three);
    names say what they are (None: unknown). stretch has, for each of them, the values that become 0
    and 255 (None: 8-bit values as they are).
    """

    bands: tuple[Band, Band, Band] | None = None
    names: tuple[str, str, str] | None = None
    stretch: tuple[Range, Range, Range] | None = None
