"""Woodland: where it lies, how an annotator outlines it, and its stands of trees."""

from dataclasses import dataclass

import cv2
import numpy as np

from partialseg.datasets.sample.canvas import (
    METRE,
    WOODLAND,
    Bytes,
    Canvas,
    Flags,
    Floats,
    Shape,
    paint,
)
from partialseg.datasets.sample.fields import PARCELS, Parcels
from partialseg.datasets.sample.geometry import distance_to
from partialseg.datasets.sample.noise import fractal_noise, smooth_noise
from partialseg.datasets.sample.survey import Survey
from partialseg.datasets.sample.trees import Trees, grow, scattered

LEAST_WOOD = (11 * METRE) ** 2  # pixels: smaller groups of trees are left to the background
NARROWEST = 3.5 * METRE  # strips of trees and of clearings
UNWANTED = -100.0  # liking for wood where there can be none
OUTLINE_ERROR = 0.9 * METRE  # an annotator's polygon follows a wood about this well


@dataclass(frozen=True, kw_only=True)
class Stand:
    """Trees of a wood where the stand field lies in above..below; lengths are in pixels."""

    above: float
    below: float
    spacing: float
    radii: tuple[float, float]
    slenderness: float  # height over crown radius
    needles: bool
    leaves: bool  # with needles too: a mixed stand


STANDS = (
    Stand(  # spruce and pine plantation
        above=-9.0,
        below=-0.5,
        spacing=2.6 * METRE,
        radii=(1.3 * METRE, 2.1 * METRE),
        slenderness=9.0,
        needles=True,
        leaves=False,
    ),
    Stand(
        above=-0.5,
        below=0.1,
        spacing=4.0 * METRE,
        radii=(1.7 * METRE, 2.9 * METRE),
        slenderness=8.0,
        needles=True,
        leaves=True,
    ),
    Stand(  # old broadleaves
        above=-0.1,
        below=9.0,
        spacing=5.0 * METRE,
        radii=(2.0 * METRE, 4.4 * METRE),
        slenderness=5.0,
        needles=False,
        leaves=True,
    ),
    Stand(  # their undergrowth, or a young stand
        above=0.9,
        below=9.0,
        spacing=3.2 * METRE,
        radii=(1.4 * METRE, 2.4 * METRE),
        slenderness=5.0,
        needles=False,
        leaves=True,
    ),
)


def woodland(
    rng: np.random.Generator,
    parcels: Parcels,
    blocked: Flags,
    home_distance: Floats,
    water_distance: Floats,
    share: float,
) -> Flags:
    """Woods (H, W) of about share of the picture: whole parcels, free shapes, river banks."""
    shape: Shape = (blocked.shape[0], blocked.shape[1])
    reach = float(min(shape))
    liking = fractal_noise(rng, shape, min(75 * METRE, 0.2 * reach), 5)
    liking += rng.normal(0, 0.75, PARCELS).astype(np.float32)[parcels.ids]
    liking += 1.6 * np.exp(-water_distance / np.float32(9 * METRE))
    liking -= 2.2 * np.exp(-home_distance / np.float32(min(24 * METRE, 0.06 * reach)))
    liking[blocked] = UNWANTED
    brush = 1 + 2 * round(min(NARROWEST, 0.04 * reach) / 2)
    level = np.quantile(liking[::4, ::4], 1 - 1.04 * share)
    wood = np.asarray(liking > level, np.uint8)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (brush, brush))
    wood = np.asarray(cv2.morphologyEx(wood, cv2.MORPH_CLOSE, kernel), np.uint8)
    wood = np.asarray(cv2.morphologyEx(wood, cv2.MORPH_OPEN, kernel), np.uint8)
    wood = outlined(wood)
    return np.asarray((wood > 0) | near_shore(wood, water_distance)) & ~blocked


def outlined(wood: Bytes) -> Bytes:
    """The woods (H, W) as an annotator draws them: polygons with few corners, no small ones."""
    contours, _ = cv2.findContours(wood, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    polygons = [
        cv2.approxPolyDP(contour, OUTLINE_ERROR, True)
        for contour in contours
        if cv2.contourArea(contour) > min(LEAST_WOOD, 0.006 * wood.size)
    ]
    drawn = np.zeros_like(wood)
    cv2.fillPoly(drawn, polygons, 1)
    return drawn


def near_shore(wood: Bytes, water_distance: Floats) -> Flags:
    """The strip (H, W) between woods and the shore, too thin for an annotator to leave out."""
    kernel = np.ones((9, 9), np.uint8)
    return np.asarray((cv2.dilate(wood, kernel) > 0) & (water_distance < 1.5 * METRE))


def plant_woods(
    canvas: Canvas, wood: Flags, parcels: Parcels, survey: Survey, rng: np.random.Generator
) -> list[Trees]:
    """Paint the forest floor, mark the woods (H, W), and return their trees."""
    floor = np.asarray(survey.season.broadleaves[0], np.float32) * np.float32(0.75)
    paint(canvas.albedo, wood, floor, 0.15 * smooth_noise(rng, canvas.shape, 3.0))
    canvas.mask[wood] = WOODLAND
    stand = smooth_noise(rng, canvas.shape, 40 * METRE)
    stand += rng.normal(0, 0.7, PARCELS).astype(np.float32)[parcels.ids]
    edge = distance_to(~wood)
    groups = []
    for kind in STANDS:
        at = scattered(rng, canvas.shape, kind.spacing)
        x, y = at.astype(int).T
        here = (stand[y, x] > kind.above) & (stand[y, x] <= kind.below)
        here &= edge[y, x] > 0.45 * kind.radii[0]  # crowns reach over the outline, trunks do not
        leaves = survey.season.broadleaves if kind.leaves else ()
        colours = (*leaves, survey.season.conifer) if kind.needles else leaves
        tree = "conifer" if kind.needles else "broadleaf"
        groups.append(grow(rng, tree, at[here], kind.radii, kind.slenderness, colours))
    return groups
