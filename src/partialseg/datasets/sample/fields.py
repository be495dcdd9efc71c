"""Farmland: parcels of crops between the roads, with rows, tramlines and grass balks."""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from partialseg.datasets.sample.canvas import (
    METRE,
    Bytes,
    Floats,
    Shape,
    distance_to,
    fractal_noise,
    smooth_noise,
)
from partialseg.datasets.sample.survey import CROPS, GRASSLAND, Survey

BLOCKS, STRIPS, CUTS = 48, 64, 8  # table sizes: ids repeat beyond them, which only shares a crop
PARCELS = BLOCKS * STRIPS * CUTS
NARROW_STRIPS = (11 * METRE, 32 * METRE)
WIDE_STRIPS = (38 * METRE, 130 * METRE)
STRIP_LENGTH = (90 * METRE, 380 * METRE)
HEADLAND = 9 * METRE
FLOODPLAIN = 25 * METRE  # parcels that lie mostly this near to water are grassland
TRAMLINE_SPACING = 18 * METRE


@dataclass(frozen=True)
class Parcels:
    """Parcel id, position across the rows and distance to the parcel's edge: all (H, W)."""

    ids: NDArray[np.int32]
    across: Floats  # pixels
    edge: Floats  # pixels


def lay_parcels(rng: np.random.Generator, barriers: Bytes, heading: float) -> Parcels:
    """Divide the land between barriers (H, W) into strips at right angles to heading or so."""
    shape = barriers.shape[:2]
    _, labels = cv2.connectedComponents(np.asarray(barriers == 0, np.uint8), connectivity=4)
    block = np.asarray(labels % BLOCKS, np.int32)
    turned = rng.choice([0.0, 0.5], BLOCKS, p=[0.35, 0.65]) * math.pi
    angles = heading + turned + rng.normal(0, 0.10, BLOCKS)
    across, along = block_axes(rng, shape, block, angles)
    reach = math.ceil(math.hypot(*shape)) + 16 * METRE
    size = int(2 * reach)
    narrow = rng.random(BLOCKS) < 0.45
    widths = np.where(narrow[:, None], NARROW_STRIPS, WIDE_STRIPS)
    strip = interval_table(rng, size, widths)
    cut = interval_table(rng, size, np.broadcast_to(STRIP_LENGTH, (BLOCKS, 2)))
    base = block * np.int32(size) + np.int32(reach)
    strip_id = strip.ravel()[base + across.astype(np.int32)] % STRIPS
    cuts_across = rng.random(BLOCKS * STRIPS) < 0.7
    strip_id += block * STRIPS
    cut_id = cut.ravel()[base + along.astype(np.int32)] % CUTS * cuts_across[strip_id]
    ids = np.asarray(strip_id * CUTS + cut_id, np.int32)
    return Parcels(ids=ids, across=across, edge=distance_to(borders(ids)))


def block_axes(
    rng: np.random.Generator, shape: Shape, block: NDArray[np.int32], angles: NDArray[np.float64]
) -> tuple[Floats, Floats]:
    """Pixel positions (H, W) across and along the strips of each block, slightly bent."""
    cos = np.cos(angles).astype(np.float32)[block]
    sin = np.sin(angles).astype(np.float32)[block]
    x = np.arange(shape[1], dtype=np.float32)[None, :]
    y = np.arange(shape[0], dtype=np.float32)[:, None]
    across = x * cos + y * sin
    along = y * cos - x * sin
    across += np.clip(smooth_noise(rng, shape, 60 * METRE), -3, 3) * np.float32(2 * METRE)
    return across, along


def interval_table(
    rng: np.random.Generator, size: int, bounds: NDArray[np.float64]
) -> NDArray[np.int32]:
    """Number of the interval of each position, (BLOCKS, size); bounds (BLOCKS, 2) of lengths."""
    table = np.zeros((BLOCKS, size), np.int32)
    for row, (shortest, longest) in zip(table, bounds, strict=True):
        lengths = rng.uniform(shortest, longest, math.ceil(size / shortest))
        edges = np.cumsum(lengths).astype(int)
        row[edges[edges < size]] = 1
        np.cumsum(row, out=row)
    return table


def borders(ids: NDArray[np.int32]) -> Bytes:
    """Pixels (H, W) whose right or lower neighbour is of another parcel."""
    edge = np.zeros(ids.shape, np.uint8)
    edge[:, :-1] |= ids[:, :-1] != ids[:, 1:]
    edge[:-1] |= ids[:-1] != ids[1:]
    return edge


def field_albedo(
    rng: np.random.Generator, parcels: Parcels, water_distance: Floats, survey: Survey
) -> Floats:
    """Albedo (H, W, 3) of the farmland."""
    shape = parcels.edge.shape
    names = list(survey.season.crops)
    weights = np.array(list(survey.season.crops.values()), np.float64)
    choice = rng.choice(len(names), PARCELS, p=weights / weights.sum())
    area = np.bincount(parcels.ids.ravel(), minlength=PARCELS)
    damp = np.bincount(parcels.ids[water_distance < FLOODPLAIN], minlength=PARCELS)
    choice[damp > 0.4 * area] = next(i for i, name in enumerate(names) if name in GRASSLAND)
    crops = [CROPS[name] for name in names]

    colours = np.array([crop.colour for crop in crops], np.float32)[choice]
    colours *= rng.normal(1, 0.11, (PARCELS, 1)).astype(np.float32)
    colours *= rng.normal(1, 0.022, (PARCELS, 3)).astype(np.float32)
    strength = {
        key: np.array([getattr(crop, key) for crop in crops], np.float32)[choice]
        for key in ("rows", "tramlines", "mottle")
    }
    period = rng.uniform(2.6, 5.5, PARCELS).astype(np.float32)

    ids = parcels.ids
    position = np.where(parcels.edge < HEADLAND, parcels.edge, parcels.across)
    moisture = fractal_noise(rng, shape, 45 * METRE, 5, gain=0.65)
    grain = smooth_noise(rng, shape, 2.0)
    texture = strength["mottle"][ids] * (moisture + 0.45 * grain)
    worn = 0.6 + 0.4 * smooth_noise(rng, shape, 20 * METRE)
    texture += strength["rows"][ids] * worn * np.sin(position * (2 * np.pi / period)[ids])
    texture -= strength["tramlines"][ids] * worn * wheel_ruts(position)
    passes = np.sin(position * np.float32(2 * np.pi / (6 * METRE)))
    texture += 0.35 * strength["mottle"][ids] * worn * passes
    albedo = colours[ids] * (1 + texture)[..., None]
    grass_balks(rng, albedo, parcels.edge, survey)
    return albedo


def wheel_ruts(position: Floats) -> Floats:
    """1 in the two wheel ruts that a sprayer leaves every TRAMLINE_SPACING pixels, else 0."""
    offset = np.mod(position, np.float32(TRAMLINE_SPACING)) - np.float32(TRAMLINE_SPACING / 2)
    rut = np.abs(np.abs(offset) - np.float32(0.95 * METRE))
    return np.asarray(np.clip(1.6 - rut, 0, 1), np.float32)


def grass_balks(rng: np.random.Generator, albedo: Floats, edge: Floats, survey: Survey) -> None:
    """Mix the uneven grass strips between parcels into albedo (H, W, 3)."""
    width = (0.35 + 0.5 * smooth_noise(rng, edge.shape, 9 * METRE)) * METRE
    rows, columns = np.nonzero(edge < width)
    tuft = 1 + 0.15 * rng.standard_normal(rows.size, np.float32)
    grass = np.asarray(survey.season.grass, np.float32) * tuft[:, None]
    albedo[rows, columns] += 0.7 * (grass - albedo[rows, columns])
