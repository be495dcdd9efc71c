"""Trees and woods: crowns and how they are stamped, where woods lie, and their stands of trees."""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from partialseg.datasets.sample.canvas import (
    METRE,
    WOODLAND,
    Bytes,
    Canvas,
    Colour,
    Flags,
    Floats,
    Points,
    Shape,
    distance_to,
    fractal_noise,
    paint,
    smooth_noise,
)
from partialseg.datasets.sample.fields import PARCELS, Parcels
from partialseg.datasets.sample.survey import Survey

VARIANTS = 5  # different crowns of one size
SMALLEST, LARGEST = 3, 22  # crown radius in pixels
RELIEF = {"broadleaf": 0.9, "conifer": 1.5}  # height of a crown's dome over its radius
LEAST_WOOD = (11 * METRE) ** 2  # pixels: smaller groups of trees are left to the background
NARROWEST = 3.5 * METRE  # strips of trees and of clearings
UNWANTED = -100.0  # liking for wood where there can be none
OUTLINE_ERROR = 0.9 * METRE  # an annotator's polygon follows a wood about this well


@dataclass(frozen=True)
class Crown:
    """A crown's dome 0..1 (0 outside) and its sunlight, both (s, s)."""

    dome: Floats
    sunlight: Floats


def make_crown(rng: np.random.Generator, radius: int, kind: str, survey: Survey) -> Crown:
    """Draw one crown of the kind (broadleaf or conifer) with its lit and its dark side."""
    size = 2 * radius + 3
    axis = np.arange(size, dtype=np.float32) - np.float32((size - 1) / 2)
    x, y = axis[None, :], axis[:, None]
    bearing = np.arctan2(y, x)
    outline = 1 + 0.10 * np.sin(3 * bearing + rng.uniform(0, 6.3))
    outline += 0.09 * np.sin(5 * bearing + rng.uniform(0, 6.3))
    away = np.hypot(x, y) / (radius * outline)
    lumps = smooth_noise(rng, (size, size), max(2.0, radius / 3))
    if kind == "conifer":
        dome = np.clip(1 - away, 0, 1) ** 0.8 * (1 + 0.12 * np.sin(9 * bearing))
    else:
        dome = np.sqrt(np.clip(1 - away**2, 0, 1)) * (1 + 0.13 * lumps)
    dome = np.where(away < 1, np.clip(dome, 0.02, 1.3), 0)
    slope_y, slope_x = np.gradient(dome * (radius * RELIEF[kind]) + 0.35 * lumps)
    east, south, up = survey.sun
    facing = (up - slope_x * east - slope_y * south) / np.sqrt(1 + slope_x**2 + slope_y**2)
    sunlight = np.clip(facing / up, 0.05, 1.6)
    return Crown(np.asarray(dome, np.float32), np.asarray(sunlight, np.float32))


@dataclass(frozen=True)
class Trees:
    """Trunk positions (N, 2), crown radii and heights in pixels (N,), colours (N, 3), one kind."""

    kind: str
    at: Points
    radius: Points
    height: Points
    colour: Floats


def grow(
    rng: np.random.Generator,
    kind: str,
    at: Points,
    radius: tuple[float, float],
    slenderness: float,
    palette: tuple[Colour, ...],
) -> Trees:
    """Trees at points (N, 2) with radii in pixels; height is about slenderness times radius."""
    count = len(at)
    radii = rng.uniform(*radius, count)
    colour = np.asarray(palette, np.float32)[rng.integers(len(palette), size=count)]
    colour *= rng.normal(1, 0.10, (count, 1)).astype(np.float32)
    colour *= rng.normal(1, 0.03, (count, 3)).astype(np.float32)
    height = radii * slenderness * rng.uniform(0.8, 1.2, count)
    return Trees(kind, at, radii, np.minimum(height, 24 * METRE), colour)


def stamp_trees(
    canvas: Canvas, groups: list[Trees], survey: Survey, rng: np.random.Generator
) -> None:
    """Stamp all crowns; where crowns overlap the higher one is seen."""
    crowns = {
        (kind, radius): [make_crown(rng, radius, kind, survey) for _ in range(VARIANTS)]
        for kind in RELIEF
        for radius in range(SMALLEST, LARGEST + 1)
    }
    tree_of = np.zeros(canvas.shape, np.int32)
    first = 1
    for trees in groups:
        variants = rng.integers(VARIANTS, size=len(trees.at))
        sizes = np.clip(np.round(trees.radius), SMALLEST, LARGEST).astype(int)
        corners = np.round(trees.at).astype(int) - sizes[:, None] - 1
        for index, corner in enumerate(corners.tolist()):
            crown = crowns[trees.kind, int(sizes[index])][variants[index]]
            stamp(canvas, tree_of, crown, corner, float(trees.height[index]), first + index)
        first += len(trees.at)
    colours = np.concatenate([np.zeros((1, 3), np.float32), *(trees.colour for trees in groups)])
    rows, columns = np.nonzero(tree_of)
    leaves = 1 + 0.16 * smooth_noise(rng, canvas.shape, 1.7)[rows, columns]
    canvas.albedo[rows, columns] = colours[tree_of[rows, columns]] * leaves[:, None]


def stamp(
    canvas: Canvas,
    tree_of: NDArray[np.int32],
    crown: Crown,
    corner: tuple[int, int],
    height: float,
    tree: int,
) -> None:
    """Stamp one crown of a tree, its upper left corner at (x, y), cut at the picture's edge."""
    (left, top), size = corner, crown.dome.shape[0]
    rows, columns = canvas.shape
    y0, x0, y1, x1 = max(top, 0), max(left, 0), min(top + size, rows), min(left + size, columns)
    if y0 >= y1 or x0 >= x1:
        return
    window = (slice(y0, y1), slice(x0, x1))
    part = (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))
    dome = crown.dome[part]
    crown_height = np.float32(height) * (np.float32(0.5) + np.float32(0.5) * dome)
    seen = (dome > 0) & (crown_height > canvas.height[window])
    np.copyto(canvas.height[window], crown_height, where=seen)
    np.copyto(canvas.sunlight[window], crown.sunlight[part], where=seen)
    np.copyto(tree_of[window], np.int32(tree), where=seen)


def scattered(rng: np.random.Generator, shape: tuple[int, int], spacing: float) -> Points:
    """Points (N, 2) of a randomly turned and shaken grid over the picture."""
    reach = math.hypot(*shape) / 2
    axis = np.arange(-reach, reach, spacing)
    grid = np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)
    grid = grid + rng.uniform(-0.32, 0.32, grid.shape) * spacing
    angle = rng.uniform(0, math.pi / 2)
    cos, sin = math.cos(angle), math.sin(angle)
    points = grid @ np.array([[cos, sin], [-sin, cos]]) + np.array(shape[::-1]) / 2
    inside = np.all((points >= 0) & (points < np.array(shape[::-1])), axis=1)
    return np.asarray(points[inside], np.float64)


@dataclass(frozen=True, kw_only=True)
class Stand:
    """Trees of a wood where the stand field lies in above..below; lengths are in pixels."""

    above: float
    below: float
    spacing: float
    radii: tuple[float, float]
    slenderness: float  # height over crown radius
    needles: bool
    leaves: bool  # with needles too: a mixed stand


STANDS = (
    Stand(  # spruce and pine plantation
        above=-9.0,
        below=-0.5,
        spacing=2.6 * METRE,
        radii=(1.3 * METRE, 2.1 * METRE),
        slenderness=9.0,
        needles=True,
        leaves=False,
    ),
    Stand(
        above=-0.5,
        below=0.1,
        spacing=4.0 * METRE,
        radii=(1.7 * METRE, 2.9 * METRE),
        slenderness=8.0,
        needles=True,
        leaves=True,
    ),
    Stand(  # old broadleaves
        above=-0.1,
        below=9.0,
        spacing=5.0 * METRE,
        radii=(2.0 * METRE, 4.4 * METRE),
        slenderness=5.0,
        needles=False,
        leaves=True,
    ),
    Stand(  # their undergrowth, or a young stand
        above=0.9,
        below=9.0,
        spacing=3.2 * METRE,
        radii=(1.4 * METRE, 2.4 * METRE),
        slenderness=5.0,
        needles=False,
        leaves=True,
    ),
)


def woodland(
    rng: np.random.Generator,
    parcels: Parcels,
    blocked: Flags,
    home_distance: Floats,
    water_distance: Floats,
    share: float,
) -> Flags:
    """Woods (H, W) of about share of the picture: whole parcels, free shapes, river banks."""
    shape: Shape = (blocked.shape[0], blocked.shape[1])
    reach = float(min(shape))
    liking = fractal_noise(rng, shape, min(75 * METRE, 0.2 * reach), 5)
    liking += rng.normal(0, 0.75, PARCELS).astype(np.float32)[parcels.ids]
    liking += 1.6 * np.exp(-water_distance / np.float32(9 * METRE))
    liking -= 2.2 * np.exp(-home_distance / np.float32(min(24 * METRE, 0.06 * reach)))
    liking[blocked] = UNWANTED
    brush = 1 + 2 * round(min(NARROWEST, 0.04 * reach) / 2)
    level = np.quantile(liking[::4, ::4], 1 - 1.04 * share)
    wood = np.asarray(liking > level, np.uint8)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (brush, brush))
    wood = np.asarray(cv2.morphologyEx(wood, cv2.MORPH_CLOSE, kernel), np.uint8)
    wood = np.asarray(cv2.morphologyEx(wood, cv2.MORPH_OPEN, kernel), np.uint8)
    wood = outlined(wood)
    return np.asarray((wood > 0) | near_shore(wood, water_distance)) & ~blocked


def outlined(wood: Bytes) -> Bytes:
    """The woods (H, W) as an annotator draws them: polygons with few corners, no small ones."""
    contours, _ = cv2.findContours(wood, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    polygons = [
        cv2.approxPolyDP(contour, OUTLINE_ERROR, True)
        for contour in contours
        if cv2.contourArea(contour) > min(LEAST_WOOD, 0.006 * wood.size)
    ]
    drawn = np.zeros_like(wood)
    cv2.fillPoly(drawn, polygons, 1)
    return drawn


def near_shore(wood: Bytes, water_distance: Floats) -> Flags:
    """The strip (H, W) between woods and the shore, too thin for an annotator to leave out."""
    kernel = np.ones((9, 9), np.uint8)
    return np.asarray((cv2.dilate(wood, kernel) > 0) & (water_distance < 1.5 * METRE))


def plant_woods(
    canvas: Canvas, wood: Flags, parcels: Parcels, survey: Survey, rng: np.random.Generator
) -> list[Trees]:
    """Paint the forest floor, mark the woods (H, W), and return their trees."""
    floor = np.asarray(survey.season.broadleaves[0], np.float32) * np.float32(0.75)
    paint(canvas.albedo, wood, floor, 0.15 * smooth_noise(rng, canvas.shape, 3.0))
    canvas.mask[wood] = WOODLAND
    stand = smooth_noise(rng, canvas.shape, 40 * METRE)
    stand += rng.normal(0, 0.7, PARCELS).astype(np.float32)[parcels.ids]
    edge = distance_to(~wood)
    groups = []
    for kind in STANDS:
        at = scattered(rng, canvas.shape, kind.spacing)
        x, y = at.astype(int).T
        here = (stand[y, x] > kind.above) & (stand[y, x] <= kind.below)
        here &= edge[y, x] > 0.45 * kind.radii[0]  # crowns reach over the outline, trunks do not
        leaves = survey.season.broadleaves if kind.leaves else ()
        colours = (*leaves, survey.season.conifer) if kind.needles else leaves
        tree = "conifer" if kind.needles else "broadleaf"
        groups.append(grow(rng, tree, at[here], kind.radii, kind.slenderness, colours))
    return groups
