"""What a user should know of how images are read: where they lie, and which bands are taken."""

import itertools
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from partialseg.source.alpha import alpha_of, alpha_remark
from partialseg.source.bands import bands_remark, rgb_bands
from partialseg.source.raster import Header
from partialseg.source.reading import Reading

MOST = 20  # images of which the values of an alpha band are looked at


def remarks_on(header: Header, reading: Reading) -> list[str]:
    """Return the remarks on an image, none for an RGB image with a transform of its own."""
    is_plain = reading.bands is None and header.bands >= 3
    bands = bands_remark(header.declared, rgb_bands(header.declared)) if is_plain else ""
    return [remark for remark in (bands, header.place_remark) if remark]


def alpha_remarks(headers: Mapping[Path, Header], reading: Reading) -> dict[Path, str]:
    """Return remarks on alpha bands that look like none, of at most MOST images.

    Raises:
        ValueError: an image is damaged.
    """
    found: dict[Path, int] = {}
    for image, header in headers.items():
        band = alpha_of(header.declared.kinds, reading.bands or ())
        if band is not None:
            found[image] = band
    looked_at = itertools.islice(found.items(), MOST)
    remarks = {image: alpha_remark(image, band) for image, band in looked_at}
    return {image: remark for image, remark in remarks.items() if remark}


def print_remarks(headers: Mapping[Path, Header], reading: Reading) -> None:
    """Print each remark once, with the first image that it holds for and the number of others."""
    found: dict[str, list[Path]] = defaultdict(list)
    for image, header in headers.items():
        for remark in remarks_on(header, reading):
            found[remark].append(image)
    for image, remark in alpha_remarks(headers, reading).items():
        found[remark].append(image)
    for remark, files in found.items():
        more = f" (and {len(files) - 1} more)" if len(files) > 1 else ""
        print(f"{files[0]}{more}: {remark}")
