"""Villages: lots along the streets, farms in the open country and industrial yards."""

import math
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from partialseg.datasets.sample.buildings import Building, hall_yard, homestead
from partialseg.datasets.sample.canvas import METRE, Bytes
from partialseg.datasets.sample.geometry import Points, Rectangle, fill_polygon, resample
from partialseg.datasets.sample.network import Road

GAP = 3 * METRE  # least distance between two buildings
VERGE = 2 * METRE  # between the road's edge and a lot
TIGHTEST = 0.02  # of the picture's shorter side: both of them are no wider in a tiny picture
HALL_ATTEMPTS, FARM_ATTEMPTS = 40, 400
FARMS = 0.25  # part of the lots

Use = Literal["home", "farm", "hall"]


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
