"""Masks of the source as class ids: which value or colour of a mask file means which class."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from rasterio.io import DatasetReader
from rasterio.windows import Window

from partialseg.raster import read_colours, read_values
from partialseg.truth import NO_TRUTH, Colour

MaskValues = Literal["ids", "colours"]


@dataclass(frozen=True)
class MaskCode:
    """The sorted codes that masks may hold and the class id (or NO_TRUTH) of each."""

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
            if ids.max(initial=0) < self.classes:  # classes alone, which is what most masks hold
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
    """Build the code of a data set: ids are 0..C-1, colours those of the classes in order.

    Raises:
        ValueError: a value means two things.
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
