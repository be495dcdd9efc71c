"""Small class maps, as predict.py writes them."""

from pathlib import Path

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.windows import Window

from partialseg.mapping.class_map import class_map_layout
from partialseg.mapping.cog import new_cog
from partialseg.mapping.frame import Frame

NAMES = ("field", "house", "lake")


def frame(crs: str | None, transform: Affine, width: int = 100, height: int = 80) -> Frame:
    known = CRS.from_user_input(crs) if crs else None
    return Frame(width=width, height=height, crs=known, transform=transform)


def write_map(
    file: Path, place: Frame, ids: NDArray[np.integer], names: tuple[str, ...] = NAMES
) -> Path:
    layout = class_map_layout(names, ((1, 1, 1), (2, 2, 2), (3, 3, 3)), {})
    with new_cog(file, place, layout) as writer:
        writer.write(ids[None].astype(np.uint8), Window(0, 0, place.width, place.height))
    return file
