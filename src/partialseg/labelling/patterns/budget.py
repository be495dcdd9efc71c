"""What a label fraction allows to be labelled in a patch, and what an annotation costs."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from partialseg.core.classes import NO_TRUTH
from partialseg.visibility import check_fraction, visible_count

# Bearman et al. 2016, "What's the Point", arXiv:1506.02106: medians of 2.4 s for the click on the
# first instance of a class in an image and 0.9 s for that on each further instance (with 1 s for
# each of the 18.5 absent classes, that makes their 22.1 s for an image of 1.5 classes) ...
SECONDS_FIRST_CLICK = 2.4
SECONDS_FURTHER_CLICK = 0.9


# ... and of 10.9 s for a squiggle on a class (34.9 s for an image), read as the time of a stroke.
SECONDS_A_STROKE = 10.9


# Papadopoulos et al. 2017, "Extreme clicking", arXiv:1708.02750: 7 s a box by four clicks. (The
# corners of a box took 35 s in ImageNet.)
CLICKS_A_BOX = 4
SECONDS_A_BOX = 7.0


# Cordts et al. 2016, "Cityscapes", arXiv:1604.01685: 1.5 hours for the full mask of an image of
# 2048 x 1024 pixels, checks included; read as time in proportion to pixels.
SECONDS_A_PIXEL = 1.5 * 3600 / (2048 * 1024)


@dataclass(frozen=True, kw_only=True, eq=False)
class Annotation:
    """The pixels (H, W) of a patch that an annotator labelled, and what they cost.

    clicks (of the mouse) and seconds are estimates, None where the cost is unknown. short has, by
    class id, the clicks that could not be made because the class has too few pixels.
    """

    visible: NDArray[np.bool_]
    clicks: int | None
    seconds: float | None
    short: Mapping[int, int] = field(default_factory=dict)


def count_of(fraction: float, units: int) -> int:
    """Return floor(fraction x units), as visibility.visible_count does.

    Raises:
        ValueError: fraction is not in 0 < fraction <= 1.
    """
    check_fraction(fraction)
    return visible_count(fraction, units)


def smallest_fraction(share: Fraction) -> float:
    """Return the smallest number of six decimals that is not below a share."""
    return math.ceil(share * 10**6) / 10**6


def pixel_budget(truth: NDArray[np.uint8], name: str, fraction: float, tool: str) -> int:
    """Return the pixels that a fraction of a patch (H, W) pays for, all with a truth.

    tool names pattern and size in errors.

    Raises:
        ValueError: fraction is not in 0 < fraction <= 1, is less than a pixel, or is more than
            the pixels with a truth.
    """
    count = count_of(fraction, truth.size)
    if count == 0:
        smallest = smallest_fraction(Fraction(1, truth.size))
        raise ValueError(
            f"patch {name}: {tool}: label fraction {fraction} of {truth.size} pixels is less than "
            f"one; the smallest is {smallest}"
        )
    known = np.count_nonzero(truth != NO_TRUTH)
    if count > known:
        raise ValueError(
            f"patch {name}: {tool} reach {known / truth.size:.4f} of the pixels, where all that "
            f"have a truth are labelled; the label fraction asks for {fraction}"
        )
    return count


def seconds_of_clicks(clicks_of_classes: Iterable[int]) -> float:
    """Return the seconds for so many clicks on each of the classes of a patch."""
    return sum(
        SECONDS_FIRST_CLICK + SECONDS_FURTHER_CLICK * (clicks - 1)
        for clicks in clicks_of_classes
        if clicks
    )


def seconds_of_strokes(strokes: int) -> float:
    """Return the seconds for strokes of any length."""
    return SECONDS_A_STROKE * strokes


def seconds_of_boxes(boxes: int) -> float:
    """Return the seconds for boxes of any size."""
    return SECONDS_A_BOX * boxes


def seconds_of_full_mask(pixels: int) -> float:
    """Return the seconds for an area in which every pixel is labelled."""
    return SECONDS_A_PIXEL * pixels
