"""Trees outside the woods: hedges, rows along roads, orchards and gardens."""

import math

import numpy as np

from partialseg.datasets.sample.canvas import METRE, Colour, Flags, Shape
from partialseg.datasets.sample.fields import Parcels
from partialseg.datasets.sample.geometry import Points, Rectangle, resample
from partialseg.datasets.sample.network import Road
from partialseg.datasets.sample.noise import smooth_noise
from partialseg.datasets.sample.settlement import Lot
from partialseg.datasets.sample.survey import Survey
from partialseg.datasets.sample.trees import Trees, grow

BUSH_COLOURS: tuple[Colour, ...] = ((0.27, 0.34, 0.18), (0.33, 0.38, 0.22), (0.38, 0.37, 0.24))
HECTARE = (100 * METRE) ** 2
BUSHES, HEDGE_TREES, LONE_TREES = 28, 4, 0.8  # a hectare
ORCHARDS = 0.2  # part of the lots


def hedges(rng: np.random.Generator, parcels: Parcels, free: Flags, survey: Survey) -> list[Trees]:
    """Clumps of bushes and trees along parcel edges, and single trees, all where free (H, W)."""
    shape: Shape = (free.shape[0], free.shape[1])
    clumps = smooth_noise(rng, shape, 22 * METRE) > 1.15
    line = free & clumps & (parcels.edge < 1.2 * METRE)
    hectares = free.size / HECTARE
    leaves = survey.season.broadleaves
    bushes = free_points(rng, line, round(BUSHES * hectares))
    trees = free_points(rng, line, round(HEDGE_TREES * hectares))
    lone = free_points(rng, free, round(LONE_TREES * hectares))
    return [
        grow(rng, "broadleaf", bushes, (0.8 * METRE, 1.7 * METRE), 1.8, BUSH_COLOURS),
        grow(rng, "broadleaf", trees, (1.8 * METRE, 3.6 * METRE), 3.0, leaves),
        grow(rng, "broadleaf", lone, (1.2 * METRE, 4.0 * METRE), 2.6, leaves),
    ]


def roadside(rng: np.random.Generator, roads: list[Road], free: Flags, survey: Survey) -> Trees:
    """Rows of trees along stretches of the roads, near enough to hide their edges."""
    rows = []
    for road in roads:
        at, tangents = resample(road.curve, rng.uniform(7, 12) * METRE)
        normals = np.stack([-tangents[:, 1], tangents[:, 0]], 1)
        for side in (-1, 1):
            row = at + side * (road.width / 2 + rng.uniform(0.8, 2.2) * METRE) * normals
            stretch = np.sin(np.arange(len(row)) * rng.uniform(0.05, 0.2) + rng.uniform(0, 6.3))
            rows.append(row[(stretch > 0.1) & (rng.random(len(row)) < 0.85)])
    at = within(np.concatenate(rows), free)
    return grow(rng, "broadleaf", at, (1.6 * METRE, 3.4 * METRE), 3.2, survey.season.broadleaves)


def gardens(rng: np.random.Generator, lots: list[Lot], free: Flags, survey: Survey) -> list[Trees]:
    """Trees and bushes on the lots, and fruit trees in rows behind some houses."""
    loose, rows = [np.zeros((0, 2))], [np.zeros((0, 2))]
    for ground in (lot.ground for lot in lots if lot.use != "hall"):
        spots = rng.uniform(-0.5, 0.5, (int(rng.integers(2, 12)), 2))
        loose.append(on_picture(ground, spots * (ground.length, ground.width)))
        if rng.random() < ORCHARDS:
            step = rng.uniform(3.6, 5) * METRE
            along = np.arange(-ground.length / 2 + step / 2, ground.length / 2, step)
            across = np.arange(0.1 * ground.width, ground.width / 2 + 12 * METRE, step)
            grid = np.stack(np.meshgrid(along, across), -1).reshape(-1, 2)
            rows.append(on_picture(ground, grid))
    leaves = survey.season.broadleaves
    return [
        grow(rng, "broadleaf", within(np.concatenate(points), free), radii, 2.4, leaves)
        for points, radii in (
            (loose, (0.8 * METRE, 3.2 * METRE)),
            (rows, (1.2 * METRE, 1.9 * METRE)),
        )
    ]


def free_points(rng: np.random.Generator, free: Flags, count: int) -> Points:
    """Up to count random points (N, 2) among the free pixels (H, W)."""
    cells = np.flatnonzero(free)
    picked = rng.choice(cells, min(count, cells.size), replace=False)
    return np.stack([picked % free.shape[1], picked // free.shape[1]], 1).astype(np.float64)


def within(points: Points, free: Flags) -> Points:
    """Those of the points (N, 2) that lie on free pixels (H, W)."""
    height, width = free.shape
    x, y = np.round(points).astype(int).T
    keep = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    keep[keep] = free[y[keep], x[keep]]
    return np.asarray(points[keep], np.float64)


def on_picture(ground: Rectangle, spots: Points) -> Points:
    """Picture positions (N, 2) of spots (N, 2) given along and across the rectangle."""
    cos, sin = math.cos(ground.angle), math.sin(ground.angle)
    turn = np.array([[cos, sin], [-sin, cos]])
    return np.asarray(spots @ turn + np.array([ground.x, ground.y]), np.float64)
