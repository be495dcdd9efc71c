"""The picture under construction: surface colour, height, sunlight and class of every pixel."""

from dataclasses import dataclass

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
