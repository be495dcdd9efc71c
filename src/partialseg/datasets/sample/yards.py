"""The ground of building lots: lawns, yards, drives, vegetable beds and paved aprons."""

import numpy as np

from partialseg.datasets.sample.canvas import (
    GRAVEL,
    METRE,
    Canvas,
    Colour,
    Flags,
    Floats,
    paint,
    tint,
)
from partialseg.datasets.sample.geometry import Rectangle
from partialseg.datasets.sample.noise import smooth_noise
from partialseg.datasets.sample.settlement import Lot
from partialseg.datasets.sample.survey import Survey

SOIL = np.array((0.50, 0.42, 0.34), np.float32)
VEGETABLES = np.array((0.32, 0.42, 0.20), np.float32)
CONCRETE: Colour = (0.64, 0.63, 0.60)
FENCE: Colour = (0.25, 0.29, 0.18)
SLAB = 6 * METRE
DRIVE_WIDTH = 3 * METRE
ROW = 4.5  # pixels between two rows of vegetables


def paint_lots(
    canvas: Canvas, lots: list[Lot], free: Flags, survey: Survey, rng: np.random.Generator
) -> None:
    """Paint the ground of all lots where free (H, W)."""
    rough = smooth_noise(rng, canvas.shape, 3.0) + smooth_noise(rng, canvas.shape, 4 * METRE)
    for lot in lots:
        window, along, across = lot.ground.window(canvas.shape)
        inside = lot.ground.inside(along, across) & free[window]
        albedo = canvas.albedo[window]
        if lot.use == "hall":
            joints = (np.mod(along, SLAB) < 1) | (np.mod(across, SLAB) < 1)
            paint(albedo, inside, CONCRETE, 0.05 * rough[window] - 0.08 * joints)
        else:
            lawn = np.float32(rng.normal(0.97, 0.08)) * np.asarray(survey.season.grass, np.float32)
            lawn *= rng.normal(1, 0.025, 3).astype(np.float32)
            paint(albedo, inside, lawn, 0.10 * rough[window])
            for _ in range(int(rng.integers(0, 4))):
                paint_bed(albedo, inside, along, across, lot.ground, rng)
            paint_yard(albedo, inside, along, across, rough[window], lot, rng)


def paint_yard(
    albedo: Floats,
    inside: Flags,
    along: Floats,
    across: Floats,
    rough: Floats,
    lot: Lot,
    rng: np.random.Generator,
) -> None:
    """Paint the yard and the drive of a home or farm, and the fence around its lot."""
    ground, farm = lot.ground, lot.use == "farm"
    behind = across + ground.width / 2  # distance from the street
    yard = behind + METRE * rough < (26 if farm else 11) * METRE
    yard &= np.abs(along) < (0.45 if farm else 0.16) * ground.length
    entrance = rng.choice([-0.36, 0.36]) * ground.length
    drive = (np.abs(along - entrance) < DRIVE_WIDTH / 2) & (behind < 18 * METRE)
    paint(albedo, inside & (yard | drive), GRAVEL[rng.integers(len(GRAVEL))], 0.05 * rough)
    tint(albedo, inside & ~ground.grown(-2).inside(along, across), FENCE, 0.45)


def paint_bed(
    albedo: Floats,
    inside: Flags,
    along: Floats,
    across: Floats,
    ground: Rectangle,
    rng: np.random.Generator,
) -> None:
    """Paint a vegetable bed with rows somewhere in the back of the lot."""
    x, y = rng.uniform(-0.35, 0.35) * ground.length, rng.uniform(0.05, 0.4) * ground.width
    length, width = rng.uniform(3, 7, 2) * METRE
    bed = inside & (np.abs(along - x) < length) & (np.abs(across - y) < width)
    rows = np.sin((along if rng.random() < 0.5 else across) * np.float32(2 * np.pi / ROW))
    colour = SOIL + np.float32(rng.uniform(0, 0.8)) * (VEGETABLES - SOIL)
    paint(albedo, bed, colour, np.asarray(0.12 * np.broadcast_to(rows, bed.shape), np.float32))
