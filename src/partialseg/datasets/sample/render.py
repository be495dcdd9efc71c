"""One synthetic orthophoto and its mask, from a seed and a name."""

import math

import numpy as np

from partialseg.datasets.sample.canvas import METRE, Bytes, Canvas, Flags, Shape
from partialseg.datasets.sample.fields import field_albedo, lay_parcels
from partialseg.datasets.sample.geometry import distance_to, draw_curve, fill_polygon
from partialseg.datasets.sample.light import expose
from partialseg.datasets.sample.network import (
    THROUGH_ROADS,
    Road,
    ended_at,
    farm_tracks,
    road_network,
)
from partialseg.datasets.sample.noise import generator
from partialseg.datasets.sample.planting import gardens, hedges, roadside
from partialseg.datasets.sample.roadways import paint_roads, paint_tracks
from partialseg.datasets.sample.roofs import draw_building
from partialseg.datasets.sample.settlement import Lot, build_village
from partialseg.datasets.sample.survey import draw_survey
from partialseg.datasets.sample.trees import stamp_trees
from partialseg.datasets.sample.water import paint_water, water_bodies
from partialseg.datasets.sample.woods import plant_woods, woodland
from partialseg.datasets.sample.yards import paint_lots

# Ranges of the classes' shares of a picture: LandCover.ai's, a little richer in the rare ones.
ROAD_SHARE = (0.034, 0.046)
WATER_SHARE = (0.05, 0.10)
BUILDING_SHARE = (0.028, 0.045)
WOODLAND_SHARE = (0.19, 0.28)


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
