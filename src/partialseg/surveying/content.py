"""What images and masks of a folder hold: sizes, bands, types, pixel sizes, values."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.io import DatasetReader
from rasterio.windows import Window

from partialseg.core.classes import Colour
from partialseg.source.alignment import check_alignment
from partialseg.source.alpha import colour_bands
from partialseg.source.bands import too_few_bands
from partialseg.source.coverage import covered
from partialseg.source.mask_code import ANY, transparent_numbers
from partialseg.source.overlaps import Footprint, overlaps
from partialseg.source.raster import (
    Header,
    ground_size,
    open_raster,
    palette_of,
    read_bands,
    read_colours,
    read_header,
    row_windows,
)
from partialseg.source.reading import Reading
from partialseg.source.remarks import alpha_remarks
from partialseg.tiling.ground import connected

MOST_MASKS = 200  # that are read whole
MOST_IMAGES = 20  # whose values are looked at, if they are not 8-bit
PERCENT = (2, 98)  # of the values of a band: black and white
SAMPLE = 512  # px: the side of the part of an image that is looked at
MANY = 60  # values: more are no classes


@dataclass
class Survey:
    """What was found in pairs of images and masks; problems are sentences with the file.

    without_value are pixels of masks that are transparent or NaN; unusable is the number of pairs
    that download refuses; groups is that of the orthophotos that share no ground, 0 if none does or
    their places are unknown.
    """

    headers: dict[Path, Header] = field(default_factory=dict)
    gsd: dict[Path, float] = field(default_factory=dict)
    are_colours: bool = False
    counts: Counter[int] = field(default_factory=Counter)
    palette: dict[int, Colour] = field(default_factory=dict)
    nodata: set[float] = field(default_factory=set)
    without_value: int = 0
    masks_read: int = 0
    unusable: int = 0
    groups: int = 0
    problems: list[str] = field(default_factory=list)


def survey_pairs(pairs: Sequence[tuple[Path, Path]]) -> Survey:
    """Look at all headers, and at the values of at most MOST_MASKS masks, evenly spaced."""
    found = Survey()
    readable = [mask for image, mask in pairs if _look_at_headers(image, mask, found)]
    found.unusable = len(pairs) - len(readable)
    found.problems += _problems_of_bands(found.headers)
    chosen = _spaced(readable, MOST_MASKS)
    for look in (_look_for_colours, _count_values):  # the values depend on the colours of all
        chosen = [mask for mask in chosen if _done(look, mask, found)]
    found.masks_read = len(chosen)
    if len(found.counts) > MANY:
        found.problems.append(
            f"the masks hold {len(found.counts)} different values, too many for classes: are they "
            "masks, and without loss?"
        )
    elif len(found.counts) < 2:
        many = "a single value" if found.counts else "no value"
        found.problems.append(f"the masks hold {many}, and a data set has two classes")
    _look_for_copies([image for image, _ in pairs], found)
    _look_for_shared_ground(found)
    return found


def _look_at_headers(image: Path, mask: Path, found: Survey) -> bool:
    """Return whether image and mask can be read and lie on each other."""
    try:
        header = read_header(image)
        found.headers[image] = header
        of_mask = read_header(mask)
        if any(name.startswith("complex") for name in (*header.dtypes, *of_mask.dtypes)):
            raise ValueError(f"{image}: it or its mask holds complex numbers")
        check_alignment(image, header, mask, of_mask)
    except ValueError as error:
        found.problems.append(str(error))
        return False
    try:
        size = ground_size(header.crs, Affine(*header.transform), header.width, header.height)
    except ValueError as error:  # it can be used, without a pixel size
        found.problems.append(f"{image}: {error}")
    else:
        if size is not None:
            found.gsd[image] = float(np.sqrt(np.prod(size)))
    return True


def _problems_of_bands(headers: dict[Path, Header]) -> list[str]:
    """Return sentences on images of one or two bands, and on alpha bands that look like none."""
    few = [image for image, header in headers.items() if header.bands < 3]
    found = []
    for image in few:
        advice = too_few_bands(headers[image].declared, "bands: [1, 1, 1]")
        found.append(f"{image}: {headers[image].bands} band(s); {advice}")
    if 0 < len(few) < len(headers):
        found.append(
            f"{len(few)} of {len(headers)} images have less than three bands, and one section "
            "describes images of one kind: make them alike"
        )
    try:
        alphas = alpha_remarks(headers, Reading())
    except ValueError as error:  # damaged
        return [*found, str(error)]
    for image, remark in [*alphas.items()][:1]:
        more = f" (and {len(alphas) - 1} more)" if len(alphas) > 1 else ""
        found.append(f"{image}{more}: {remark}")
    return found


def _count_values(mask: Path, found: Survey) -> None:
    with open_raster(mask) as raster:
        found.nodata |= {value for value in raster.nodatavals[:1] if value is not None}
        if raster.driver == "JPEG":
            found.problems.append(f"{mask}: a JPEG, whose compression changed the values: refused")
        if not found.are_colours:
            palette = palette_of(raster) or {}
            found.palette |= {number: colour[:3] for number, colour in palette.items()}
        for window in row_windows(raster):
            pixels = _values(raster, window, found.are_colours)
            has_value = _with_value(raster, window) & np.isfinite(pixels)
            found.without_value += int(np.count_nonzero(~has_value))
            values, counts = np.unique(pixels[has_value], return_counts=True)
            for value, count in zip(values.tolist(), counts.tolist(), strict=True):
                if value != int(value):
                    raise ValueError(f"{mask}: holds {value}, which is no whole number")
                found.counts[int(value)] += count


def _look_for_copies(images: Sequence[Path], found: Survey) -> None:
    """Name images that are equal to the byte."""
    of_size: dict[int, list[Path]] = defaultdict(list)
    for image in images:
        of_size[image.stat().st_size].append(image)
    first_of: dict[bytes, Path] = {}
    for same in of_size.values():
        for image in same if len(same) > 1 else ():
            digest = hashlib.md5(image.read_bytes()).digest()
            first = first_of.setdefault(digest, image)
            if first != image:
                found.problems.append(f"{image}: is equal to {first}; keep both in one split")


def _look_for_shared_ground(found: Survey) -> None:
    """Name images that show the same ground, and count the groups that share none."""
    times = Counter(image.name for image in found.headers)
    names = {image: image.name if times[image.name] == 1 else str(image) for image in found.headers}
    shared = overlaps(
        Footprint(
            name=names[image],
            width=header.width,
            height=header.height,
            crs=header.crs,
            transform=header.transform,
        )
        for image, header in found.headers.items()
    )
    found.problems += [
        f"{item.first} and {item.second} share {item.share:.0%} of their ground; keep both in one "
        "split (groups: ground)"
        for item in shared
    ]
    if shared and all(header.crs for header in found.headers.values()):
        groups = connected(sorted(names.values()), [(item.first, item.second) for item in shared])
        found.groups = len({*groups.values()})


def _spaced(files: Sequence[Path], most: int) -> list[Path]:
    places = np.linspace(0, len(files) - 1, min(most, len(files))).round().astype(int)
    return [files[place] for place in places]


def _done(look: Callable[[Path, Survey], None], mask: Path, found: Survey) -> bool:
    """Look at a mask; return whether it could be read."""
    try:
        look(mask, found)
    except ValueError as error:
        found.problems.append(str(error))
        return False
    return True


def _look_for_colours(mask: Path, found: Survey) -> None:
    """Find out whether a mask has three bands that differ."""
    with open_raster(mask) as raster:
        if raster.count < 3:
            return
        for window in row_windows(raster):
            pixels = read_bands(raster, (1, 2, 3), window)
            if (pixels[..., :1] != pixels[..., 1:]).any():
                found.are_colours = True
                return


def _with_value(raster: DatasetReader, window: Window) -> NDArray[np.bool_]:
    """Return where a mask (H, W) is neither transparent nor NaN; its nodata value is one."""
    bands = colour_bands(raster)
    pixels = read_bands(raster, bands, window)
    found = covered(raster, bands, pixels, window, ANY, [None] * len(bands))
    return found & ~np.isin(pixels[..., 0], transparent_numbers(raster))


def _values(raster: DatasetReader, window: Window, colours: bool) -> NDArray[np.generic]:
    if not colours:
        return read_bands(raster, (1,), window)[..., 0]
    red, green, blue = read_colours(raster, window).astype(np.int64)
    return red << 16 | green << 8 | blue


def suggested_stretch(headers: dict[Path, Header], bands: Sequence[int]) -> list[list[float]]:
    """Return a pair of values a band that black and white may be: percentiles of some images."""
    of_bands: list[list[NDArray[np.generic]]] = [[] for _ in bands]
    for image in _spaced([*headers], MOST_IMAGES):
        header = headers[image]
        side = min(SAMPLE, header.width), min(SAMPLE, header.height)
        left, top = (header.width - side[0]) // 2, (header.height - side[1]) // 2
        window = Window(left, top, *side)
        with open_raster(image) as raster:
            pixels = read_bands(raster, tuple(bands), window)
            has_data = covered(raster, bands, pixels, window, ANY)
        for place, values in enumerate(of_bands):
            values.append(pixels[..., place][has_data & np.isfinite(pixels[..., place])])
    pairs = []
    for values in of_bands:
        known = np.concatenate(values)
        low, high = np.percentile(known, PERCENT) if known.size else (0, 1)
        # Of integers at least 1, so that a constant band has a stretch, too.
        least = 1 if known.dtype.kind in "ui" else 1e-6 * max(1.0, abs(low))
        pairs.append([float(f"{low:.4g}"), float(f"{max(high, low + least):.4g}")])
    return pairs
