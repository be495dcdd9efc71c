"""Which pixels of a patch are labelled, and the seeded random order that they are drawn in."""

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
    one's: each pixel has a random key, and the pixels with the smallest keys are visible.

    Raises:
        ValueError: fraction is not in 0 < fraction <= 1.
    """
    check_fraction(fraction)
    pixels = height * width
    count = visible_count(fraction, pixels)
    if count == 0:
        return np.zeros((height, width), np.bool_)
    keys = pixel_keys(seed, name, pixels)
    threshold = np.partition(keys, count - 1)[count - 1]
    visible: NDArray[np.bool_] = (keys <= threshold).reshape(height, width)
    return visible


def pixel_keys(seed: int, name: str, pixels: int) -> NDArray[np.uint64]:
    """Return the key of each pixel (N,) of a patch: visible_pixels draws in ascending order."""
    return unique_keys(seeded_bits(f"{seed}/{name}"), pixels)


def seeded_bits(text: str) -> np.random.PCG64:
    """Return a source of random bits that depends on a text alone.

    Its users take the raw output only, which NumPy keeps the same in all versions and on all
    machines (NEP 19).
    """
    return np.random.PCG64(int.from_bytes(hashlib.sha256(text.encode()).digest()))


def unique_keys(bits: np.random.PCG64, count: int) -> NDArray[np.uint64]:
    """Draw keys (N,), no two of them equal, whose order is random.

    The low bits of a key are its index, which makes it unique.
    """
    low_bits = np.uint64(count.bit_length())
    return bits.random_raw(count) >> low_bits << low_bits | np.arange(count, dtype=np.uint64)
