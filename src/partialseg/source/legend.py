"""The legend of a data set: its classes, their colours, and how masks encode them."""

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pydantic.dataclasses import dataclass as checked_dataclass
from rasterio.io import DatasetReader
from rasterio.windows import Window

from partialseg.core.classes import MAX_CLASSES, NO_TRUTH, Colour
from partialseg.core.params import STRICT
from partialseg.source.raster import read_colours, read_values

MaskValues = Literal["ids", "colours"]
Byte = Annotated[int, Field(ge=0, le=255)]


@dataclass(frozen=True)
class MaskCode:
    """The sorted values or colours that masks may hold, and the class id (or NO_TRUTH) of each."""

    codes: NDArray[np.int64]
    ids: NDArray[np.uint8]
    colours: bool

    def decode(self, raster: DatasetReader, window: Window) -> NDArray[np.uint8]:
        """Return a window of a mask as class ids (H, W), NO_TRUTH where the source has none.

        Raises:
            ValueError: a value or colour is neither a class nor declared as ignored, or the bands
                of a mask of ids differ.
        """
        if self.colours:
            values = _read_colour_codes(raster, window)
        else:
            ids = _read_ids(raster, window)
            if ids.max(initial=0) < self.classes:  # most masks hold classes only
                return ids
            values = ids.astype(np.int64)
        place = np.searchsorted(self.codes, values).clip(max=len(self.codes) - 1)
        unknown = values[self.codes[place] != values]
        if unknown.size:
            raise ValueError(f"{raster.name}: {self._describe(unknown)}; {self._rule()}")
        return self.ids[place]

    @cached_property
    def classes(self) -> int:
        """The number of classes."""
        return int((self.ids != NO_TRUTH).sum())

    def _describe(self, unknown: NDArray[np.int64]) -> str:
        codes, counts = np.unique(unknown, return_counts=True)
        most = int(codes[counts.argmax()])
        value = f"colour {_colour(most)}" if self.colours else f"class id {most}"
        return f"{value} on {counts.max()} pixels (of {unknown.size} with an unknown value)"

    def _rule(self) -> str:
        if self.colours:
            return f"known colours are {[_colour(int(code)) for code in self.codes]}"
        return f"known ids are {self.codes.tolist()}"


def mask_code(
    values: MaskValues,
    colours: tuple[Colour, ...],
    ignored_ids: tuple[int, ...],
    ignored_colours: tuple[Colour, ...],
) -> MaskCode:
    """Return the code of masks of ids 0..C-1, or of the colours of the classes in that order.

    Raises:
        ValueError: one value or colour stands for two classes.
    """
    if values == "ids":
        known = list(range(len(colours)))
        ignored = list(ignored_ids)
    else:
        known = [_code(colour) for colour in colours]
        ignored = [_code(colour) for colour in ignored_colours]
    codes = np.array(known + ignored, np.int64)
    ids = np.array([*range(len(known)), *[NO_TRUTH] * len(ignored)], np.uint8)
    if len(np.unique(codes)) != len(codes):
        raise ValueError(f"masks of {values}: one value stands for two classes: {codes.tolist()}")
    order = codes.argsort()
    return MaskCode(codes[order], ids[order], colours=values == "colours")


def _code(colour: Colour) -> int:
    red, green, blue = colour
    return red << 16 | green << 8 | blue


def _colour(code: int) -> Colour:
    return code >> 16, code >> 8 & 255, code & 255


def _read_colour_codes(raster: DatasetReader, window: Window) -> NDArray[np.int64]:
    red, green, blue = read_colours(raster, window).astype(np.int64)
    return red << 16 | green << 8 | blue


def _read_ids(raster: DatasetReader, window: Window) -> NDArray[np.uint8]:
    # Some published LandCover.ai masks hold the ids three times.
    first, *others = read_values(raster, window)
    if any((band != first).any() for band in others):
        raise ValueError(f"{raster.name}: the bands of a mask of class ids must be equal")
    return np.ascontiguousarray(first)


@checked_dataclass(frozen=True, kw_only=True, config=STRICT)
class LandCoverClass:
    """A class: its name, and its colour in figures and in masks of colours."""

    name: Annotated[str, Field(min_length=1)]
    colour: tuple[Byte, Byte, Byte]


@checked_dataclass(frozen=True, kw_only=True, config=STRICT)
class Legend:
    """The classes of a data set in the order of their ids, and how its masks encode them."""

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
