"""The survey that takes one orthophoto: season, crops, sun, shadows, weather and camera."""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from partialseg.datasets.sample.canvas import METRE, Bytes, Canvas, Colour, Floats, smooth_noise

GRASSLAND = ("meadow", "mown meadow", "fallow")
SHADOW_DOUBLINGS = 8  # shadows reach 2**8 - 1 pixels, 64 m
HAZE_COLOUR = (0.70, 0.74, 0.78)
PENUMBRA = 2.0  # pixels of height over which a shadow fades in


@dataclass(frozen=True, kw_only=True)
class Crop:
    """Colour of a crop and strength of its rows, its tractor lines and its unevenness."""

    colour: Colour
    rows: float
    tramlines: float
    mottle: float


CROPS = {
    "cereal": Crop(colour=(0.37, 0.47, 0.25), rows=0.02, tramlines=0.16, mottle=0.07),
    "ripe cereal": Crop(colour=(0.74, 0.65, 0.43), rows=0.02, tramlines=0.14, mottle=0.05),
    "stubble": Crop(colour=(0.70, 0.64, 0.49), rows=0.05, tramlines=0.05, mottle=0.06),
    "bare soil": Crop(colour=(0.63, 0.54, 0.43), rows=0.03, tramlines=0.06, mottle=0.10),
    "ploughed": Crop(colour=(0.45, 0.37, 0.30), rows=0.07, tramlines=0.0, mottle=0.12),
    "rapeseed": Crop(colour=(0.74, 0.71, 0.25), rows=0.01, tramlines=0.20, mottle=0.05),
    "maize": Crop(colour=(0.30, 0.40, 0.20), rows=0.09, tramlines=0.0, mottle=0.08),
    "root crop": Crop(colour=(0.36, 0.46, 0.23), rows=0.12, tramlines=0.06, mottle=0.09),
    "meadow": Crop(colour=(0.44, 0.50, 0.30), rows=0.01, tramlines=0.0, mottle=0.10),
    "mown meadow": Crop(colour=(0.54, 0.56, 0.36), rows=0.06, tramlines=0.0, mottle=0.07),
    "fallow": Crop(colour=(0.52, 0.50, 0.35), rows=0.0, tramlines=0.0, mottle=0.15),
}


@dataclass(frozen=True, kw_only=True)
class Season:
    """Share of every crop on the fields, and the colours of grass, broadleaves and conifers."""

    crops: dict[str, float]
    grass: Colour
    broadleaves: tuple[Colour, ...]
    conifer: Colour


SEASONS = (
    Season(  # late April and May
        crops={"cereal": 5, "rapeseed": 2, "bare soil": 4, "ploughed": 2, "meadow": 3, "fallow": 1},
        grass=(0.40, 0.50, 0.26),
        broadleaves=((0.34, 0.42, 0.20), (0.40, 0.45, 0.24), (0.43, 0.42, 0.30)),
        conifer=(0.19, 0.26, 0.17),
    ),
    Season(  # June and July
        crops={
            "cereal": 5,
            "ripe cereal": 3,
            "maize": 2,
            "root crop": 2,
            "meadow": 2,
            "mown meadow": 2,
        },
        grass=(0.42, 0.49, 0.27),
        broadleaves=((0.24, 0.33, 0.16), (0.28, 0.37, 0.17), (0.32, 0.38, 0.22)),
        conifer=(0.16, 0.23, 0.15),
    ),
    Season(  # August
        crops={
            "ripe cereal": 3,
            "stubble": 5,
            "maize": 2,
            "root crop": 2,
            "mown meadow": 2,
            "fallow": 2,
        },
        grass=(0.50, 0.50, 0.31),
        broadleaves=((0.25, 0.31, 0.16), (0.29, 0.35, 0.18), (0.35, 0.37, 0.21)),
        conifer=(0.17, 0.23, 0.16),
    ),
    Season(  # September and October
        crops={"stubble": 2, "bare soil": 4, "ploughed": 4, "cereal": 3, "maize": 1, "meadow": 3},
        grass=(0.44, 0.46, 0.29),
        broadleaves=(
            (0.42, 0.39, 0.19),
            (0.50, 0.40, 0.20),
            (0.33, 0.36, 0.19),
            (0.44, 0.32, 0.20),
        ),
        conifer=(0.18, 0.24, 0.17),
    ),
)


@dataclass(frozen=True, kw_only=True)
class Survey:
    """How one orthophoto was taken; sun is the unit vector to the sun (east, south, up)."""

    season: Season
    sun: tuple[float, float, float]
    skylight: Colour  # share of the full light that is left in a shadow
    exposure: float
    haze: float
    gains: Colour
    saturation: float
    gamma: float
    blur: float  # pixels
    noise: float  # grey levels
    glint: float


def draw_survey(rng: np.random.Generator) -> Survey:
    """Draw season, sun, weather and camera at random."""
    azimuth = math.radians(rng.uniform(115, 235))  # flights are made about noon
    elevation = math.radians(rng.uniform(36, 58))
    sky = rng.uniform(0.38, 0.56)
    red, blue = rng.normal(1.0, 0.035, 2)
    return Survey(
        season=SEASONS[rng.integers(len(SEASONS))],
        sun=(
            math.sin(azimuth) * math.cos(elevation),
            -math.cos(azimuth) * math.cos(elevation),
            math.sin(elevation),
        ),
        skylight=(0.88 * sky, 0.97 * sky, 1.14 * sky),
        exposure=rng.uniform(1.02, 1.28),
        haze=rng.uniform(0.0, 0.16),
        gains=(float(red), 1.0, float(blue)),
        saturation=rng.uniform(0.7, 1.1),
        gamma=rng.uniform(0.85, 1.2),
        blur=rng.uniform(0.55, 0.95),
        noise=rng.uniform(1.5, 4.5),
        glint=max(0.0, rng.uniform(-0.14, 0.14)),
    )


def shifted(plane: Floats, dx: int, dy: int) -> Floats:
    """The plane (H, W) read dx, dy pixels farther on, 0 beyond its edge."""
    height, width = plane.shape
    moved = np.zeros_like(plane)
    to_rows = slice(max(0, -dy), min(height, height - dy))
    to_columns = slice(max(0, -dx), min(width, width - dx))
    from_rows = slice(max(0, dy), min(height, height + dy))
    from_columns = slice(max(0, dx), min(width, width + dx))
    moved[to_rows, to_columns] = plane[from_rows, from_columns]
    return moved


def sunlit(height: Floats, sun: tuple[float, float, float]) -> Floats:
    """Part of the direct sun (H, W) that reaches a surface of the given height in pixels."""
    east, south, up = sun
    level = math.hypot(east, south)
    ray = height.copy()  # height below which a pixel lies in shadow
    for doubling in range(SHADOW_DOUBLINGS):
        distance = 2**doubling
        dx, dy = round(distance * east / level), round(distance * south / level)
        if max(abs(dx), abs(dy)) >= min(height.shape):
            break
        drop = np.float32(distance * up / level)
        np.maximum(ray, shifted(ray, dx, dy) - drop, out=ray)
    light = 1 - np.clip((ray - height) / np.float32(PENUMBRA), 0, 1)
    return np.asarray(cv2.GaussianBlur(light, (3, 3), 0.6), np.float32)


def openness(height: Floats) -> Floats:
    """Part of the sky (H, W) that is seen from a surface: less between trees and walls."""
    around = cv2.blur(height, (25, 25))
    return np.asarray(1 - np.clip((around - height) / (20 * METRE), 0, 0.5), np.float32)


def expose(canvas: Canvas, survey: Survey, rng: np.random.Generator) -> Bytes:
    """The photograph (H, W, 3) of the canvas under the survey's light, through its camera."""
    direct = sunlit(canvas.height, survey.sun) * canvas.sunlight
    sky = openness(canvas.height)
    picture = canvas.albedo
    for band, skylight in enumerate(survey.skylight):
        picture[..., band] *= skylight * sky + (1 - skylight) * direct
    grey = picture.mean(2, keepdims=True, dtype=np.float32)
    picture = grey + np.float32(survey.saturation) * (picture - grey)
    picture *= np.float32(survey.exposure)
    np.clip(picture, 0, 1, out=picture)
    cv2.pow(picture, survey.gamma, picture)
    picture *= np.asarray(survey.gains, np.float32) * np.float32(1 - survey.haze)
    picture += np.asarray(HAZE_COLOUR, np.float32) * np.float32(survey.haze)
    picture *= 1 + 0.025 * smooth_noise(rng, canvas.shape, 150 * METRE)[..., None]
    picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), survey.blur), np.float32)
    picture *= 255
    picture += np.float32(survey.noise) * rng.standard_normal(picture.shape, np.float32)
    return np.asarray(np.clip(np.round(picture), 0, 255), np.uint8)
