"""Random whole numbers for what a person draws on one patch."""

import hashlib

import numpy as np
from numpy.typing import NDArray


class Draws:
    """Draws that depend on (pattern, seed, patch name) alone.

    Only the raw output of PCG64 is used, which NumPy keeps the same in all versions and on all
    machines (NEP 19), and only whole numbers are computed with it.
    """

    def __init__(self, pattern: str, seed: int, name: str) -> None:
        key = f"{pattern}/{seed}/{name}".encode()
        self._bits = np.random.PCG64(int.from_bytes(hashlib.sha256(key).digest()))

    def below(self, limit: int) -> int:
        """Return one of 0..limit - 1."""
        return int(self._bits.random_raw()) * limit >> 64

    def many_below(self, limit: int, count: int) -> NDArray[np.int64]:
        """Return `count` numbers (N,), each one of 0..limit - 1; limit is below 2**32."""
        high = self._bits.random_raw(count) >> np.uint64(32)
        return (high * np.uint64(limit) >> np.uint64(32)).astype(np.int64)

    def keys(self, count: int) -> NDArray[np.uint64]:
        """Return keys (N,), no two of them equal, whose order is random."""
        keys = self._bits.random_raw(count)
        # The place of a key in its low bits makes it unique.
        low_bits = np.uint64(count.bit_length())
        return keys >> low_bits << low_bits | np.arange(count, dtype=np.uint64)
