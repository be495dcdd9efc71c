"""Orthophotos that show the same ground, by their georeference, or are the same file."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from affine import Affine
from pyproj import Transformer
from pyproj.exceptions import ProjError
from shapely import STRtree, transform
from shapely.geometry import Polygon

DEGREES = "EPSG:4326"
CORNERS = 64  # of an outline, at least, when it is moved to another CRS
LEAST = 0.001  # share of the smaller orthophoto: less is rounding


@dataclass(frozen=True, kw_only=True)
class Footprint:
    """Where an orthophoto lies: its size in pixels, CRS ('': unknown) and transform."""

    name: str
    width: int
    height: int
    crs: str
    transform: tuple[float, ...]

    def polygon(self) -> Polygon:
        """Return its outline in its CRS."""
        width, height = self.width, self.height
        corners = ((0, 0), (width, 0), (width, height), (0, height))
        return Polygon([Affine(*self.transform) @ corner for corner in corners])


@dataclass(frozen=True, kw_only=True)
class Overlap:
    """Two orthophotos, and the share of the smaller one's ground that the other shows, too."""

    first: str
    second: str
    share: float


def overlaps(footprints: Iterable[Footprint]) -> list[Overlap]:
    """Return the pairs that share ground, the largest share first.

    Those of different CRS are compared in degrees. Those without a CRS are not compared, since
    their coordinates may mean anything.
    """
    of_crs: dict[str, list[Footprint]] = defaultdict(list)
    for item in footprints:
        if item.crs:
            of_crs[item.crs].append(item)
    found = []
    for items in of_crs.values():
        found += _overlaps(items, [item.polygon() for item in items])
    if len(of_crs) > 1:
        placed = [
            (item, outline)
            for items in of_crs.values()
            for item, outline in zip(items, _in_degrees(items), strict=True)
            if outline is not None
        ]
        crs_of = {item.name: item.crs for item, _ in placed}
        found += [
            item
            for item in _overlaps([item for item, _ in placed], [outline for _, outline in placed])
            if crs_of[item.first] != crs_of[item.second]
        ]
    return sorted(found, key=lambda item: (-item.share, item.first, item.second))


def _overlaps(items: Sequence[Footprint], outlines: Sequence[Polygon]) -> list[Overlap]:
    found = []
    tree = STRtree(outlines)
    for one, other in tree.query(outlines, predicate="intersects").T.tolist():
        if one >= other:
            continue
        shared = outlines[one].intersection(outlines[other]).area
        share = shared / min(outlines[one].area, outlines[other].area)
        if share > LEAST:
            first, second = sorted((items[one].name, items[other].name))
            found.append(Overlap(first=first, second=second, share=share))
    return found


def _in_degrees(items: Sequence[Footprint]) -> list[Polygon | None]:
    """Return the outlines of footprints of one CRS in degrees, None where that is not possible."""
    try:
        to_degrees = Transformer.from_crs(items[0].crs, DEGREES, always_xy=True)
    except ProjError:  # a local system
        return [None] * len(items)
    outlines = []
    for item in items:
        outline = item.polygon()
        # An edge that is straight in one CRS is bent in another.
        dense = outline.segmentize(outline.length / CORNERS)
        moved = transform(dense, to_degrees.transform, interleaved=False)
        outlines.append(moved if moved.is_valid and not moved.is_empty else None)
    return outlines
