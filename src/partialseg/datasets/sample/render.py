"""Render one synthetic orthophoto and its mask from a seed and a name; trees outside woods."""

import math

import numpy as np

from partialseg.datasets.sample.buildings import draw_building
from partialseg.datasets.sample.canvas import (
    METRE,
    Bytes,
    Canvas,
    Colour,
    Flags,
    Points,
    Rectangle,
    Shape,
    distance_to,
    draw_curve,
    fill_polygon,
    generator,
    resample,
    smooth_noise,
)
from partialseg.datasets.sample.fields import Parcels, field_albedo, lay_parcels
from partialseg.datasets.sample.roads import (
    THROUGH_ROADS,
    Road,
    ended_at,
    farm_tracks,
    paint_roads,
    paint_tracks,
    road_network,
)
from partialseg.datasets.sample.settlement import Lot, build_village, paint_lots
from partialseg.datasets.sample.survey import Survey, draw_survey, expose
from partialseg.datasets.sample.water import paint_water, water_bodies
from partialseg.datasets.sample.woods import Trees, grow, plant_woods, stamp_trees, woodland

BUSH_COLOURS: tuple[Colour, ...] = ((0.27, 0.34, 0.18), (0.33, 0.38, 0.22), (0.38, 0.37, 0.24))
HECTARE = (100 * METRE) ** 2
BUSHES, HEDGE_TREES, LONE_TREES = 28, 4, 0.8  # a hectare
ORCHARDS = 0.2  # part of the lots
# Ranges of the classes' shares of a picture: LandCover.ai's, a little richer in the rare ones.
ROAD_SHARE = (0.034, 0.046)
WATER_SHARE = (0.05, 0.10)
BUILDING_SHARE = (0.028, 0.045)
WOODLAND_SHARE = (0.19, 0.28)


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


def render_orthophoto(seed: int, stem: str, height: int, width: int) -> tuple[Bytes, Bytes]:
    """Image (H, W, 3) and mask (H, W), uint8, of the orthophoto called stem."""
    rng = generator(seed, stem)
    survey = draw_survey(rng)
    shape = (height, width)
    narrow = 0.02 * min(shape)  # bounds the distances kept in a picture of few pixels

    centre = np.array([width, height]) * rng.uniform(0.28, 0.72, 2)
    roads = road_network(rng, shape, centre, rng.uniform(*ROAD_SHARE))
    road_distance = distance_to(drawn(shape, roads))
    water = water_bodies(rng, shape, roads, road_distance, rng.uniform(*WATER_SHARE))
    water_distance = distance_to(water)
    roads[THROUGH_ROADS:] = [ended_at(street, water_distance) for street in roads[THROUGH_ROADS:]]
    road_distance = distance_to(drawn(shape, roads))
    tracks = farm_tracks(rng, roads, shape)
    ends = roads[0].curve[-1] - roads[0].curve[0]
    barriers = drawn(shape, roads) | drawn(shape, tracks) | water
    parcels = lay_parcels(rng, barriers, math.atan2(ends[1], ends[0]))
    barred = (road_distance < min(3 * METRE, narrow)) | (water_distance < min(4 * METRE, narrow))
    village = build_village(
        rng, roads, centre, np.asarray(barred, np.uint8), rng.uniform(*BUILDING_SHARE)
    )
    home_distance = distance_to(village.built)
    lots = covered(shape, village.lots)
    blocked = water | lots | (road_distance < min(1.5 * METRE, narrow))
    blocked |= home_distance < min(5 * METRE, narrow)
    wood = woodland(
        rng, parcels, blocked, home_distance, water_distance, rng.uniform(*WOODLAND_SHARE)
    )

    canvas = Canvas.level(field_albedo(rng, parcels, water_distance, survey))
    paint_tracks(canvas, tracks, rng)
    paint_water(canvas, water, survey, rng)
    paint_lots(canvas, village.lots, ~water, survey, rng)
    trees = plant_woods(canvas, wood, parcels, survey, rng)
    paint_roads(canvas, roads, rng)
    for lot in village.lots:
        for building in lot.buildings:
            draw_building(canvas, building, survey, rng)
    verge = ~water & (home_distance > 1.5 * METRE) & (road_distance > 0)
    open_ground = verge & ~wood & (road_distance > 2 * METRE)
    trees += hedges(rng, parcels, open_ground & ~lots, survey)
    trees += gardens(rng, village.lots, open_ground, survey)
    trees.append(roadside(rng, roads, verge, survey))
    stamp_trees(canvas, trees, survey, rng)
    return expose(canvas, survey, rng), canvas.mask


def drawn(shape: Shape, roads: list[Road]) -> Bytes:
    """The surface (H, W) of the roads."""
    plane = np.zeros(shape, np.uint8)
    for road in roads:
        draw_curve(plane, road.curve, road.width)
    return plane


def covered(shape: Shape, lots: list[Lot]) -> Flags:
    """The ground (H, W) of the lots."""
    plane = np.zeros(shape, np.uint8)
    for lot in lots:
        fill_polygon(plane, lot.ground.corners())
    return plane > 0
