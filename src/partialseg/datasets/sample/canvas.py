"""The picture under construction, and what draws on it: shapes, curves, brushes and noise."""

import hashlib
import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

PIXEL_SIZE = 0.25  # metres, as most LandCover.ai orthophotos have
METRE = 1 / PIXEL_SIZE  # pixels
BACKGROUND, BUILDING, WOODLAND, WATER, ROAD = range(5)  # the ids of the LandCover.ai masks
Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]
Flags = NDArray[np.bool_]
Colour = tuple[float, float, float]
Shape = tuple[int, int]
GRAVEL: tuple[Colour, ...] = ((0.60, 0.56, 0.49), (0.66, 0.62, 0.56), (0.55, 0.50, 0.43))
Points = NDArray[np.float64]  # (N, 2): x, y
Window = tuple[slice, slice]
FRACTION_BITS = 4  # OpenCV draws at sixteenths of a pixel
COARSE = 8  # broad fields are made at an eighth of the size and enlarged


@dataclass
class Canvas:
    """Albedo (H, W, 3) in 0..1, height (H, W) in pixels, slope sunlight (H, W), mask (H, W)."""

    albedo: Floats
    height: Floats
    sunlight: Floats  # of the surface's slope, 1 for level ground; cast shadows come later
    mask: Bytes

    @classmethod
    def level(cls, albedo: Floats) -> "Canvas":
        """Level background ground of the given albedo (H, W, 3)."""
        shape = albedo.shape[:2]
        return cls(
            albedo=albedo,
            height=np.zeros(shape, np.float32),
            sunlight=np.ones(shape, np.float32),
            mask=np.full(shape, BACKGROUND, np.uint8),
        )

    @property
    def shape(self) -> Shape:
        """Height and width in pixels."""
        height, width = self.mask.shape
        return height, width


def paint(albedo: Floats, where: Flags, colour: Colour | Floats, texture: Floats) -> None:
    """Set albedo (H, W, 3) where (H, W) to colour x (1 + texture (H, W)).

    colour is one for all, or one for each of the N pixels, (N, 3), row by row.
    """
    rows, columns = np.nonzero(where)
    brightness = 1 + texture[rows, columns]
    albedo[rows, columns] = np.asarray(colour, np.float32) * brightness[:, None]


def tint(albedo: Floats, where: Flags, colour: Colour, opacity: Floats | float) -> None:
    """Mix colour into albedo (H, W, 3) at where (H, W), by opacity (H, W) or one number."""
    rows, columns = np.nonzero(where)
    weight = opacity if isinstance(opacity, float) else opacity[rows, columns][:, None]
    under = albedo[rows, columns]
    albedo[rows, columns] = under + weight * (np.asarray(colour, np.float32) - under)


@dataclass(frozen=True)
class Rectangle:
    """A rectangle about (x, y), its length along angle (radians, clockwise on the picture)."""

    x: float
    y: float
    length: float
    width: float
    angle: float

    def moved(self, along: float, across: float) -> "Rectangle":
        """The rectangle shifted along its own axes by pixels."""
        x, y = self.place(along, across)
        return replace(self, x=x, y=y)

    def grown(self, margin: float) -> "Rectangle":
        """The rectangle with margin pixels added on every side."""
        return replace(self, length=self.length + 2 * margin, width=self.width + 2 * margin)

    def place(self, along: float, across: float) -> tuple[float, float]:
        """Picture position (x, y) of a point given along the rectangle's own axes."""
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        return self.x + along * cos - across * sin, self.y + along * sin + across * cos

    def carried(self, ground: "Rectangle") -> "Rectangle":
        """The rectangle, given in the axes of ground, at its place on the picture."""
        x, y = ground.place(self.x, self.y)
        return replace(self, x=x, y=y, angle=self.angle + ground.angle)

    def corners(self) -> Points:
        """Corner points (4, 2)."""
        half_length, half_width = self.length / 2, self.width / 2
        signs = ((-1, -1), (1, -1), (1, 1), (-1, 1))
        return np.array([self.place(a * half_length, b * half_width) for a, b in signs])

    def window(self, shape: Shape) -> tuple[Window, Floats, Floats]:
        """Slices that bound it inside the picture, and there its own coordinates (h, w) twice."""
        corners = self.corners()
        left, top = np.clip(np.floor(corners.min(0)), 0, shape[::-1]).astype(int)
        right, bottom = np.clip(np.ceil(corners.max(0)) + 1, 0, shape[::-1]).astype(int)
        dx = np.arange(left, right, dtype=np.float32)[None, :] - np.float32(self.x)
        dy = np.arange(top, bottom, dtype=np.float32)[:, None] - np.float32(self.y)
        cos, sin = np.float32(math.cos(self.angle)), np.float32(math.sin(self.angle))
        return (slice(top, bottom), slice(left, right)), dx * cos + dy * sin, dy * cos - dx * sin

    def inside(self, along: Floats, across: Floats) -> Flags:
        """Which of its own coordinates lie inside it."""
        return (np.abs(along) <= self.length / 2) & (np.abs(across) <= self.width / 2)


def smooth_curve(points: Points) -> Points:
    """Points (M, 2) of the rounded polyline through points (N, 2): Chaikin's corner cutting."""
    for _ in range(4):
        starts, ends = points[:-1], points[1:]
        cut = np.stack([0.75 * starts + 0.25 * ends, 0.25 * starts + 0.75 * ends], 1)
        points = np.concatenate([points[:1], cut.reshape(-1, 2), points[-1:]])
    return points


def resample(curve: Points, spacing: float) -> tuple[Points, Points]:
    """Points (M, 2) every spacing pixels along the curve (N, 2), and unit tangents (M, 2)."""
    steps = np.hypot(*np.diff(curve, axis=0).T)
    length = np.concatenate([[0.0], np.cumsum(steps)])
    at = np.arange(0, length[-1], spacing)
    points = np.stack([np.interp(at, length, curve[:, axis]) for axis in (0, 1)], 1)
    ahead = np.stack([np.interp(at + 1, length, curve[:, axis]) for axis in (0, 1)], 1)
    behind = np.stack([np.interp(at - 1, length, curve[:, axis]) for axis in (0, 1)], 1)
    tangents = ahead - behind
    return points, tangents / np.maximum(np.hypot(*tangents.T), 1e-9)[:, None]


def offset_curve(curve: Points, distance: float) -> Points:
    """The curve (N, 2) moved sideways by distance pixels (to the right of its direction)."""
    points, tangents = resample(curve, 4.0)
    return points + distance * np.stack([-tangents[:, 1], tangents[:, 0]], 1)


def fixed_point(points: Points) -> NDArray[np.int32]:
    """Points (N, 2) in OpenCV's fixed-point units."""
    return np.asarray(np.round(points * 2**FRACTION_BITS), np.int32)


def draw_curve(plane: Bytes, curve: Points, width: float, value: int = 1) -> None:
    """Draw the curve (N, 2) into plane (H, W), width pixels wide."""
    thickness = max(1, round(width))
    cv2.polylines(plane, [fixed_point(curve)], False, value, thickness, cv2.LINE_8, FRACTION_BITS)


def fill_polygon(plane: Bytes, corners: Points, value: int = 1) -> None:
    """Fill the polygon of corners (N, 2) in plane (H, W)."""
    cv2.fillPoly(plane, [fixed_point(corners)], value, cv2.LINE_8, FRACTION_BITS)


def distance_to(where: Flags | Bytes) -> Floats:
    """Distance in pixels (H, W) to the nearest pixel of where (H, W), large when it is empty."""
    outside = np.asarray(np.equal(where, 0), np.uint8)
    return np.asarray(cv2.distanceTransform(outside, cv2.DIST_L2, 3), np.float32)


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
