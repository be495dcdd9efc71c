"""A contact sheet: a picture of some patches that the tile stage cut, with their masks."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from partialseg.core.classes import NO_TRUTH, Colour
from partialseg.tiling.patches import Patch, PatchStore

THUMBNAIL = 128  # px
COLUMNS, ROWS = 6, 4  # pairs of image and mask
NO_TRUTH_COLOUR: Colour = (255, 255, 255)


def colour_mask(mask: NDArray[np.uint8], palette: tuple[Colour, ...]) -> NDArray[np.uint8]:
    """Return class ids (H, W) as colours (H, W, 3); white where there is no truth."""
    table = np.full((NO_TRUTH + 1, 3), NO_TRUTH_COLOUR, np.uint8)
    table[: len(palette)] = palette
    return table[mask]


def draw_contact_sheet(store: PatchStore, file: Path) -> None:
    """Write a PNG with evenly spaced patches of the store, each image beside its mask.

    Raises:
        OSError: the picture cannot be written.
    """
    count = min(COLUMNS * ROWS, len(store.patches))
    chosen = np.linspace(0, len(store.patches) - 1, count).round().astype(int)
    pairs = [_pair(store, store.patches[index]) for index in chosen]
    blank = np.full_like(pairs[0], 255)
    pairs += [blank] * (-len(pairs) % COLUMNS)
    rows = [np.hstack(pairs[start : start + COLUMNS]) for start in range(0, len(pairs), COLUMNS)]
    sheet = np.vstack(rows)
    if not cv2.imwrite(str(file), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR)):
        raise OSError(f"{file}: the contact sheet cannot be written")


def _pair(store: PatchStore, patch: Patch) -> NDArray[np.uint8]:
    side = (THUMBNAIL, THUMBNAIL)
    image = cv2.resize(store.image(patch), side, interpolation=cv2.INTER_AREA)
    mask = cv2.resize(store.truth(patch), side, interpolation=cv2.INTER_NEAREST_EXACT)
    pair = np.hstack([image, colour_mask(mask.astype(np.uint8), store.summary.palette)])
    return np.pad(pair, ((2, 2), (2, 2), (0, 0)), constant_values=255).astype(np.uint8)
