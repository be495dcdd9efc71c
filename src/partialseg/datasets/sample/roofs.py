"""Roofs: planes that face the sun or turn from it, chimneys, windows, seams and stains."""

import numpy as np

from partialseg.datasets.sample.buildings import Building
from partialseg.datasets.sample.canvas import BUILDING, METRE, Canvas, Floats
from partialseg.datasets.sample.geometry import Rectangle
from partialseg.datasets.sample.noise import smooth_noise
from partialseg.datasets.sample.survey import Survey


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
