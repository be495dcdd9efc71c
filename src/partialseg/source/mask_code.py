"""How masks encode classes, by ids or by colours, and what they hold at a window."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from rasterio.io import DatasetReader
from rasterio.windows import Window

from partialseg.core.classes import NO_TRUTH, Colour
from partialseg.source.alpha import colour_bands
from partialseg.source.coverage import covered, may_have_holes
from partialseg.source.raster import palette_of, read_bands, read_colours, row_windows

MaskValues = Literal["ids", "colours"]
ANY = (-np.inf, np.inf)  # the values of a mask have no black and no white
LISTED = 30  # values in a message


class UnknownValueError(ValueError):
    """A mask holds a value that is neither a class nor ignored."""


@dataclass(frozen=True)
class MaskCode:
    """The sorted values or colours that masks may hold, and the class id (or NO_TRUTH) of each.

    With `stated`, the values of the classes were given one by one. Then they are classes even
    where a file has one of them as its nodata value.
    """

    codes: NDArray[np.int64]
    ids: NDArray[np.uint8]
    colours: bool
    stated: bool = False

    def decode(self, raster: DatasetReader, window: Window) -> NDArray[np.uint8]:
        """Return a window of a mask as class ids (H, W), NO_TRUTH where the source has none.

        It has none where the value is an ignored one, and where the mask has no data: it is
        transparent, has its nodata value or is NaN there.

        Raises:
            UnknownValueError: a value or colour is neither a class nor declared as ignored.
            ValueError: the bands of a mask of ids differ.
        """
        values, labelled = self._read(raster, window)
        if labelled is None and self._are_ids(values):  # most masks hold classes only
            return values.astype(np.uint8, copy=False)
        place, unknown = self._find(values, labelled)
        if unknown.any():
            raise UnknownValueError(f"{raster.name}: {self.describe(_counted(values[unknown]))}")
        ids = self.ids[place]
        if labelled is not None:
            ids[~labelled] = NO_TRUTH
        return ids

    def unknown_values(self, raster: DatasetReader) -> Counter[float]:
        """Return the values (colours as red << 16 | green << 8 | blue) without a class, counted."""
        counts: Counter[float] = Counter()
        for window in row_windows(raster):
            values, labelled = self._read(raster, window)
            counts += _counted(values[self._find(values, labelled)[1]])
        return counts

    def describe(self, unknown: Counter[float]) -> str:
        """Return a sentence on values without a class, the most frequent first."""
        kind = "colour" if self.colours else "class id"
        texts = [
            f"{kind} {_colour(int(value)) if self.colours else _short(value)} on {count} pixels"
            for value, count in unknown.most_common(LISTED)
        ]
        if len(unknown) > LISTED:
            texts.append(f"{len(unknown) - LISTED} more")
        known = self.codes.tolist()
        rule = [_colour(code) for code in known] if self.colours else known
        return f"{', '.join(texts)}; known {kind.split()[-1]}s are {rule}"

    def conflict(self, raster: DatasetReader) -> float | None:
        """Return the nodata value of a mask if it is the value of a class, too, otherwise None.

        Not of a PNG, where GDAL gives the transparent value as nodata: that has no truth. Nor where
        the values of the classes are stated.
        """
        value = raster.nodatavals[0]
        if value is None or raster.driver == "PNG" or self.stated:
            return None
        code: float = value
        if self.colours:
            shown: tuple[float, ...] = (value,) * 3
            palette = palette_of(raster)
            if palette is not None:
                shown = palette.get(int(value), (-1, -1, -1, 0))[:3]
                chosen = _chosen(palette)
                if value not in chosen and shown in chosen.values():
                    return None  # it is black as all that nobody chose, and the class has a number
            code = _code(shown) if 0 <= min(shown) <= 255 else -1
        return value if code in self.codes[self.ids != NO_TRUTH] else None

    def shows_other_ids(self, raster: DatasetReader) -> bool:
        """Return whether masks of ids have a palette that shows the ids of classes as other ones.

        Such a palette is grey, and all of its greys are known ids. One of other greys or colours
        is for looking at the mask.
        """
        palette = palette_of(raster)
        if self.colours or palette is None:
            return False
        chosen = _chosen(palette)
        of_classes = set(self.codes[self.ids != NO_TRUTH].tolist())
        greys = {number: colour[0] for number, colour in chosen.items() if len({*colour}) == 1}
        is_code = len(greys) == len(chosen) and {*greys.values()} <= {*self.codes.tolist()}
        # A TIFF has black wherever nobody chose a colour.
        unknown = {0} if raster.driver == "GTiff" else set()
        of_others = {grey for number, grey in greys.items() if grey != number} - unknown
        return is_code and bool(of_others & of_classes)

    @cached_property
    def classes(self) -> int:
        """The number of classes."""
        return len(np.unique(self.ids[self.ids != NO_TRUTH]))

    @cached_property
    def _holds_ids(self) -> bool:
        """Whether masks hold the class ids themselves."""
        of_classes = self.ids != NO_TRUTH
        return not self.colours and bool((self.codes[of_classes] == self.ids[of_classes]).all())

    def _are_ids(self, values: NDArray[np.generic]) -> bool:
        is_byte = values.dtype == np.uint8
        return self._holds_ids and is_byte and bool(values.max(initial=0) < self.classes)

    def _read(
        self, raster: DatasetReader, window: Window
    ) -> tuple[NDArray[np.generic], NDArray[np.bool_] | None]:
        """Return the values (H, W) of a window, and where there are any; None: everywhere."""
        bands = colour_bands(raster)
        seen_through = transparent_numbers(raster)
        labelled, has_holes = None, bool(seen_through) or may_have_holes(raster, bands)
        if not self.colours or has_holes:
            pixels = read_bands(raster, bands, window)
            if has_holes:
                nodata = [self._nodata(raster, band) for band in bands]
                labelled = covered(raster, bands, pixels, window, ANY, nodata)
                labelled &= ~np.isin(pixels[..., 0], seen_through)
        if self.colours:
            red, green, blue = read_colours(raster, window).astype(np.int64)
            return red << 16 | green << 8 | blue, labelled
        first = pixels[..., 0]
        # Some published LandCover.ai masks hold the ids three times.
        for index in range(1, len(bands)):
            differ = pixels[..., index] != first
            if (differ if labelled is None else differ & labelled).any():
                raise ValueError(f"{raster.name}: the bands of a mask of class ids must be equal")
        return np.ascontiguousarray(first), labelled

    def _nodata(self, raster: DatasetReader, band: int) -> float | None:
        value: float | None = raster.nodatavals[band - 1]
        if value is not None and self.stated and raster.driver != "PNG" and value in self.codes:
            return None
        return value

    def _find(
        self, values: NDArray[np.generic], labelled: NDArray[np.bool_] | None
    ) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        """Return the place of each value in codes, and where it is not among them."""
        place = np.searchsorted(self.codes, values).clip(max=len(self.codes) - 1)
        unknown = self.codes[place] != values
        return place, unknown if labelled is None else unknown & labelled


def mask_code(
    values: MaskValues,
    colours: tuple[Colour, ...],
    ignored_ids: tuple[int, ...],
    ignored_colours: tuple[Colour, ...],
    class_values: Sequence[tuple[int, ...]] = (),
) -> MaskCode:
    """Return the code of masks of ids, or of the colours of the classes in their order.

    The ids of a class are those in class_values, or without them its place, 0..C-1.

    Raises:
        ValueError: one value or colour stands for two classes.
    """
    if values == "ids":
        known = list(class_values) or [(place,) for place in range(len(colours))]
        ignored = list(ignored_ids)
    else:
        known = [(_code(colour),) for colour in colours]
        ignored = [_code(colour) for colour in ignored_colours]
    pairs = [(code, id_) for id_, of_class in enumerate(known) for code in of_class]
    pairs += [(code, NO_TRUTH) for code in ignored]
    codes, ids = (
        np.array([code for code, _ in pairs]),
        np.array([id_ for _, id_ in pairs], np.uint8),
    )
    if len(np.unique(codes)) != len(codes):
        raise ValueError(f"masks of {values}: one value stands for two classes: {codes.tolist()}")
    order = codes.argsort()
    return MaskCode(codes[order], ids[order], values == "colours", bool(class_values))


def _code(colour: tuple[float, ...]) -> int:
    red, green, blue = map(int, colour)
    return red << 16 | green << 8 | blue


def _colour(code: int) -> Colour:
    return code >> 16, code >> 8 & 255, code & 255


def transparent_numbers(raster: DatasetReader) -> list[int]:
    """Return the numbers of a palette, if there is one, that are wholly transparent."""
    if raster.driver == "GTiff":  # GDAL gives the nodata value as transparent, too
        return []
    palette = palette_of(raster) or {}
    return [number for number, colour in palette.items() if colour[3] == 0]


def _chosen(palette: Mapping[int, tuple[int, ...]]) -> dict[int, tuple[int, ...]]:
    """Return the colours of a palette by their numbers, without the black end of a TIFF's 256."""
    last = max((number for number, colour in palette.items() if any(colour[:3])), default=-1)
    return {number: colour[:3] for number, colour in palette.items() if number <= last}


def _counted(values: NDArray[np.generic]) -> Counter[float]:
    found, counts = np.unique(values, return_counts=True)
    return Counter(dict(zip(found.tolist(), counts.tolist(), strict=True)))


def _short(value: float) -> str:
    return f"{value:.10g}" if isinstance(value, float) else str(value)
