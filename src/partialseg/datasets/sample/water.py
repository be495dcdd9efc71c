"""Rivers, lakes and ponds: their shores and their look."""

import math

import cv2
import numpy as np

from partialseg.datasets.sample.canvas import (
    METRE,
    WATER,
    Canvas,
    Colour,
    Flags,
    Floats,
    Shape,
    distance_to,
    draw_curve,
    fractal_noise,
    paint,
    smooth_noise,
    tint,
)
from partialseg.datasets.sample.roads import Road, river_course
from partialseg.datasets.sample.survey import Survey

SHORE_GAP = 12 * METRE  # still water keeps this far from roads
STREAM_WIDTH = (2.5 * METRE, 5 * METRE)
LEAST_POND = (10 * METRE) ** 2  # pixels
WATER_COLOURS: tuple[Colour, ...] = (
    (0.16, 0.22, 0.20),
    (0.21, 0.27, 0.20),
    (0.13, 0.18, 0.19),
    (0.24, 0.27, 0.24),
)
REED_COLOUR: Colour = (0.50, 0.50, 0.33)
SHALLOW_COLOUR: Colour = (0.36, 0.37, 0.26)
WEED_COLOUR: Colour = (0.30, 0.38, 0.20)


def water_bodies(
    rng: np.random.Generator, shape: Shape, roads: list[Road], road_distance: Floats, share: float
) -> Flags:
    """Where water lies (H, W): a river, a lake or ponds, about share of the picture together."""
    kind = rng.choice(["river", "lake", "ponds"])
    water = np.zeros(shape, np.uint8)
    if kind == "river":
        course = np.zeros(shape, np.uint8)
        draw_curve(course, river_course(rng, shape, roads), 1)
        shore = distance_to(course)
    else:
        if rng.random() < 0.6:
            draw_curve(water, river_course(rng, shape, roads), rng.uniform(*STREAM_WIDTH))
        basins = 1 if kind == "lake" else int(rng.integers(3, 6))
        shore = still_shore(rng, shape, road_distance, basins)
    shore += fractal_noise(rng, shape, 18 * METRE, 4) * (2.5 * METRE)
    missing = max(0.2 * share, share - np.count_nonzero(water) / water.size)
    level = np.quantile(shore[::4, ::4], missing)
    lying = np.asarray(shore < level, np.uint8) | water
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 7))
    lying = np.asarray(cv2.morphologyEx(lying, cv2.MORPH_CLOSE, kernel), np.uint8)
    land = ~without_specks(lying > 0)
    return ~without_specks(land)


def without_specks(where: Flags) -> Flags:
    """The connected parts of where (H, W) that are as large as a pond at least."""
    _, labels, statistics, _ = cv2.connectedComponentsWithStats(np.asarray(where, np.uint8))
    large = statistics[:, cv2.CC_STAT_AREA] >= min(LEAST_POND, 0.003 * where.size)
    return np.asarray(large[labels] & where)


def still_shore(
    rng: np.random.Generator, shape: Shape, road_distance: Floats, basins: int
) -> Floats:
    """Field (H, W) in pixels that grows from the middle of each basin, and towards roads."""
    height, width = shape
    gap = min(SHORE_GAP, 0.04 * min(shape))
    columns = np.arange(width, dtype=np.float32)[None, :]
    rows = np.arange(height, dtype=np.float32)[:, None]
    shore = np.full(shape, np.inf, np.float32)
    for _ in range(basins):
        x, y = basin_centre(rng, road_distance)
        angle, stretch, size = rng.uniform(0, math.pi), rng.uniform(1.2, 2.6), rng.uniform(0.7, 1.6)
        cos, sin = np.float32(math.cos(angle)), np.float32(math.sin(angle))
        along = ((columns - x) * cos + (rows - y) * sin) / np.float32(stretch * size)
        across = ((rows - y) * cos - (columns - x) * sin) / np.float32(size)
        np.minimum(shore, np.sqrt(along**2 + across**2), out=shore)
    bays = fractal_noise(rng, shape, 0.13 * min(shape), 3)
    shore *= np.exp(np.float32(0.28) * bays)
    return np.asarray(shore + 40 * np.maximum(gap - road_distance, 0), np.float32)


def basin_centre(rng: np.random.Generator, road_distance: Floats) -> tuple[float, float]:
    """The point (x, y) farthest from roads among a few random ones."""
    height, width = road_distance.shape
    x = rng.integers(width // 12, width - width // 12, 6)
    y = rng.integers(height // 12, height - height // 12, 6)
    best = int(np.argmax(road_distance[y, x]))
    return float(x[best]), float(y[best])


def paint_water(canvas: Canvas, water: Flags, survey: Survey, rng: np.random.Generator) -> None:
    """Paint water (H, W) dark, paler and weedy at the shore, with ripples, and reeds around it."""
    depth = np.minimum(distance_to(~water), np.float32(14 * METRE))
    outside = distance_to(water)
    patches = fractal_noise(rng, canvas.shape, 12 * METRE, 3)
    reeds = ~water & (outside < (1.2 + 2.2 * np.maximum(patches, 0)) * METRE)
    paint(canvas.albedo, reeds, REED_COLOUR, 0.16 * smooth_noise(rng, canvas.shape, 2.5))

    colour = np.asarray(WATER_COLOURS[rng.integers(len(WATER_COLOURS))], np.float32)
    texture = rng.uniform(-0.15, 0.2) + 0.07 * patches
    texture += 0.04 * smooth_noise(rng, canvas.shape, 3.0)
    if survey.glint > 0:
        ripples = np.maximum(smooth_noise(rng, canvas.shape, 3.6), 0) ** 2
        gusts = np.maximum(smooth_noise(rng, canvas.shape, 40 * METRE), 0)
        texture += survey.glint * ripples * gusts
    paint(canvas.albedo, water, colour, texture)
    shallow = 0.5 * np.exp(-depth / np.float32(1.6 * METRE)) + 0.14 * (depth < 6 * METRE)
    tint(canvas.albedo, water, SHALLOW_COLOUR, np.asarray(shallow, np.float32))
    weed = water & (patches - depth / np.float32(9 * METRE) > rng.uniform(0.4, 1.6))
    tint(canvas.albedo, weed, WEED_COLOUR, 0.5)
    canvas.mask[water] = WATER
