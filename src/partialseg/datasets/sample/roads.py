"""Roads, village streets, farm tracks and river courses: where they run, and the roads' look."""

import math
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from partialseg.datasets.sample.canvas import (
    GRAVEL,
    METRE,
    ROAD,
    Bytes,
    Canvas,
    Colour,
    Floats,
    Points,
    Rectangle,
    Shape,
    draw_curve,
    offset_curve,
    paint,
    resample,
    smooth_curve,
    smooth_noise,
    tint,
)

ROAD_WIDTH = (5.5 * METRE, 8.5 * METRE)
STREET_WIDTH = (4.5 * METRE, 6.0 * METRE)
TRACK_WIDTH = (2.4 * METRE, 3.6 * METRE)
WIDEST = 1 / 14  # of the picture's shorter side: keeps the roads of a tiny picture in bounds
THROUGH_ROADS = 2  # the first of a network: they cross rivers on bridges
ATTEMPTS = 300
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


@dataclass(frozen=True)
class Road:
    """Centre line (N, 2), width in pixels, and whether it has lane markings."""

    curve: Points
    width: float
    marked: bool


def edge_point(rng: np.random.Generator, shape: Shape, side: int) -> Points:
    """A point (2,) a little outside the west, north, east or south side (0 to 3)."""
    height, width = shape
    beyond = 10 * METRE
    across = rng.uniform(0.2, 0.8)
    sides = (
        (-beyond, across * height),
        (across * width, -beyond),
        (width + beyond, across * height),
        (across * width, height + beyond),
    )
    return np.array(sides[side % 4])


def winding(
    rng: np.random.Generator, start: Points, end: Points, bends: int, sway: float
) -> Points:
    """Smooth curve (N, 2) from start to end with random bends of about sway pixels."""
    along = np.linspace(0, 1, bends + 2)
    shift = rng.normal(0, sway, (bends + 2, 2)) * (np.sin(np.pi * along) ** 0.5)[:, None]
    return smooth_curve(start + along[:, None] * (end - start) + shift)


def road_network(
    rng: np.random.Generator, shape: Shape, centre: Points, share: float
) -> list[Road]:
    """Roads that meet in the village at centre (2,) and streets about it, to share of the area."""
    reach = min(shape)
    first_side = int(rng.integers(4))
    approaches = [(first_side, first_side + 2), (first_side + 1, None)]
    plane = np.zeros(shape, np.uint8)
    roads: list[Road] = []
    for start_side, end_side in approaches:
        legs = [edge_point(rng, shape, start_side), centre]
        if end_side is not None:
            legs.append(edge_point(rng, shape, end_side))
        pieces = [winding(rng, a, b, 2, 0.025 * reach) for a, b in pairwise(legs)]
        width = min(rng.uniform(*ROAD_WIDTH), WIDEST * reach)
        roads.append(Road(smooth_curve(np.concatenate(pieces)[::5]), width, rng.random() < 0.6))
        draw_curve(plane, roads[-1].curve, width)
        if np.count_nonzero(plane) >= share * plane.size:
            return roads
    for attempt in range(ATTEMPTS):
        street = side_road(rng, roads, shape, centre, radius=(0.15 + attempt / ATTEMPTS) * reach)
        if street is not None:
            roads.append(street)
            draw_curve(plane, street.curve, street.width)
        if np.count_nonzero(plane) >= share * plane.size:
            break
    return roads


def side_road(
    rng: np.random.Generator, roads: list[Road], shape: Shape, centre: Points, radius: float
) -> Road | None:
    """A street that leaves one of the roads within radius of centre, or None if it would crowd."""
    curve = branch(rng, roads, shape, centre, radius, length=(45 * METRE, 170 * METRE))
    if curve is None or crowds(curve, roads, gap=min(32 * METRE, 0.12 * min(shape))):
        return None
    return Road(curve, min(rng.uniform(*STREET_WIDTH), WIDEST * min(shape)), False)


def branch(
    rng: np.random.Generator,
    roads: list[Road],
    shape: Shape,
    centre: Points,
    radius: float,
    length: tuple[float, float],
) -> Points | None:
    """Curve that leaves a random road at about a right angle near centre; None if none is near."""
    road = roads[rng.integers(len(roads))]
    points, tangents = resample(road.curve, 4 * METRE)
    inside = np.all((points > 0) & (points < np.array(shape[::-1])), axis=1)
    near = np.flatnonzero(inside & (np.hypot(*(points - centre).T) < radius))
    if near.size == 0:
        return None
    pick = rng.choice(near)
    heading = math.atan2(tangents[pick, 1], tangents[pick, 0])
    heading += rng.choice([-0.5, 0.5]) * math.pi + rng.normal(0, 0.15)
    reach = min(rng.uniform(*length), 0.45 * min(shape))
    end = points[pick] + reach * np.array([math.cos(heading), math.sin(heading)])
    return winding(rng, points[pick], end, 2, 0.05 * reach)


def ended_at(road: Road, shore_distance: Floats) -> Road:
    """The road, cut where it first comes within its own width of water (distances (H, W))."""
    height, width = shore_distance.shape
    x, y = np.round(road.curve).astype(int).T
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    wet = np.zeros(len(x), bool)
    wet[inside] = shore_distance[y[inside], x[inside]] < road.width
    kept = int(np.argmax(wet)) if wet.any() else len(x)
    return replace(road, curve=road.curve[: max(kept, 2)])


def crowds(curve: Points, roads: list[Road], gap: float) -> bool:
    """Whether the curve, after it has left its road, comes closer than gap to another."""
    points, _ = resample(curve, 4 * METRE)
    far = points[np.hypot(*(points - points[0]).T) > 1.2 * gap]
    others = np.concatenate([resample(road.curve, 4 * METRE)[0] for road in roads])
    distance = np.hypot(*(far[:, None] - others[None]).transpose(2, 0, 1))
    return far.size == 0 or bool(distance.min() < gap)


def farm_tracks(rng: np.random.Generator, roads: list[Road], shape: Shape) -> list[Road]:
    """Unpaved tracks that lead from the roads into the fields."""
    height, width = shape
    wanted = max(1, round(height * width / (170 * METRE) ** 2))
    middle = np.array([width / 2, height / 2])
    tracks = [continued(rng, street) for street in roads[THROUGH_ROADS:] if rng.random() < 0.6]
    for _ in range(ATTEMPTS):
        curve = branch(rng, roads, shape, middle, float(max(shape)), (80 * METRE, 420 * METRE))
        if curve is None or crowds(curve, roads + tracks, gap=min(18 * METRE, 0.1 * min(shape))):
            continue
        tracks.append(Road(curve, min(rng.uniform(*TRACK_WIDTH), WIDEST * min(shape)), False))
        wanted -= 1
        if wanted == 0:
            break
    return tracks


def continued(rng: np.random.Generator, street: Road) -> Road:
    """The track that a street turns into at its end."""
    start, direction = street.curve[-1], street.curve[-1] - street.curve[-2]
    reach = rng.uniform(60, 300) * METRE
    end = start + reach * direction / np.hypot(*direction)
    return Road(winding(rng, start, end, 2, 0.05 * reach), rng.uniform(*TRACK_WIDTH), False)


def river_course(rng: np.random.Generator, shape: Shape, roads: list[Road]) -> Points:
    """Winding curve (N, 2) across the picture, beside the first road rather than along it."""
    reach = min(shape)
    start, end = roads[0].curve[0], roads[0].curve[-1]
    direction = (end - start) / np.hypot(*(end - start))
    aside = np.array([-direction[1], direction[0]]) * rng.choice([-1, 1])
    middle = np.array(shape[::-1]) / 2 + aside * rng.uniform(0.2, 0.36) * reach
    span = direction * max(shape) * 0.8
    tilt = aside * rng.normal(0, 0.12) * reach
    return winding(rng, middle - span - tilt, middle + span + tilt, 9, 0.05 * reach)


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
