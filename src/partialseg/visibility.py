"""Which pixels of a patch an annotator has labelled."""

import hashlib
import math
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray


def check_fraction(fraction: float) -> None:
    """Check a label fraction.

    Raises:
        ValueError: it is not in 0 < fraction <= 1.
    """
    if not 0 < fraction <= 1:
        raise ValueError(f"label fraction must be in 0 < fraction <= 1, got {fraction}")


def visible_count(fraction: float, pixels: int) -> int:
    """Return floor(fraction x pixels), the fraction taken as the decimal number it is written as.

    (0.29 x 100 is 28.999... in binary floating point, and 29 here.)
    """
    return math.floor(Fraction(str(fraction)) * pixels)


def visible_pixels(
    seed: int, name: str, height: int, width: int, fraction: float
) -> NDArray[np.bool_]:
    """Draw the visible pixels of a patch: bool (height, width), exactly floor(fraction x pixels).

    The draw depends on (seed, name) alone, and a smaller fraction's pixels lie inside a larger
    one's: each pixel has a random key, and the smallest keys are visible. Only the raw output of
    PCG64 is used, which NumPy keeps the same in all versions and on all machines (NEP 19).

    Raises:
        ValueError: fraction is not in 0 < fraction <= 1.
    """
    check_fraction(fraction)
    pixels = height * width
    count = visible_count(fraction, pixels)
    if count == 0:
        return np.zeros((height, width), np.bool_)
    entropy = int.from_bytes(hashlib.sha256(f"{seed}/{name}".encode()).digest())
    keys = np.random.PCG64(entropy).random_raw(pixels)
    # The pixel's own number in the low bits makes the keys unique, so the count is exact.
    low_bits = np.uint64(pixels.bit_length())
    keys = (keys >> low_bits << low_bits) | np.arange(pixels, dtype=np.uint64)
    threshold = np.partition(keys, count - 1)[count - 1]
    visible: NDArray[np.bool_] = (keys <= threshold).reshape(height, width)
    return visible
