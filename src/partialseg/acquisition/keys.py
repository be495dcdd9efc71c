"""Seeded keys of pixels and windows: whoever has the smallest comes first."""

import hashlib

import numpy as np
from numpy.typing import NDArray


def pixel_keys(seed: int, name: str, pixels: int) -> NDArray[np.uint64]:
    """Return the key of each pixel of a patch, in the order by which visible_pixels draws.

    The pixel's own number in the low bits makes the keys of a patch unique.
    """
    low_bits = np.uint64(pixels.bit_length())
    keys = _draw(f"{seed}/{name}", pixels)
    return (keys >> low_bits << low_bits) | np.arange(pixels, dtype=np.uint64)


def window_keys(seed: int, name: str, windows: int) -> NDArray[np.uint64]:
    """Return the key of each window of a patch."""
    return _draw(f"{seed}/{name}/windows", windows)


def _draw(key: str, count: int) -> NDArray[np.uint64]:
    """Return raw output of PCG64, the same in all versions of NumPy and on all machines."""
    entropy = int.from_bytes(hashlib.sha256(key.encode()).digest())
    return np.random.PCG64(entropy).random_raw(count)
