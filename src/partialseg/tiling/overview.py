"""What the tile stage tells of a data set: pixels by class and split, and what is in two splits."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from tabulate import tabulate

from partialseg.source.index import Orthophoto, Source
from partialseg.source.legend import Legend
from partialseg.source.overlaps import overlaps
from partialseg.tiling import split
from partialseg.tiling.ground import footprint_of
from partialseg.tiling.patches import Patch

LISTED = 20  # sentences of one kind


def class_table(legend: Legend, patches: Sequence[Patch], wanted: Sequence[str]) -> str:
    """Return a table of the pixels of each class in each split, and sentences on empty ones."""
    of_split = {name: [patch for patch in patches if patch.split == name] for name in split.SPLITS}
    rows, empty = [], []
    for place, item in enumerate(legend.classes):
        counts = {
            name: sum(patch.counts[place] for patch in items) for name, items in of_split.items()
        }
        rows.append([item.name, _value(legend, place), *counts.values()])
        without = [name for name in wanted if not counts[name]]
        if without:
            empty.append(f"class {item.name!r} has no pixel in {' and '.join(without)}")
    ignored = [sum(patch.no_truth for patch in items) for items in of_split.values()]
    rows.append(["(no truth)", "", *ignored])
    headers = ["class", "value", *(f"{name} px" for name in split.SPLITS)]
    table = tabulate(
        rows, headers, disable_numparse=True, colalign=("left", "left", *["right"] * 3)
    )
    return "\n".join([table, *empty])


def _value(legend: Legend, place: int) -> str:
    item = legend.classes[place]
    if legend.mask_values == "colours":
        return ", ".join(map(str, item.colour))
    return ", ".join(map(str, item.values or (place,)))


def shared_between_splits(source: Source, patches: Sequence[Patch]) -> list[str]:
    """Return sentences on orthophotos of different splits that show the same ground or are equal.

    Ground is compared by georeference. Cells of one orthophoto share none.
    """
    splits: dict[str, set[str]] = defaultdict(set)
    for patch in patches:
        if patch.split in split.SPLITS:
            splits[patch.orthophoto].add(patch.split)
    used = [item for item in source.orthophotos if splits[item.name]]
    return [*_shared_ground(used, splits), *_equal_files(used, splits)]


def _shared_ground(used: Sequence[Orthophoto], splits: dict[str, set[str]]) -> Iterable[str]:
    found = [
        f"{item.first} ({_named(splits[item.first])}) and {item.second} "
        f"({_named(splits[item.second])}) share {item.share:.0%} of their ground"
        for item in overlaps(map(footprint_of, used))
        if _apart(splits[item.first], splits[item.second])
    ]
    yield from found[:LISTED]
    if len(found) > LISTED:
        yield f"... and {len(found) - LISTED} more pairs of different splits share ground"


def _equal_files(used: Sequence[Orthophoto], splits: dict[str, set[str]]) -> Iterable[str]:
    names = Counter(item.image_md5 for item in used)
    of_md5: dict[str, list[Orthophoto]] = defaultdict(list)
    for item in used:
        if names[item.image_md5] > 1:
            of_md5[item.image_md5].append(item)
    for first, *others in of_md5.values():
        for other in others:
            if _apart(splits[first.name], splits[other.name]):
                yield (
                    f"{first.name} ({_named(splits[first.name])}) and {other.name} "
                    f"({_named(splits[other.name])}) are equal images"
                )


def _apart(one: set[str], other: set[str]) -> bool:
    """Return whether two orthophotos are not wholly in one and the same split."""
    return len(one | other) > 1


def _named(splits: set[str]) -> str:
    return ", ".join(name for name in split.SPLITS if name in splits)
