"""Which bands of an image are red, green and blue, by what its bands say that they are."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rasterio.enums import ColorInterp
from rasterio.io import DatasetReader

Bands = tuple[int, int, int]  # counted from 1
Words = Sequence[Sequence[str]]

FIRST: Bands = (1, 2, 3)
RGB = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
RGB_NAMES = ("red", "green", "blue")
NAMES = (("red", "r"), ("green", "g"), ("blue", "b"))
INFRARED = ("nir", "ir", "n", "infrared", "near infrared", "near-infrared")
UNDECLARED = (ColorInterp.undefined, ColorInterp.gray)  # what writers leave where nobody chose
OTHER_COLOURS = (
    ColorInterp.hue,
    ColorInterp.saturation,
    ColorInterp.lightness,
    ColorInterp.cyan,
    ColorInterp.magenta,
    ColorInterp.yellow,
    ColorInterp.black,
    ColorInterp.Y,
    ColorInterp.Cb,
    ColorInterp.Cr,
)


OF_PALETTE = "holds numbers of a palette; make it colours: gdal_translate -expand rgb"


@dataclass(frozen=True)
class Declared:
    """What the bands of a file say that they are: their colours, and their names ('': none).

    A negative has white as 0 (MINISWHITE), which viewers turn round and GDAL does not. bits are
    those of a value, 0 where they are all of its type.
    """

    kinds: tuple[ColorInterp, ...]
    names: tuple[str, ...]
    negative: bool = False
    bits: int = 0


def declared(raster: DatasetReader) -> Declared:
    """Return what the bands of an open raster say that they are."""
    names = tuple((name or "").strip() for name in raster.descriptions)
    negative = raster.tags(ns="IMAGE_STRUCTURE").get("MINISWHITE") == "YES"
    bits = int(raster.tags(1, ns="IMAGE_STRUCTURE").get("NBITS", 0))
    return Declared(kinds=tuple(raster.colorinterp), names=names, negative=negative, bits=bits)


def rgb_bands(bands: Declared) -> Bands:
    """Return the bands named red, green and blue, those of these colours, or the first three.

    Names come first, as somebody chose them: GDAL itself calls any three 8-bit bands red, green and
    blue when it writes them.
    """
    return (
        _one_of_each([name.casefold() for name in bands.names], NAMES)
        or _one_of_each([kind.name for kind in bands.kinds], [(kind.name,) for kind in RGB])
        or FIRST
    )


def colours_of(bands: Declared, taken: Bands) -> tuple[str, str, str] | None:
    """Return what a file says that bands of it are: red, green, blue or nir; None if it does not.

    As in rgb_bands, names come first.
    """
    words = {word: of[0] for of in (*NAMES, INFRARED) for word in of}
    names = [words.get(bands.names[band - 1].casefold(), "") for band in taken]
    if not all(names):
        kinds = [bands.kinds[band - 1] for band in taken]
        names = [kind.name if kind in RGB else "" for kind in kinds]
    first, second, third = names
    return (first, second, third) if all(names) else None


def _one_of_each(words: Sequence[str], wanted: Words) -> Bands | None:
    found = [[band for band, word in enumerate(words, 1) if word in of] for of in wanted]
    if any(len(bands) != 1 for bands in found):
        return None
    (red,), (green,), (blue,) = found
    return red, green, blue


def check_colours(file: Path, kinds: Sequence[ColorInterp], bands: Bands, *, chosen: bool) -> None:
    """Check that bands may be red, green and blue; chosen: somebody named them by number.

    Raises:
        ValueError: a band is a palette or part of another colour model, or is marked as alpha and
            was not chosen.
    """
    for band in bands:
        kind = kinds[band - 1]
        if kind == ColorInterp.palette:
            raise ValueError(f"{file}: band {band} {OF_PALETTE}")
        if kind == ColorInterp.alpha and not chosen:
            raise ValueError(
                f"{file}: band {band} is marked as alpha; if it is a colour, name the bands that "
                f"are read, or unmark it: gdal_edit.py -colorinterp_{band} undefined"
            )
        if kind in OTHER_COLOURS:
            raise ValueError(f"{file}: band {band} is declared {kind.name}; make the image RGB")


def check_positive(file: Path, bands: Declared) -> None:
    """Check that 0 is black in an image.

    Raises:
        ValueError: it is white.
    """
    if bands.negative:
        raise ValueError(
            f"{file}: is a negative, in which 0 is white (MINISWHITE): image viewers turn its "
            "values round, GDAL does not; write it anew with 0 as black (MINISBLACK)"
        )


def check_depth(file: Path, bands: Declared, stretch: object) -> None:
    """Check that white is 255 in an image without a stretch.

    Raises:
        ValueError: its values have less than 8 bits, which viewers scale and GDAL does not.
    """
    if 0 < bands.bits < 8 and stretch is None:
        white = 2**bands.bits - 1
        raise ValueError(
            f"{file}: its values have {bands.bits} bit(s), so that white is {white} and not 255; "
            f"a stretch of 0 to {white} makes it so"
        )


def too_few_bands(bands: Declared, option: str) -> str:
    """Return what to do with an image of less than three bands; option names them: 'bands:'."""
    if bands.kinds[0] == ColorInterp.palette:
        return f"it {OF_PALETTE}"
    return f"{option} shows one band as grey"


def bands_remark(bands: Declared, taken: Bands) -> str:
    """Return what is taken for red, green and blue, '' where a file leaves no choice."""
    numbers = ", ".join(map(str, taken))
    names = [bands.names[band - 1] for band in taken]
    kinds = tuple(bands.kinds[band - 1] for band in taken)
    named = _one_of_each([name.casefold() for name in names], NAMES) == FIRST
    if taken != FIRST and (named or kinds == RGB):
        return f"red, green and blue are its bands {numbers}, as it declares"
    if any(names) and not named:
        listed = ", ".join(name or "nothing" for name in names)
        return f"its bands {numbers}, named {listed}, are taken for red, green and blue"
    if kinds != RGB and not named and any(kind not in UNDECLARED for kind in kinds):
        listed = ", ".join(kind.name for kind in kinds)
        return f"its bands {numbers}, declared {listed}, are taken for red, green and blue"
    others = [kind for band, kind in enumerate(bands.kinds, 1) if band not in taken]
    if any(kind != ColorInterp.alpha for kind in others):
        return f"has {len(bands.kinds)} bands: {numbers} are taken for red, green and blue"
    return ""
