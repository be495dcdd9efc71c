"""Seeds of random draws from names, so that a draw depends on nothing else."""

import hashlib


def seed_from(key: str) -> int:
    """Return the seed of a draw, 63 bits; unlike sums, hashes of different keys are unrelated."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]) >> 1
