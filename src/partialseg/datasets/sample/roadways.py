"""Asphalt roads with markings and cars, and unpaved farm tracks."""

import numpy as np

from partialseg.datasets.sample.canvas import (
    GRAVEL,
    METRE,
    ROAD,
    Bytes,
    Canvas,
    Colour,
    Shape,
    paint,
    tint,
)
from partialseg.datasets.sample.geometry import (
    Points,
    Rectangle,
    draw_curve,
    offset_curve,
    resample,
)
from partialseg.datasets.sample.network import Road
from partialseg.datasets.sample.noise import smooth_noise

SHOULDER = 1.2 * METRE
SHOULDER_COLOUR: Colour = (0.60, 0.57, 0.48)
MARKING: Colour = (0.86, 0.86, 0.84)
DASH, DASH_PERIOD = 4, 12  # metres, as on Polish country roads
METRES_PER_CAR = 120
CARS: tuple[Colour, ...] = (
    (0.85, 0.85, 0.85),
    (0.15, 0.15, 0.17),
    (0.50, 0.14, 0.13),
    (0.55, 0.57, 0.60),
    (0.18, 0.26, 0.42),
)
WINDSCREEN: Colour = (0.20, 0.22, 0.25)


def paint_tracks(canvas: Canvas, tracks: list[Road], rng: np.random.Generator) -> None:
    """Paint unpaved tracks: some bare and as wide as a lane, some two ruts with grass between."""
    worn = 0.45 + 0.35 * smooth_noise(rng, canvas.shape, 12 * METRE)
    for track in tracks:
        plane = np.zeros(canvas.shape, np.uint8)
        bare = rng.random() < 0.5
        if bare:
            draw_curve(plane, track.curve, track.width)
        else:
            draw_beside(plane, track.curve, 0.8 * METRE, 0.8 * METRE)
        opacity = np.clip(worn + np.float32(0.4 if bare else 0.25), 0.1, 0.95)
        tint(canvas.albedo, plane > 0, GRAVEL[rng.integers(len(GRAVEL))], opacity)


def draw_beside(plane: Bytes, curve: Points, distance: float, width: float) -> None:
    """Draw two lines into plane (H, W), at distance pixels on both sides of the curve (N, 2)."""
    for side in (-1, 1):
        draw_curve(plane, offset_curve(curve, side * distance), width)


def paint_roads(canvas: Canvas, roads: list[Road], rng: np.random.Generator) -> None:
    """Paint asphalt with shoulders, wheel tracks, stains and markings, and mark it as road."""
    number, verge, wheels = (np.zeros(canvas.shape, np.uint8) for _ in range(3))
    ordered = sorted(roads, key=lambda road: road.width)  # a wider road runs through a junction
    for index, road in enumerate(ordered):
        draw_curve(verge, road.curve, road.width + 2 * SHOULDER)
        draw_curve(number, road.curve, road.width, 1 + index % 255)
        draw_beside(wheels, road.curve, road.width / 4, 0.8 * METRE)
    asphalt = number > 0
    canvas.mask[asphalt] = ROAD
    stains = smooth_noise(rng, canvas.shape, 7 * METRE)
    tint(canvas.albedo, verge > 0, SHOULDER_COLOUR, np.clip(0.45 + 0.35 * stains, 0, 0.9))

    grey = rng.uniform(0.47, 0.64, (256, 1)) + rng.normal(0, 0.008, (256, 1)) * (1, 0, -1)
    grain = 0.05 * smooth_noise(rng, canvas.shape, 1.6) + 0.035 * stains
    paint(canvas.albedo, asphalt, np.asarray(grey, np.float32)[number[asphalt]], grain)
    tint(canvas.albedo, asphalt & (wheels > 0), (0.45, 0.45, 0.45), 0.35)
    centre, edges = lane_markings(canvas.shape, roads)
    tint(canvas.albedo, asphalt & (centre > 0), MARKING, 0.75)
    tint(canvas.albedo, asphalt & (edges > 0), MARKING, 0.45)
    for road in roads:
        place_cars(canvas, road, rng)


def lane_markings(shape: Shape, roads: list[Road]) -> tuple[Bytes, Bytes]:
    """Broken centre lines (H, W) and edge lines (H, W) of the roads that have markings."""
    centre, edges = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    for road in roads:
        if road.marked:
            points, _ = resample(road.curve, METRE)
            for start in range(0, len(points) - DASH, DASH_PERIOD):
                draw_curve(centre, points[start : start + DASH + 1], 1)
            draw_beside(edges, road.curve, road.width / 2 - 2, 1)
    return centre, edges


def place_cars(canvas: Canvas, road: Road, rng: np.random.Generator) -> None:
    """Put some cars on the lanes of the road."""
    points, tangents = resample(road.curve, METRE)
    for index in np.flatnonzero(rng.random(len(points)) < 1 / METRES_PER_CAR):
        heading = float(np.arctan2(tangents[index, 1], tangents[index, 0]))
        car = Rectangle(points[index, 0], points[index, 1], 4.4 * METRE, 1.8 * METRE, heading)
        car = car.moved(0, rng.choice([-0.25, 0.25]) * road.width)
        window, along, across = car.window(canvas.shape)
        inside = car.inside(along, across)
        canvas.albedo[window][inside] = CARS[rng.integers(len(CARS))]
        canvas.albedo[window][inside & (np.abs(along - 0.1 * car.length) < 1.2)] = WINDSCREEN
        canvas.height[window][inside] = 1.4 * METRE
