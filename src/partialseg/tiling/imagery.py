"""What the images of a source show, for the networks that are trained on them."""

from collections.abc import Sequence
from pathlib import Path

from partialseg.source.bands import colours_of, rgb_bands
from partialseg.source.index import Orthophoto, Source
from partialseg.source.raster import read_header
from partialseg.tiling.patches import Imagery


def imagery_of(source: Source) -> Imagery:
    """Return which bands are read, what they are and how they are stretched.

    Raises:
        ValueError: files say different things of the bands that are read.
    """
    reading = source.reading
    names = reading.band_names
    if names is None:
        # Bands that somebody chose by number are not what the file calls them.
        names = None if reading.bands else _declared(source.orthophotos)
    return Imagery(bands=reading.bands, names=names, stretch=reading.stretch)


def _declared(orthophotos: Sequence[Orthophoto]) -> tuple[str, str, str] | None:
    """Return what the files say that their bands are, None if none does.

    Raises:
        ValueError: two of them say different things.
    """
    said: dict[tuple[str, str, str], Path] = {}
    for orthophoto in orthophotos:
        bands = read_header(orthophoto.image).declared
        colours = colours_of(bands, rgb_bands(bands))
        if colours:
            said.setdefault(colours, orthophoto.image)
    if len(said) > 1:
        (first, file), (second, other) = list(said.items())[:2]
        raise ValueError(
            f"{other}: its bands are {', '.join(second)}, and those of {file} are "
            f"{', '.join(first)}; one network can learn from one kind alone"
        )
    return next(iter(said), None)
