"""Drawn: a share of the pixels that a person annotated in the source."""

import math
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from partialseg.core.classes import NO_TRUTH
from partialseg.visibility import check_fraction, seeded_bits, unique_keys


def share(truth: NDArray[np.uint8], seed: int, name: str, fraction: float) -> NDArray[np.bool_]:
    """Return ceil(fraction x number) of the pixels (H, W) that have a truth, so at least one.

    All of them at fraction 1; below, they are equally likely, and a smaller fraction's lie among a
    larger one's.

    Raises:
        ValueError: fraction is not in 0 < fraction <= 1.
    """
    check_fraction(fraction)
    drawn = np.flatnonzero(truth != NO_TRUTH)
    count = math.ceil(Fraction(str(fraction)) * drawn.size)
    keys = unique_keys(seeded_bits(f"drawn/{seed}/{name}"), truth.size)[drawn]
    visible = np.zeros(truth.size, np.bool_)
    visible[drawn[np.argsort(keys, kind="stable")[:count]]] = True
    return visible.reshape(truth.shape)
