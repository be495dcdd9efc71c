"""What a user should know of how images are read: where they lie, and which bands are taken."""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from partialseg.source.bands import bands_remark, rgb_bands
from partialseg.source.raster import Header
from partialseg.source.reading import Reading


def remarks_on(header: Header, reading: Reading) -> list[str]:
    """Return the remarks on an image, none for an RGB image with a transform of its own."""
    bands = "" if reading.bands else bands_remark(header.declared, rgb_bands(header.declared))
    return [remark for remark in (bands, header.place_remark) if remark]


def print_remarks(headers: Mapping[Path, Header], reading: Reading) -> None:
    """Print each remark once, with the first image that it holds for and the number of others."""
    found: dict[str, list[Path]] = defaultdict(list)
    for image, header in headers.items():
        for remark in remarks_on(header, reading):
            found[remark].append(image)
    for remark, files in found.items():
        more = f" (and {len(files) - 1} more)" if len(files) > 1 else ""
        print(f"{files[0]}{more}: {remark}")
