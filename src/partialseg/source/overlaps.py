"""Orthophotos that show the same ground, by their georeference, or are the same file."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from affine import Affine
from shapely import STRtree
from shapely.geometry import Polygon

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

    Only those of one CRS are compared; those without a CRS are not, since their coordinates may
    mean anything.
    """
    of_crs: dict[str, list[Footprint]] = defaultdict(list)
    for item in footprints:
        if item.crs:
            of_crs[item.crs].append(item)
    found = []
    for items in of_crs.values():
        outlines = [item.polygon() for item in items]
        tree = STRtree(outlines)
        for one, other in tree.query(outlines, predicate="intersects").T.tolist():
            if one >= other:
                continue
            shared = outlines[one].intersection(outlines[other]).area
            share = shared / min(outlines[one].area, outlines[other].area)
            if share > LEAST:
                first, second = items[one].name, items[other].name
                found.append(Overlap(first=first, second=second, share=share))
    return sorted(found, key=lambda item: (-item.share, item.first, item.second))
