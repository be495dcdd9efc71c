"""The pictures of the panel: which labels of a patch are visible, and where a network errs."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from partialseg.contact_sheet import NO_TRUTH_COLOUR, colour_mask
from partialseg.truth import NO_TRUTH, Colour

UNLABELLED: Colour = (165, 165, 165)  # light palettes and dark ones stand out from it
WRONG: Colour = (204, 0, 34)
FADED = (150, 245)  # greys that black and white of an image become under its errors
# Sparse labels fade when a page is shrunk, so they are drawn up to this many pixels wide, until
# they cover about this share.
WIDEST_DOT, COVER = 4, 0.35


@dataclass(frozen=True, kw_only=True)
class PanelRow:
    """A test patch: image (H, W, 3), truth (H, W) with NO_TRUTH, visible (H, W) pixels of it.

    predictions holds class ids (H, W) by the name of the run; all rows have the same runs.
    """

    name: str
    image: NDArray[np.uint8]
    truth: NDArray[np.uint8]
    visible: NDArray[np.bool_]
    predictions: dict[str, NDArray[np.uint8]]


def visible_map(row: PanelRow, palette: tuple[Colour, ...]) -> NDArray[np.uint8]:
    """Return the colours (H, W, 3) of the labels that are visible, UNLABELLED elsewhere."""
    labels = np.where(row.visible, row.truth, NO_TRUTH).astype(np.uint8)
    share = np.mean(labels != NO_TRUTH)
    if share > 0:
        labels = _widened(labels, min(WIDEST_DOT, round(math.sqrt(COVER / share))))
    colours = colour_mask(labels, palette)
    colours[labels == NO_TRUTH] = UNLABELLED
    return colours


def _widened(labels: NDArray[np.uint8], dot: int) -> NDArray[np.uint8]:
    """Repeat each label (H, W) to the right and below, dot pixels wide, where there is none."""
    wide = labels.copy()
    height, width = labels.shape
    for down, right in np.ndindex(dot, dot):
        target = wide[down:, right:]
        np.copyto(target, labels[: height - down, : width - right], where=target == NO_TRUTH)
    return wide


def error_map(row: PanelRow, prediction: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the faded grey image (H, W, 3), WRONG at wrong pixels, white without a truth."""
    grey = row.image @ np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
    faded = np.interp(grey, (0, 255), FADED).round().astype(np.uint8)
    colours = np.repeat(faded[..., None], 3, axis=2)
    colours[prediction != row.truth] = WRONG
    colours[row.truth == NO_TRUTH] = NO_TRUTH_COLOUR
    return colours


def error_share(truth: NDArray[np.uint8], prediction: NDArray[np.uint8]) -> float:
    """Return the share, 0..1, of the pixels with a truth that are predicted wrong; NaN if none."""
    known = truth != NO_TRUTH
    return float(np.mean((prediction != truth)[known])) if known.any() else math.nan
