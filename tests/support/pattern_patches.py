"""Patches to annotate, and helpers to check what was labelled on them."""

import cv2
import numpy as np
from numpy.typing import NDArray

from partialseg.core.classes import NO_TRUTH
from partialseg.labelling.params import PatternParams

FRACTIONS = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9)
SMALL = {"points": 20, "thickness": 3, "box": 12, "block": 8}
# What a brush of each thickness leaves where it is put down once.
SPOTS = {
    1: ["#"],
    2: ["##", "##"],
    3: [".#.", "###", ".#."],
    4: [".##.", "####", "####", ".##."],
    5: [".###.", "#####", "#####", "#####", ".###."],
    6: [".####.", "######", "######", "######", "######", ".####."],
    7: ["..###..", ".#####.", "#######", "#######", "#######", ".#####.", "..###.."],
}


def pattern_params(**changes: int) -> PatternParams:
    """Return parameters that fit patches of 64 px."""
    return PatternParams(**SMALL | changes)


def plain(height: int = 64, width: int = 64) -> NDArray[np.uint8]:
    """Return a patch of class 0 alone."""
    return np.zeros((height, width), np.uint8)


def halves(side: int = 64) -> NDArray[np.uint8]:
    """Return a patch of class 0 on the left and 1 on the right."""
    truth = np.zeros((side, side), np.uint8)
    truth[:, side // 2 :] = 1
    return truth


def patchwork(side: int = 64) -> NDArray[np.uint8]:
    """Return a patch of four classes, one of them a thin cross, and a corner without a truth."""
    truth = halves(side)
    rows, columns = np.mgrid[:side, :side] - side // 2
    truth[rows**2 + columns**2 < (side // 4) ** 2] = 2
    truth[side // 4, :] = truth[:, side * 3 // 4] = 3
    truth[-side // 8 :, : side // 4] = NO_TRUTH
    return truth


def pieces(mask: NDArray[np.bool_]) -> int:
    """Return how many pieces a mask (H, W) has, whose pixels touch by sides or corners."""
    return cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)[0] - 1


def mask_of(places: NDArray[np.intp], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return the mask (H, W) of flat places (N,)."""
    mask = np.zeros(shape, np.bool_)
    mask.reshape(-1)[places] = True
    return mask


def spot(thickness: int) -> NDArray[np.bool_]:
    """Return what a brush of `thickness` px leaves where it is put down once."""
    return np.array([[mark == "#" for mark in row] for row in SPOTS[thickness]])


def painted(path: NDArray[np.bool_], thickness: int) -> NDArray[np.bool_]:
    """Return the spots along a path (H, W): even ones reach further to the right and down."""
    middle = thickness // 2
    turned = spot(thickness)[::-1, ::-1].astype(np.uint8)
    return cv2.dilate(path.astype(np.uint8), turned, anchor=(middle, middle)) > 0
