"""A data set for params.yaml, made from what a survey found."""

import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from partialseg.core.classes import MAX_CLASSES, Colour
from partialseg.source.bands import rgb_bands
from partialseg.source.raster import Header
from partialseg.surveying.content import Survey, suggested_stretch
from partialseg.surveying.pairs import Pairs
from partialseg.tiling.split import SPLITS

SIDES = (512, 384, 256, 192, 128, 96, 64, 32)  # px of a cell
FEW = 8  # orthophotos: with less, cells are drawn
CELLS = 10  # at least, where cells are drawn for three splits
RARE = 0.1  # share of the pixels
# Of classes that have none: distinct for colour-blind readers, too (Tol's muted scheme).
COLOURS: tuple[Colour, ...] = (
    (230, 218, 190), (136, 34, 85), (17, 119, 51), (136, 204, 238), (70, 60, 80), (204, 102, 119),
    (221, 204, 119), (51, 34, 136), (170, 68, 153), (153, 153, 51), (68, 170, 153), (90, 90, 90),
)  # fmt: skip


@dataclass(frozen=True)
class Values:
    """The values of masks that look like classes, and those that look like no truth.

    doubtful are those of the latter that only their rarity speaks for: background is rare, too,
    where classes cover nearly all.
    """

    classes: list[int]
    ignored: list[int]
    doubtful: list[int]


def split_values(found: Survey) -> Values:
    """Tell classes from what looks like no truth.

    That is the nodata value of the files; with ids 255, if there are two others, a rare 0 below ids
    that begin at 1, and what is negative; with colours a rare black or grey.
    """
    total = sum(found.counts.values())
    values = sorted(found.counts)
    ignored, doubtful = [], []
    for value in values:
        others = [other for other in values if other != value]
        is_rare = found.counts[value] < RARE * total
        by_rarity = False
        if value in found.nodata or value < 0:
            is_ignored = True
        elif found.are_colours:
            red, green, blue = as_colour(value)
            is_ignored = by_rarity = red == green == blue < 255 and is_rare
        else:
            last = value == 255 and len(others) > 1 and others[-1] < 254
            first = value == 0 and bool(others) and others[0] == 1 and is_rare
            by_rarity = first and _is_gapless(others)
            is_ignored = last or by_rarity
        if is_ignored:
            ignored.append(value)
        if by_rarity:
            doubtful.append(value)
    return Values([value for value in values if value not in ignored], ignored, doubtful)


def named(value: int, found: Survey) -> str:
    """Return a value of masks as people write it."""
    return str(list(as_colour(value)) if found.are_colours else value)


def to_decide(values: Values, found: Survey) -> list[str]:
    """Return sentences on the doubtful values: what it changes if the guess is wrong."""
    total = sum(found.counts.values())
    return [
        f"{named(value, found)}, on {found.counts[value] / total:.2%} of the pixels, is taken for "
        "no truth as it is rare. If it is a class (background), move it from what is ignored to "
        "the classes: what is ignored is neither learnt nor scored, and maps never show it"
        for value in values.doubtful
    ]


def _is_gapless(values: list[int]) -> bool:
    """Return whether values are 1, 2, 3, ... but for a last 255; a missing one may be too rare."""
    known = [value for value in values if value < 255]
    return len(known) > 1 and known[-1] <= 2 * len(known)


def as_colour(value: int) -> Colour:
    """Return red, green and blue of a colour that is written as one number."""
    return value >> 16, value >> 8 & 255, value & 255


def preset_text(folder: Path, pairs: Pairs, found: Survey) -> str:
    """Return the lines of a preset for a folder, with what was guessed said beside it.

    Raises:
        ValueError: the masks do not have the values of two classes, or those of too many.
    """
    values = split_values(found)
    if not 2 <= len(values.classes) <= MAX_CLASSES:
        raise ValueError(
            f"{folder}: no section can be made, since the masks hold {len(values.classes)} values "
            f"that may be classes, and a data set has 2 to {MAX_CLASSES}; see the problems above"
        )
    return "\n".join(
        [
            "# As `python src/survey.py` found it. Give the classes their names, and look at the",
            "# split and at what is ignored.",
            "download:",
            f"  path: {str(folder.resolve())!r}",
            *_patterns(pairs),
            *_reading(found),
            "  legend:",
            f"    mask_values: {'colours' if found.are_colours else 'ids'}",
            "    classes:",
            *(f"      - {line}" for line in _classes(values.classes, found)),
            *_ignored(values.ignored, found),
            *(line for sentence in to_decide(values, found) for line in _comment(sentence)),
            *_tile(found),
            "splits:",
            "  main: {}",
            "objects: ''",
            "",
        ]
    )


def _comment(sentence: str) -> list[str]:
    return [f"    # {line}" for line in textwrap.wrap(f"Decide: {sentence}.", 90)]


def _patterns(pairs: Pairs) -> Iterable[str]:
    if pairs.images:
        yield f"  images: {pairs.images!r}"
        yield f"  masks: {pairs.masks!r}"
        if pairs.unlabelled:
            yield "  unlabelled: leave_out"


def _reading(found: Survey) -> Iterable[str]:
    headers = found.headers
    if max(header.bands for header in headers.values()) < 3:
        yield "  bands: [1, 1, 1]  # guessed: grey"
    if any({*header.dtypes} != {"uint8"} for header in headers.values()):
        first = next(iter(headers.values()))
        bands = rgb_bands(first.declared) if first.bands > 2 else (1, 1, 1)
        stretch = suggested_stretch(headers, bands)
        if first.bands > 3:
            yield f"  bands: {list(bands)}  # guessed: red, green, blue"
        yield f"  stretch: {stretch}  # guessed: 2 and 98 % of the values of each band"
    if not found.gsd:
        yield "  # gsd: 0.3  # the files tell no pixel size: state it in metres if you know it"


def _classes(values: Iterable[int], found: Survey) -> Iterable[str]:
    for place, value in enumerate(values):
        if found.are_colours:
            name = "colour_" + "_".join(map(str, as_colour(value)))
            yield f"{{name: {name}, colour: {list(as_colour(value))}}}"
        else:
            colour = list(found.palette.get(value, COLOURS[place % len(COLOURS)]))
            yield f"{{name: class_{value}, colour: {colour}, values: [{value}]}}"


def _ignored(values: Iterable[int], found: Survey) -> Iterable[str]:
    if listed := list(values):
        if found.are_colours:
            yield f"    ignored_colours: {[list(as_colour(value)) for value in listed]}  # guessed"
        else:
            yield f"    ignored_values: {listed}  # guessed"


def _tile(found: Survey) -> Iterable[str]:
    headers = list(found.headers.values())
    smallest = min(min(header.width, header.height) for header in headers)
    fitting = [side for side in SIDES if side <= smallest] or [SIDES[-1]]
    method = "orthophoto" if len(headers) >= FEW else "random"
    enough = [side for side in fitting if _cells(headers, side) >= CELLS or method != "random"]
    side = (enough or fitting[-1:])[0]
    yield "tile:"
    groups = ", groups: ground" if method == "orthophoto" and found.groups >= len(SPLITS) else ""
    yield f"  {{source_size: {side}, size: {side}, partial_cells: pad, split: {method}{groups},"
    yield "   split_seed: 1, val: 0.2, test: 0.2, train_truth: masks}"


def _cells(headers: Iterable[Header], side: int) -> int:
    return sum((header.width // side) * (header.height // side) for header in headers)
