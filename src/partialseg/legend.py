"""The legend of a data set: its classes, their colours, and how masks spell them."""

from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from partialseg.masks import MaskCode, MaskValues, mask_code
from partialseg.params import STRICT
from partialseg.truth import MAX_CLASSES, Colour

Byte = Annotated[int, Field(ge=0, le=255)]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class LandCoverClass:
    """A class: its name, and its colour in figures and in masks of colours."""

    name: Annotated[str, Field(min_length=1)]
    colour: tuple[Byte, Byte, Byte]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Legend:
    """The classes of a data set in the order of their ids, and how its masks spell them."""

    classes: Annotated[tuple[LandCoverClass, ...], Field(min_length=2, max_length=MAX_CLASSES)]
    mask_values: MaskValues
    ignored_ids: tuple[Byte, ...] = ()
    ignored_colours: tuple[tuple[Byte, Byte, Byte], ...] = ()

    def __post_init__(self) -> None:
        names = [item.name for item in self.classes]
        if len(set(names)) != len(names):
            raise ValueError(f"class names must differ, got {names}")
        self.code()

    @property
    def names(self) -> tuple[str, ...]:
        """The class names, by id."""
        return tuple(item.name for item in self.classes)

    @property
    def palette(self) -> tuple[Colour, ...]:
        """The class colours, by id."""
        return tuple(item.colour for item in self.classes)

    def code(self) -> MaskCode:
        """Return how the masks of this data set are decoded."""
        return mask_code(self.mask_values, self.palette, self.ignored_ids, self.ignored_colours)


# The sample shares it. Ids and names as in the paper (arXiv:2005.02264); the palette is ours:
# distinct for colour-blind readers too (after https://jfly.uni-koeln.de/color/).
LANDCOVER_AI = Legend(
    classes=(
        LandCoverClass(name="background", colour=(230, 218, 190)),
        LandCoverClass(name="building", colour=(213, 62, 0)),
        LandCoverClass(name="woodland", colour=(0, 114, 80)),
        LandCoverClass(name="water", colour=(60, 150, 220)),
        LandCoverClass(name="road", colour=(70, 60, 80)),
    ),
    mask_values="ids",
)
