"""Which bands of an image are red, green and blue, by what its bands say that they are."""

from collections.abc import Sequence
from pathlib import Path

from rasterio.enums import ColorInterp

Bands = tuple[int, int, int]  # counted from 1
Kinds = Sequence[ColorInterp]  # of all bands of a file

FIRST: Bands = (1, 2, 3)
RGB = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
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


def rgb_bands(kinds: Kinds) -> Bands:
    """Return the bands declared red, green and blue, the first three unless there is one each."""
    if all(list(kinds).count(kind) == 1 for kind in RGB):
        red, green, blue = (list(kinds).index(kind) + 1 for kind in RGB)
        return red, green, blue
    return FIRST


def check_colours(file: Path, kinds: Kinds, bands: Bands) -> None:
    """Check that bands may be red, green and blue.

    Raises:
        ValueError: a band is a palette, alpha or part of another colour model.
    """
    for band in bands:
        kind = kinds[band - 1]
        if kind == ColorInterp.palette:
            raise ValueError(
                f"{file}: band {band} holds numbers of a palette; make it colours: "
                "gdal_translate -expand rgb"
            )
        if kind == ColorInterp.alpha:
            raise ValueError(
                f"{file}: band {band} is marked as alpha; if it is a colour, say so in the file: "
                f"gdal_edit.py -colorinterp_{band} undefined"
            )
        if kind in OTHER_COLOURS:
            raise ValueError(f"{file}: band {band} is declared {kind.name}; make the image RGB")


def bands_remark(kinds: Kinds, bands: Bands) -> str:
    """Return what is taken for red, green and blue, '' where a file leaves no choice."""
    taken = ", ".join(map(str, bands))
    declared = tuple(kinds[band - 1] for band in bands)
    if declared == RGB and bands != FIRST:
        return f"red, green and blue are its bands {taken}, as it declares"
    if declared != RGB and any(kind not in UNDECLARED for kind in declared):
        names = ", ".join(kind.name for kind in declared)
        return f"its bands {taken}, declared {names}, are taken for red, green and blue"
    others = [kind for band, kind in enumerate(kinds, 1) if band not in bands]
    if any(kind != ColorInterp.alpha for kind in others):
        return f"has {len(kinds)} bands: {taken} are taken for red, green and blue"
    return ""
