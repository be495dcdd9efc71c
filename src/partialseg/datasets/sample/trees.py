"""Tree crowns: small pictures of single crowns, stamped by height into the canvas."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from partialseg.datasets.sample.canvas import METRE, Canvas, Colour, Floats
from partialseg.datasets.sample.geometry import Points
from partialseg.datasets.sample.noise import smooth_noise
from partialseg.datasets.sample.survey import Survey

VARIANTS = 5  # different crowns of one size
SMALLEST, LARGEST = 3, 22  # crown radius in pixels
RELIEF = {"broadleaf": 0.9, "conifer": 1.5}  # height of a crown's dome over its radius


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
        for index, (left, top) in enumerate(corners.tolist()):
            crown = crowns[trees.kind, int(sizes[index])][variants[index]]
            stamp(canvas, tree_of, crown, left, top, float(trees.height[index]), first + index)
        first += len(trees.at)
    colours = np.concatenate([np.zeros((1, 3), np.float32), *(trees.colour for trees in groups)])
    rows, columns = np.nonzero(tree_of)
    leaves = 1 + 0.16 * smooth_noise(rng, canvas.shape, 1.7)[rows, columns]
    canvas.albedo[rows, columns] = colours[tree_of[rows, columns]] * leaves[:, None]


def stamp(
    canvas: Canvas,
    tree_of: NDArray[np.int32],
    crown: Crown,
    left: int,
    top: int,
    height: float,
    tree: int,
) -> None:
    """Stamp one crown with its upper left corner at (left, top), cut at the picture's edge."""
    size = crown.dome.shape[0]
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
