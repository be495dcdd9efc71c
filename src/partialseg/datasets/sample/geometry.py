"""Curves, rectangles and distances in pixel coordinates (x to the east, y to the south)."""

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from partialseg.datasets.sample.canvas import Bytes, Flags, Floats, Shape

Points = NDArray[np.float64]  # (N, 2): x, y
Window = tuple[slice, slice]

FRACTION_BITS = 4  # OpenCV draws at sixteenths of a pixel


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
