"""The regions of a class map as polygons, and the GeoPackage that holds them."""

import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.io import DatasetReader
from rasterio.windows import Window

from partialseg.core.files import part_folder
from partialseg.mapping.areas import row_areas
from partialseg.mapping.class_map import NODATA, read_classes
from partialseg.mapping.frame import frame_of
from partialseg.mapping.geopackage import add_style, write_errors, write_layer
from partialseg.mapping.styles import polygon_style
from partialseg.mapping.tracing import trace
from partialseg.source.raster import open_raster, read_values

LAYER = "land_cover"
FIELDS = ("class_id", "class_name", "area_m2", "area_px")
STRIP_PIXELS = 2**24  # of a class map, that are made polygons at a time
# Of the polygons that are written at a time: each time costs SQLite seconds.
MOST_CORNERS = 2**22


@dataclass(frozen=True, kw_only=True)
class Regions:
    """Class ids (N,) and polygons (N,) in pixels: x = column, y = row, from the upper left."""

    ids: NDArray[np.uint8]
    polygons: NDArray[Any]

    def __getitem__(self, chosen: NDArray[Any] | slice) -> "Regions":
        return Regions(ids=self.ids[chosen], polygons=self.polygons[chosen])


def find_regions(raster: DatasetReader, strip_rows: int) -> Iterator[Regions]:
    """Yield all regions of a class map, each once and whole: pixels that share a side.

    Strips of rows are turned into polygons one by one, and regions that the cuts between strips
    divide are joined again. A region is held in memory until a strip ends without it.

    Raises:
        ValueError: the file is damaged.
    """
    waiting: list[Regions] = []  # the parts of each region that reaches the last cut
    for top in range(0, raster.height, strip_rows):
        bottom = min(top + strip_rows, raster.height)
        ids = read_values(raster, Window(0, top, raster.width, bottom - top))[0]
        classes, polygons = trace(ids, top)
        strip = Regions(ids=classes, polygons=polygons)
        bounds = shapely.bounds(strip.polygons).reshape(-1, 4)
        cut = (bounds[:, 1] == top) & (top > 0)
        cut |= (bounds[:, 3] == bottom) & (bottom < raster.height)
        yield strip[~cut]
        parts = [*waiting, *(strip[index : index + 1] for index in np.flatnonzero(cut))]
        joined = _join(parts, len(waiting), top, raster.width)
        whole = [region for region in joined if not _reaches(region, bottom, raster.height)]
        waiting = [region for region in joined if _reaches(region, bottom, raster.height)]
        if whole:
            yield Regions(
                ids=np.concatenate([region.ids[:1] for region in whole]),
                polygons=np.array([_union(region, strip_rows) for region in whole], object),
            )


def _reaches(region: Regions, bottom: int, height: int) -> bool:
    return bottom < height and bool((shapely.bounds(region.polygons)[:, 3] == bottom).any())


def _join(parts: list[Regions], above: int, cut: int, width: int) -> list[Regions]:
    """Join parts of one class that share a side at the cut; the first `above` lie above it."""
    upper = _owners(parts[:above], 0, cut, width)
    lower = _owners(parts[above:], above, cut, width)
    ids = np.array([part.ids[0] for part in parts] + [NODATA])
    same = (upper >= 0) & (lower >= 0) & (ids[upper] == ids[lower])
    first = list(range(len(parts)))  # the parent of each part: parts with one root are one region

    def root(index: int) -> int:
        while first[index] != index:
            first[index] = first[first[index]]
            index = first[index]
        return index

    for one, other in np.unique(np.stack([upper[same], lower[same]], axis=1), axis=0):
        first[root(int(one))] = root(int(other))
    groups: dict[int, list[Regions]] = defaultdict(list)
    for index, part in enumerate(parts):
        groups[root(index)].append(part)
    return [
        Regions(
            ids=np.concatenate([part.ids for part in group]),
            polygons=np.concatenate([part.polygons for part in group]),
        )
        for group in groups.values()
    ]


def _owners(parts: list[Regions], start: int, cut: int, width: int) -> NDArray[np.int64]:
    """Return which part (numbered from start) has the pixel at the cut in each column, or -1."""
    owners = np.full(width, -1, np.int64)
    for number, part in enumerate(parts, start):
        # A hole has no side at a cut: the region would have to go on beyond it.
        at_cut = (shapely.bounds(part.polygons)[:, [1, 3]] == cut).any(axis=1)
        shells = shapely.get_exterior_ring(part.polygons[at_cut])
        corners, shell = shapely.get_coordinates(shells, return_index=True)
        level = corners[:, 1] == cut
        sides = np.flatnonzero(level[:-1] & level[1:] & (shell[:-1] == shell[1:]))
        for side in sides:
            left, right = sorted((int(corners[side, 0]), int(corners[side + 1, 0])))
            owners[left:right] = number
    return owners


def _union(region: Regions, strip_rows: int) -> Any:
    """Return the one polygon that the parts of a region make up."""
    if len(region.polygons) == 1:
        return region.polygons[0]
    # The holes of a part stay as they are: the union, whose time grows faster than the number of
    # corners, is made without them.
    rings, part = shapely.get_rings(region.polygons, return_index=True)
    is_hole = np.diff(part, prepend=-1) == 0
    shells = _with_steps(shapely.polygons(rings[~is_hole]), strip_rows)
    whole = _without_seams(shapely.coverage_union_all(shells))
    new = shapely.get_rings(whole)
    return shapely.polygons(new[0], np.concatenate([new[1:], rings[is_hole]]))


def _with_steps(shells: NDArray[Any], strip_rows: int) -> NDArray[Any]:
    """Split the sides along cuts into sides of one pixel, which both sides of a cut then share.

    A union of such a coverage only has to drop these sides, which is much faster.
    """
    kind, corners, (ring_ends, polygon_ends) = shapely.to_ragged_array(shells)
    way = np.diff(corners, axis=0, append=corners[:1])
    at_cut = (way[:, 1] == 0) & (corners[:, 1] % strip_rows == 0)
    at_cut[ring_ends[1:] - 1] = False  # from a ring to the next
    steps = np.where(at_cut, np.abs(way[:, 0]), 1).astype(np.int64)
    starts = np.concatenate([[0], np.cumsum(steps)])
    points = np.repeat(corners, steps, axis=0)
    done = np.arange(len(points)) - np.repeat(starts[:-1], steps)
    points[:, 0] += done * np.sign(np.repeat(way[:, 0], steps))
    return shapely.from_ragged_array(kind, points, (starts[ring_ends], polygon_ends))


def _without_seams(polygon: Any) -> Any:
    """Drop the points that are no corners: those where a straight side crosses a cut."""
    # A normalised ring starts at its leftmost lowest point, which is a true corner.
    kind, corners, (ring_ends, polygon_ends) = shapely.to_ragged_array([shapely.normalize(polygon)])
    before, after = np.roll(corners, 1, axis=0), np.roll(corners, -1, axis=0)
    straight = ((before == corners) & (corners == after)).any(axis=1)
    straight[ring_ends[:-1]] = straight[ring_ends[1:] - 1] = False
    kept = np.concatenate([[0], np.cumsum(~straight)])
    return shapely.from_ragged_array(kind, corners[~straight], (kept[ring_ends], polygon_ends))[0]


class _Layer:
    """The layer of a GeoPackage that is written to `part`, and called `file` in messages."""

    def __init__(self, part: Path, file: Path, class_map: DatasetReader, min_area: float) -> None:
        self.part = part
        self.count = 0  # of the regions appended so far
        self._file = file
        self._waiting: list[tuple[NDArray[Any], ...]] = []  # polygons and columns
        self._corners = 0  # of the polygons that are waiting
        names, self._palette = read_classes(class_map)
        self._names = np.array(names, object)
        self._frame = frame_of(class_map)
        self._row_areas = row_areas(self._frame)
        self._min_area = min_area

    def append(self, regions: Regions) -> None:
        """Append those regions that are large enough.

        Raises:
            OSError: they cannot be written.
        """
        pixels = shapely.area(regions.polygons)
        areas = _areas(regions, pixels, self._row_areas)
        large = (pixels if self._row_areas is None else areas) >= self._min_area
        regions, pixels, areas = regions[large], pixels[large], areas[large]
        place = self._frame.placed
        polygons = shapely.transform(
            regions.polygons, lambda corners: np.stack(place @ tuple(corners.T), axis=1)
        )
        names = self._names[regions.ids]
        ids = regions.ids.astype(np.int32)
        self._waiting.append((polygons, ids, names, areas, pixels.astype(np.int64)))
        self.count += len(polygons)
        self._corners += int(shapely.count_coordinates(polygons))
        if self._corners >= MOST_CORNERS:
            self._write()

    def finish(self) -> None:
        """Write what is waiting, and the colours of the classes in which QGIS shows the layer.

        Raises:
            OSError: they cannot be written.
        """
        if self._waiting:
            self._write()
        with write_errors(self._file):
            style = polygon_style("class_name", self._names.tolist(), self._palette)
            add_style(self.part, LAYER, style)

    def _write(self) -> None:
        polygons, *columns = map(np.concatenate, zip(*self._waiting, strict=True))
        self._waiting, self._corners = [], 0
        with write_errors(self._file):
            named = dict(zip(FIELDS, columns, strict=True))
            write_layer(self.part, LAYER, "Polygon", self._frame, polygons, named)


def _areas(
    regions: Regions, pixels: NDArray[np.float64], by_row: NDArray[np.float64] | None
) -> NDArray[np.float64]:
    """Return m2 by the mean row of each region; without a CRS NaN, which is written as null."""
    if by_row is None:
        return np.full(len(pixels), np.nan)
    mean_rows = shapely.get_y(shapely.centroid(regions.polygons)) - 0.5
    return pixels * np.interp(mean_rows, np.arange(len(by_row)), by_row)


def write_polygons(class_map: Path, file: Path, min_area: float) -> int:
    """Write the regions of a class map as a GeoPackage, and return how many they are.

    A region is a set of pixels of one class that are connected by their sides. Those smaller than
    min_area (m2; pixels where the map has no CRS) are left out. The layer land_cover has the fields
    class_id, class_name, area_m2 (null without a CRS) and area_px. Where the map has no
    georeference, a pixel is a unit, x = column and y = -row, as QGIS shows such a map.

    Raises:
        ValueError: min_area is negative, or the class map is damaged.
        OSError: the file cannot be written.
    """
    if not min_area >= 0:
        raise ValueError(f"min_area must be at least 0, got {min_area}")
    with part_folder(file) as folder, open_raster(class_map) as raster:
        layer = _Layer(folder / "polygons.gpkg", file, raster, min_area)
        for regions in find_regions(raster, max(1, STRIP_PIXELS // raster.width)):
            layer.append(regions)
        layer.finish()
        os.replace(layer.part, file)
    return layer.count
