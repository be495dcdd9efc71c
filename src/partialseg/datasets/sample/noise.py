"""Seeded random numbers and smooth random fields."""

import hashlib
import math

import cv2
import numpy as np

from partialseg.datasets.sample.canvas import Floats, Shape

COARSE = 8  # broad fields are made at an eighth of the size and enlarged


def generator(seed: int, *names: str) -> np.random.Generator:
    """Random generator of one named thing, the same on every machine."""
    digest = hashlib.sha256("/".join([str(seed), *names]).encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "big")))


def smooth_noise(rng: np.random.Generator, shape: Shape, scale: float) -> Floats:
    """Random field (H, W) of about zero mean and unit deviation, with bumps of scale pixels."""
    height, width = shape
    if scale >= 4 * COARSE:
        small = (math.ceil(height / COARSE) + 1, math.ceil(width / COARSE) + 1)
        field = smooth_noise(rng, small, scale / COARSE)
        enlarged = cv2.resize(field, (small[1] * COARSE, small[0] * COARSE))
        return np.asarray(enlarged[:height, :width], np.float32)
    if scale < COARSE:  # interpolation would show its grid, so blur instead
        sigma = 0.42 * scale
        white = rng.standard_normal(shape, np.float32)
        fine = np.asarray(cv2.GaussianBlur(white, (0, 0), sigma), np.float32)
        return fine * np.float32(2 * math.sqrt(math.pi) * sigma)
    rows, columns = math.ceil(height / scale) + 1, math.ceil(width / scale) + 1
    grid = rng.standard_normal((rows, columns), np.float32)
    size = (math.ceil(columns * scale), math.ceil(rows * scale))
    enlarged = cv2.resize(grid, size, interpolation=cv2.INTER_CUBIC)
    spread = 1.35  # interpolation averages: this brings the deviation back to about 1
    return np.asarray(enlarged[:height, :width] * spread, np.float32)


def fractal_noise(
    rng: np.random.Generator, shape: Shape, scale: float, octaves: int, gain: float = 0.5
) -> Floats:
    """Sum (H, W) of octaves of smooth_noise, each half as wide and gain times as strong."""
    total = np.zeros(shape, np.float32)
    for octave in range(octaves):
        total += gain**octave * smooth_noise(rng, shape, scale / 2**octave)
    norm = math.sqrt(sum(gain ** (2 * octave) for octave in range(octaves)))
    return np.asarray(total / np.float32(norm), np.float32)
