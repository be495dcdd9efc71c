"""Buildings of a lot: houses with wings, sheds, barns and halls, and how each is drawn."""

import math
from dataclasses import dataclass, replace

import numpy as np

from partialseg.datasets.sample.canvas import (
    BUILDING,
    METRE,
    Canvas,
    Colour,
    Floats,
    Rectangle,
    smooth_noise,
)
from partialseg.datasets.sample.survey import Survey

HOUSE_ROOFS: tuple[Colour, ...] = (
    (0.60, 0.34, 0.27),
    (0.66, 0.40, 0.30),
    (0.50, 0.31, 0.26),
    (0.41, 0.32, 0.27),
    (0.28, 0.28, 0.30),
    (0.34, 0.35, 0.36),
    (0.57, 0.56, 0.54),
    (0.26, 0.31, 0.28),
)
BARN_ROOFS: tuple[Colour, ...] = (
    (0.56, 0.55, 0.53),
    (0.48, 0.37, 0.31),
    (0.62, 0.62, 0.61),
    (0.36, 0.34, 0.33),
    (0.54, 0.35, 0.29),
)
HALL_ROOFS: tuple[Colour, ...] = (
    (0.78, 0.78, 0.77),
    (0.67, 0.68, 0.69),
    (0.56, 0.60, 0.64),
    (0.42, 0.43, 0.45),
)
STOREY = 2.7 * METRE
APRON = 22 * METRE  # how much longer than its halls an industrial yard is
HALL_GAP = 8 * METRE


@dataclass(frozen=True, kw_only=True)
class Building:
    """Footprint, height of the eaves in pixels, pitch (rise over run, 0 is flat) and roof."""

    footprint: Rectangle
    eaves: float
    pitch: float
    hipped: bool
    colour: Colour
    seams: float  # pixels from one line of the roofing to the next


def homestead(rng: np.random.Generator, ground: Rectangle, farm: bool) -> list[list[Building]]:
    """The house of a lot and what stands behind it, as groups of joined buildings."""
    length = min(rng.uniform(10, 16) * METRE, 0.7 * ground.length)
    width = min(rng.uniform(8, 11) * METRE, 0.4 * ground.length)
    setback = min(rng.uniform(4, 9) * METRE, 0.2 * ground.width)
    gable_to_street = rng.random() < 0.4
    depth = length if gable_to_street else width
    back = setback + depth - ground.width / 2
    house = placed(ground, 0.1 * ground.length * rng.normal(), back - depth / 2, length, width)
    house = turned(house) if gable_to_street else house
    groups = [with_wing(rng, roofed(rng, house, HOUSE_ROOFS, storeys=int(rng.integers(1, 3))))]
    for _ in range(2 if farm else int(rng.integers(0, 2))):
        large = farm and rng.random() < 0.75
        length = rng.uniform(12, 24) * METRE if large else rng.uniform(4, 9) * METRE
        width = rng.uniform(8, 11) * METRE if large else rng.uniform(3.5, 6) * METRE
        along = rng.uniform(-0.35, 0.35) * ground.length
        shed = placed(ground, along, back + rng.uniform(6, 22) * METRE, length, width)
        shed = turned(shed) if rng.random() < 0.5 else shed
        groups.append([roofed(rng, shed, BARN_ROOFS, storeys=1)])
    return groups


def placed(
    ground: Rectangle, along: float, across: float, length: float, width: float
) -> Rectangle:
    """Rectangle of length and width at a place of the lot, parallel to its street."""
    x, y = ground.place(along, across)
    return Rectangle(x, y, length, width, ground.angle)


def turned(rectangle: Rectangle) -> Rectangle:
    """The rectangle turned by a right angle."""
    return replace(rectangle, angle=rectangle.angle + math.pi / 2)


def roofed(
    rng: np.random.Generator, footprint: Rectangle, colours: tuple[Colour, ...], storeys: int
) -> Building:
    """A building with a gabled or hipped roof, now and then a flat one."""
    shade = rng.normal(1, 0.06)
    red, green, blue = colours[rng.integers(len(colours))]
    return Building(
        footprint=footprint,
        eaves=0.8 * METRE + storeys * STOREY,
        pitch=0.0 if rng.random() < 0.12 else rng.uniform(0.4, 0.95),
        hipped=bool(rng.random() < 0.35),
        colour=(red * shade, green * shade, blue * shade),
        seams=rng.choice([1.4, 2.4, 4.0]),
    )


def with_wing(rng: np.random.Generator, house: Building) -> list[Building]:
    """The house alone, or joined to a wing that makes it an L."""
    if rng.random() > 0.35:
        return [house]
    plan = house.footprint
    wing = turned(plan.moved(rng.choice([-0.25, 0.25]) * plan.length, 0.5 * plan.width))
    wing = replace(wing, length=0.9 * plan.width, width=0.45 * plan.length)
    return [house, replace(house, footprint=wing)]


def hall_yard(rng: np.random.Generator, reach: int) -> tuple[Rectangle, list[list[Building]]]:
    """A yard at the origin with one to three equal halls, small in a picture of few pixels."""
    count = int(rng.choice([1, 1, 2, 3]))
    length = min(rng.uniform(26, 58) * METRE, 0.16 * reach)
    width = min((rng.uniform(16, 30) if count == 1 else rng.uniform(11, 15)) * METRE, 0.09 * reach)
    step = width + HALL_GAP
    ground = Rectangle(0.0, 0.0, count * step + HALL_GAP, length + APRON, 0.0)
    hall = Building(
        footprint=turned(placed(ground, 0.0, 0.2 * APRON, length, width)),
        eaves=rng.uniform(5, 8) * METRE,
        pitch=rng.choice([0.0, 0.12, 0.25]),
        hipped=False,
        colour=HALL_ROOFS[rng.integers(len(HALL_ROOFS))],
        seams=rng.uniform(4, 9),
    )
    first = -(count - 1) / 2
    # a turned rectangle's negative across side is the yard's positive along side
    plans = [hall.footprint.moved(0.0, -(first + index) * step) for index in range(count)]
    return ground, [[replace(hall, footprint=plan)] for plan in plans]


def draw_building(
    canvas: Canvas, building: Building, survey: Survey, rng: np.random.Generator
) -> None:
    """Draw the building's roof, lit by the sun on the side that faces it."""
    plan = building.footprint
    window, along, across = plan.window(canvas.shape)
    inside = plan.inside(along, across)
    if not inside.any():
        return
    rise, slope_along, slope_across = roof_planes(building, along, across)
    height = building.eaves + rise
    inside &= height > canvas.height[window]
    weather = 0.05 * smooth_noise(rng, (along.shape[0], along.shape[1]), 5.0)
    weather += 0.03 * smooth_noise(rng, (along.shape[0], along.shape[1]), 1.5)
    seams = 0.05 * np.sin(along * np.float32(2 * np.pi / building.seams))
    ridge = 0.12 * (np.abs(across) < 0.8) if building.pitch else edge_line(plan, along, across)
    colour = np.asarray(building.colour, np.float32) * (1 + weather + seams + ridge)[..., None]
    canvas.albedo[window][inside] = colour[inside]
    canvas.height[window][inside] = height[inside]
    sunlight = roof_sunlight(plan, slope_along, slope_across, survey)
    canvas.sunlight[window][inside] = sunlight[inside]
    canvas.mask[window][inside] = BUILDING
    add_details(canvas, building, rng)


def roof_planes(building: Building, along: Floats, across: Floats) -> tuple[Floats, Floats, Floats]:
    """Rise above the eaves and its slopes along and across the ridge, each (h, w)."""
    plan, pitch = building.footprint, np.float32(building.pitch)
    from_eaves = np.float32(plan.width / 2) - np.abs(across)
    slope_across = -pitch * np.sign(across)
    slope_along = np.zeros_like(slope_across)
    if building.hipped:
        from_end = np.float32(plan.length / 2) - np.abs(along)
        hip = from_end < from_eaves
        slope_along = np.where(hip, -pitch * np.sign(along), 0)
        slope_across = np.where(hip, 0, slope_across)
        from_eaves = np.minimum(from_eaves, from_end)
    return pitch * from_eaves, slope_along, slope_across


def roof_sunlight(
    plan: Rectangle, slope_along: Floats, slope_across: Floats, survey: Survey
) -> Floats:
    """Sunlight (h, w) on planes of the given slopes, 1 for level ones."""
    east, south, up = survey.sun
    cos, sin = np.cos(plan.angle), np.sin(plan.angle)
    sun_along, sun_across = east * cos + south * sin, south * cos - east * sin
    facing = up - slope_along * sun_along - slope_across * sun_across
    steepness = np.sqrt(1 + slope_along**2 + slope_across**2)
    return np.asarray(np.clip(facing / steepness / up, 0, 1.7), np.float32)


def edge_line(plan: Rectangle, along: Floats, across: Floats) -> Floats:
    """Bright parapet (h, w) around a flat roof."""
    return np.asarray(0.15 * ~plan.grown(-1.6).inside(along, across), np.float32)


def add_details(canvas: Canvas, building: Building, rng: np.random.Generator) -> None:
    """Add chimneys and roof windows to houses, skylights and vents to halls."""
    plan = building.footprint
    large = plan.length * plan.width > (18 * METRE) ** 2
    for _ in range(int(rng.integers(3, 8)) if large else int(rng.integers(0, 3))):
        along = rng.uniform(-0.4, 0.4) * plan.length
        across = rng.uniform(-0.35, 0.35) * plan.width
        x, y = plan.place(along, across)
        size = rng.uniform(0.7, 1.2) * METRE
        add_box(canvas, Rectangle(x, y, size, size, plan.angle), 1.2 * METRE, (0.52, 0.44, 0.40))
    if large and rng.random() < 0.6:
        for along in np.arange(-0.42, 0.43, 0.12) * plan.length:
            x, y = plan.place(float(along), 0.0)
            strip = Rectangle(x, y, 1.3 * METRE, 0.5 * plan.width, plan.angle)
            add_box(canvas, strip, 0.0, (0.74, 0.78, 0.80))
    elif rng.random() < 0.15:
        x, y = plan.place(0.0, rng.choice([-0.25, 0.25]) * plan.width)
        panel = Rectangle(x, y, 0.55 * plan.length, 0.32 * plan.width, plan.angle)
        add_box(canvas, panel, 0.0, (0.15, 0.18, 0.26))


def add_box(
    canvas: Canvas, box: Rectangle, rise: float, colour: tuple[float, float, float]
) -> None:
    """Put a flat box of the colour on what is there, rise pixels higher."""
    window, along, across = box.window(canvas.shape)
    inside = box.inside(along, across)
    canvas.albedo[window][inside] = colour
    canvas.height[window][inside] += np.float32(rise)
