"""Villages: lots along the streets, farms in the open country, halls, and the ground of lots."""

import math
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from partialseg.datasets.sample.buildings import Building, hall_yard, homestead
from partialseg.datasets.sample.canvas import (
    GRAVEL,
    METRE,
    Bytes,
    Canvas,
    Colour,
    Flags,
    Floats,
    Points,
    Rectangle,
    fill_polygon,
    paint,
    resample,
    smooth_noise,
    tint,
)
from partialseg.datasets.sample.roads import Road
from partialseg.datasets.sample.survey import Survey

GAP = 3 * METRE  # least distance between two buildings
VERGE = 2 * METRE  # between the road's edge and a lot
TIGHTEST = 0.02  # of the picture's shorter side: both of them are no wider in a tiny picture
HALL_ATTEMPTS, FARM_ATTEMPTS = 40, 400
FARMS = 0.25  # part of the lots
Use = Literal["home", "farm", "hall"]
SOIL = np.array((0.50, 0.42, 0.34), np.float32)
VEGETABLES = np.array((0.32, 0.42, 0.20), np.float32)
CONCRETE: Colour = (0.64, 0.63, 0.60)
FENCE: Colour = (0.25, 0.29, 0.18)
SLAB = 6 * METRE
DRIVE_WIDTH = 3 * METRE
ROW = 4.5  # pixels between two rows of vegetables


@dataclass(frozen=True)
class Lot:
    """A building lot, with the street at its negative across side."""

    ground: Rectangle
    use: Use
    buildings: tuple[Building, ...]


@dataclass
class Settlement:
    """The lots so far, what is built on, and where nothing more can be built: both (H, W)."""

    taken: Bytes
    built: Bytes
    lots: list[Lot] = field(default_factory=list)

    @property
    def reach(self) -> int:
        """Shorter side of the picture in pixels."""
        return int(min(self.built.shape))

    def share(self) -> float:
        """Part of the picture that is built on."""
        return np.count_nonzero(self.built) / self.built.size

    def fits(self, building: Building) -> bool:
        """Whether the building keeps its distance from all that is there, inside the picture."""
        around = building.footprint.grown(min(GAP, TIGHTEST * self.reach))
        window, along, across = around.window(self.built.shape)
        inside = around.inside(along, across)
        visible = np.count_nonzero(inside) > 0.7 * around.length * around.width
        return bool(visible) and not self.taken[window][inside].any()

    def settle(self, ground: Rectangle, use: Use, groups: list[list[Building]]) -> None:
        """Add a lot with those groups of joined buildings that fit, if the first one does."""
        standing: list[Building] = []
        for group in groups:
            if all(self.fits(building) for building in group):
                for building in group:
                    fill_polygon(self.built, building.footprint.corners())
                    fill_polygon(self.taken, building.footprint.corners())
                standing += group
            elif not standing:
                return
        self.lots.append(Lot(ground, use, tuple(standing)))


def build_village(
    rng: np.random.Generator, roads: list[Road], centre: Points, barred: Bytes, share: float
) -> Settlement:
    """Settle lots along the roads about centre (2,) until buildings cover share of the picture.

    barred (H, W) marks the pixels where no building can stand.
    """
    village = Settlement(taken=barred.copy(), built=np.zeros_like(barred))
    halls = rng.uniform(0.0, 0.45) * share
    for _ in range(HALL_ATTEMPTS):
        if village.share() >= halls:
            break
        settle_halls(rng, village, roads)
    for ground in street_lots(rng, roads, centre, village.reach):
        if village.share() >= share:
            return village
        farm = rng.random() < FARMS
        village.settle(ground, "farm" if farm else "home", homestead(rng, ground, farm))
    height, width = barred.shape
    side = min(30 * METRE, 0.3 * village.reach)
    for _ in range(FARM_ATTEMPTS):  # the streets are full: farms in the open country
        if village.share() >= share:
            break
        x, y, angle = rng.uniform(0, width), rng.uniform(0, height), rng.uniform(0, math.pi)
        ground = Rectangle(x, y, side, side, angle)
        village.settle(ground, "farm", homestead(rng, ground, farm=True))
    return village


def street_lots(
    rng: np.random.Generator, roads: list[Road], centre: Points, reach: int
) -> list[Rectangle]:
    """Lots on both sides of the roads, those near centre (2,) first."""
    spread = rng.uniform(1.6, 4.0)  # from a dense village to scattered homesteads
    ranked = []
    for road in roads:
        frontage = min(rng.uniform(17, 27) * METRE, 0.2 * reach)
        points, tangents = resample(road.curve, frontage)
        for (x, y), (east, south) in zip(points, tangents, strict=True):
            for turn in (0.0, math.pi):
                depth = min(rng.uniform(30, 58) * METRE, 0.3 * reach)
                lot = Rectangle(x, y, frontage, depth, math.atan2(south, east) + turn)
                away = math.hypot(x - centre[0], y - centre[1]) * rng.uniform(0.6, spread)
                ranked.append((away, beside(lot, road, reach)))
    return [lot for _, lot in sorted(ranked, key=lambda entry: entry[0])]


def beside(lot: Rectangle, road: Road, reach: int) -> Rectangle:
    """The lot moved from the centre line of the road to its side."""
    verge = min(VERGE, TIGHTEST * reach)
    return lot.moved(0.0, road.width / 2 + verge + lot.width / 2)


def settle_halls(rng: np.random.Generator, village: Settlement, roads: list[Road]) -> None:
    """Try to add an industrial yard somewhere beside a random road."""
    road = roads[rng.integers(len(roads))]
    points, tangents = resample(road.curve, 8 * METRE)
    pick = rng.integers(len(points))
    angle = math.atan2(tangents[pick, 1], tangents[pick, 0]) + rng.choice([0, math.pi])
    yard, groups = hall_yard(rng, village.reach)
    start = replace(yard, x=float(points[pick, 0]), y=float(points[pick, 1]), angle=angle)
    ground = beside(start, road, village.reach)
    moved = [
        [replace(hall, footprint=hall.footprint.carried(ground)) for hall in group]
        for group in groups
    ]
    village.settle(ground, "hall", moved)


@dataclass(frozen=True, kw_only=True)
class Plot:
    """The pixels (h, w) about a lot on the picture.

    albedo (h, w, 3) is painted on; inside are the pixels that are to be painted; along and across
    are their places in pixels from the middle of the lot, along its street and away from it.
    """

    albedo: Floats
    inside: Flags
    along: Floats
    across: Floats


def paint_lots(
    canvas: Canvas, lots: list[Lot], free: Flags, survey: Survey, rng: np.random.Generator
) -> None:
    """Paint the ground of all lots where free (H, W)."""
    rough = smooth_noise(rng, canvas.shape, 3.0) + smooth_noise(rng, canvas.shape, 4 * METRE)
    for lot in lots:
        window, along, across = lot.ground.window(canvas.shape)
        inside = lot.ground.inside(along, across) & free[window]
        plot = Plot(albedo=canvas.albedo[window], inside=inside, along=along, across=across)
        if lot.use == "hall":
            joints = (np.mod(along, SLAB) < 1) | (np.mod(across, SLAB) < 1)
            paint(plot.albedo, inside, CONCRETE, 0.05 * rough[window] - 0.08 * joints)
        else:
            lawn = np.float32(rng.normal(0.97, 0.08)) * np.asarray(survey.season.grass, np.float32)
            lawn *= rng.normal(1, 0.025, 3).astype(np.float32)
            paint(plot.albedo, inside, lawn, 0.10 * rough[window])
            for _ in range(int(rng.integers(0, 4))):
                paint_bed(plot, lot.ground, rng)
            paint_yard(plot, lot, rough[window], rng)


def paint_yard(plot: Plot, lot: Lot, rough: Floats, rng: np.random.Generator) -> None:
    """Paint the yard and the drive of a home or farm, and the fence around its lot."""
    ground, farm = lot.ground, lot.use == "farm"
    behind = plot.across + ground.width / 2  # distance from the street
    yard = behind + METRE * rough < (26 if farm else 11) * METRE
    yard &= np.abs(plot.along) < (0.45 if farm else 0.16) * ground.length
    entrance = rng.choice([-0.36, 0.36]) * ground.length
    drive = (np.abs(plot.along - entrance) < DRIVE_WIDTH / 2) & (behind < 18 * METRE)
    gravel = GRAVEL[rng.integers(len(GRAVEL))]
    paint(plot.albedo, plot.inside & (yard | drive), gravel, 0.05 * rough)
    fence = plot.inside & ~ground.grown(-2).inside(plot.along, plot.across)
    tint(plot.albedo, fence, FENCE, 0.45)


def paint_bed(plot: Plot, ground: Rectangle, rng: np.random.Generator) -> None:
    """Paint a vegetable bed with rows somewhere in the back of the lot."""
    x, y = rng.uniform(-0.35, 0.35) * ground.length, rng.uniform(0.05, 0.4) * ground.width
    length, width = rng.uniform(3, 7, 2) * METRE
    bed = plot.inside & (np.abs(plot.along - x) < length) & (np.abs(plot.across - y) < width)
    direction = plot.along if rng.random() < 0.5 else plot.across
    rows = np.sin(direction * np.float32(2 * np.pi / ROW))
    colour = SOIL + np.float32(rng.uniform(0, 0.8)) * (VEGETABLES - SOIL)
    paint(plot.albedo, bed, colour, np.asarray(0.12 * np.broadcast_to(rows, bed.shape), np.float32))
