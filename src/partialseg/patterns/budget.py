"""From a label fraction to the number of pixels, clicks, windows or patches it pays for."""

import math
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from partialseg.truth import NO_TRUTH
from partialseg.visibility import check_fraction, visible_count


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
