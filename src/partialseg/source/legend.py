"""The legend of a data set: its classes, their colours, and how masks encode them."""

from typing import Annotated

from pydantic import AliasChoices, Field
from pydantic.dataclasses import dataclass

from partialseg.core.classes import MAX_CLASSES, Colour
from partialseg.core.params import STRICT
from partialseg.source.mask_code import MaskCode, MaskValues, mask_code

Byte = Annotated[int, Field(ge=0, le=255)]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class LandCoverClass:
    """A class: its name, its colour in figures and in masks of colours, and its ids in masks.

    Without `values` its id is its place among the classes, from 0.
    """

    name: Annotated[str, Field(min_length=1)]
    colour: tuple[Byte, Byte, Byte]
    values: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Legend:
    """The classes of a data set in the order of their ids, and how its masks encode them."""

    classes: Annotated[tuple[LandCoverClass, ...], Field(min_length=2, max_length=MAX_CLASSES)]
    mask_values: MaskValues
    # `ignored_ids` is its older name, in indexes and in params.yaml files of users.
    ignored_ids: Annotated[
        tuple[int, ...], Field(validation_alias=AliasChoices("ignored_values", "ignored_ids"))
    ] = ()
    ignored_colours: tuple[tuple[Byte, Byte, Byte], ...] = ()

    def __post_init__(self) -> None:
        names = [item.name for item in self.classes]
        if len(set(names)) != len(names):
            raise ValueError(f"class names must differ, got {names}")
        with_values = [item.name for item in self.classes if item.values]
        if with_values and self.mask_values != "ids":
            raise ValueError(f"values of {with_values[0]!r} need mask_values: ids, not colours")
        if with_values and with_values != names:
            without = next(name for name in names if name not in with_values)
            raise ValueError(f"values: all classes have some or none; {without!r} has none")
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
        stated = [item.values for item in self.classes if item.values]
        return mask_code(
            self.mask_values, self.palette, self.ignored_ids, self.ignored_colours, stated
        )


# The sample has the same. Ids and names as in the paper (arXiv:2005.02264); the palette is ours:
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
