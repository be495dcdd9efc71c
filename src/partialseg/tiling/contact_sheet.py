"""A contact sheet: a picture of some patches that the tile stage cut, with their masks."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from partialseg.core.classes import NO_TRUTH, Colour
from partialseg.tiling.patches import Patch, PatchStore

THUMBNAIL = 128  # px
COLUMNS, ROWS = 6, 4  # pairs of image and mask
NO_TRUTH_COLOUR: Colour = (255, 255, 255)
CHECKS = (150, 190)  # greys where there is no truth: white or one grey may be the colour of a class
CHECK = 8  # px
LINE, SWATCH, GAP = 24, 14, 8  # px, of the legend


def colour_mask(mask: NDArray[np.uint8], palette: tuple[Colour, ...]) -> NDArray[np.uint8]:
    """Return class ids (H, W) as colours (H, W, 3); white where there is no truth."""
    table = np.full((NO_TRUTH + 1, 3), NO_TRUTH_COLOUR, np.uint8)
    table[: len(palette)] = palette
    return table[mask]


def draw_contact_sheet(store: PatchStore, file: Path) -> None:
    """Write a PNG with evenly spaced patches of the store, images beside masks, and a legend.

    Raises:
        OSError: the picture cannot be written.
    """
    count = min(COLUMNS * ROWS, len(store.patches))
    chosen = np.linspace(0, len(store.patches) - 1, count).round().astype(int)
    pairs = [_pair(store, store.patches[index]) for index in chosen]
    blank = np.full_like(pairs[0], 255)
    pairs += [blank] * (-len(pairs) % COLUMNS)
    rows = [np.hstack(pairs[start : start + COLUMNS]) for start in range(0, len(pairs), COLUMNS)]
    names = dict(zip(store.summary.class_names, store.summary.palette, strict=True))
    sheet = np.vstack([*rows, _legend(names, rows[0].shape[1])])
    if not cv2.imwrite(str(file), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR)):
        raise OSError(f"{file}: the contact sheet cannot be written")


def _pair(store: PatchStore, patch: Patch) -> NDArray[np.uint8]:
    side = (THUMBNAIL, THUMBNAIL)
    image = cv2.resize(store.image(patch), side, interpolation=cv2.INTER_AREA)
    mask = cv2.resize(store.truth(patch), side, interpolation=cv2.INTER_NEAREST_EXACT)
    colours = colour_mask(mask.astype(np.uint8), store.summary.palette)
    shown = np.where((mask == NO_TRUTH)[..., None], _checks(THUMBNAIL), colours)
    pair = np.hstack([image, shown])
    return np.pad(pair, ((2, 2), (2, 2), (0, 0)), constant_values=255).astype(np.uint8)


def _checks(side: int) -> NDArray[np.uint8]:
    """Return a chequered square (side, side, 3)."""
    row, column = np.indices((side, side)) // CHECK
    return np.array(CHECKS, np.uint8)[(row + column) % 2][..., None].repeat(3, axis=-1)


def _legend(names: dict[str, Colour], width: int) -> NDArray[np.uint8]:
    """Return a legend (H, width, 3) of as many lines as the class names need."""
    font = ImageFont.load_default(size=SWATCH)
    entries = [*names, "no truth"]
    places, x, y = [], GAP, 0
    for name in entries:
        needed = SWATCH + GAP + round(font.getlength(name)) + 2 * GAP
        if x + needed > width and x > GAP:
            x, y = GAP, y + LINE
        places.append((x, y + (LINE - SWATCH) // 2))
        x += needed
    picture = Image.new("RGB", (width, y + LINE), "white")
    draw = ImageDraw.Draw(picture)
    for name, (left, top) in zip(entries, places, strict=True):
        if name in names:
            box = (left, top, left + SWATCH - 1, top + SWATCH - 1)
            draw.rectangle(box, fill=names[name], outline="black")
        else:
            picture.paste(Image.fromarray(_checks(SWATCH)), (left, top))
        draw.text((left + SWATCH + GAP, top), name, fill="black", font=font)
    return np.asarray(picture)
