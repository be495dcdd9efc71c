"""Orthophotos that share ground, so that a split can keep them together."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from affine import Affine

from partialseg.source.index import Orthophoto
from partialseg.source.overlaps import Footprint, overlaps
from partialseg.source.placement import FILLED_IN, NO_TRANSFORM

PLANE = "a plane"  # in place of a CRS, where no file states one


def footprint_of(orthophoto: Orthophoto) -> Footprint:
    """Return where an orthophoto lies."""
    return Footprint(
        name=orthophoto.name,
        width=orthophoto.width,
        height=orthophoto.height,
        crs=orthophoto.crs,
        transform=orthophoto.transform,
    )


def ground_groups(orthophotos: Sequence[Orthophoto]) -> dict[str, str]:
    """Return the group of each orthophoto: the first name of all that share ground with it.

    They share it directly or through others; equal images count as one ground. Where no file
    states a CRS, all coordinates are taken to be of one.

    Raises:
        ValueError: an orthophoto has no georeference, or some state a CRS and others none.
    """
    footprints = _comparable(orthophotos)
    pairs = [(item.first, item.second) for item in overlaps(footprints)]
    first_of: dict[str, str] = {}
    for item in orthophotos:
        pairs.append((first_of.setdefault(item.image_md5, item.name), item.name))
    return connected(sorted(item.name for item in orthophotos), pairs)


def _comparable(orthophotos: Sequence[Orthophoto]) -> list[Footprint]:
    for item in orthophotos:
        if Affine(*item.transform) in (NO_TRANSFORM, FILLED_IN):
            raise ValueError(f"{item.image}: has no georeference, which groups: ground needs")
    with_crs = [item for item in orthophotos if item.crs]
    without = [item for item in orthophotos if not item.crs]
    if with_crs and without:
        raise ValueError(
            f"{without[0].image}: states no CRS, and {with_crs[0].image} does; groups: ground "
            "cannot compare their places"
        )
    footprints = map(footprint_of, orthophotos)
    return [item if item.crs else replace(item, crs=PLANE) for item in footprints]


def connected(names: Sequence[str], pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return for each name the first one that pairs connect it with."""
    group_of = {name: name for name in names}
    for pair in pairs:
        one, other = sorted(group_of[name] for name in pair)
        if one != other:
            group_of = {name: one if of == other else of for name, of in group_of.items()}
    return group_of


def tell_groups(group_of: dict[str, str]) -> None:
    """Print how many groups there are, and the largest."""
    sizes = Counter(group_of.values())
    name, size = min(sizes.items(), key=lambda item: (-item[1], item[0]))
    print(
        f"{len(group_of)} orthophotos are in {len(sizes)} groups that share ground; the largest, "
        f"that of {name}, has {size}"
    )
