"""From surfaces to a picture: cast shadows, sky light, haze, lens and sensor."""

import math

import cv2
import numpy as np

from partialseg.datasets.sample.canvas import METRE, Bytes, Canvas, Floats
from partialseg.datasets.sample.noise import smooth_noise
from partialseg.datasets.sample.survey import Survey

SHADOW_DOUBLINGS = 8  # shadows reach 2**8 - 1 pixels, 64 m
HAZE_COLOUR = (0.70, 0.74, 0.78)
PENUMBRA = 2.0  # pixels of height over which a shadow fades in


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
