"""Patches: some patches with every pixel labelled, and the others with none."""

import hashlib
from collections.abc import Collection
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from partialseg.core.classes import NO_TRUTH
from partialseg.labelling.patterns.budget import (
    Annotation,
    count_of,
    seconds_of_full_mask,
    smallest_fraction,
)


def chosen(names: Collection[str], seed: int, fraction: float) -> set[str]:
    """Return the names of floor(fraction x number) whole patches.

    Their order does not matter, and a smaller fraction's patches are among a larger one's.

    Raises:
        ValueError: fraction is not in 0 < fraction <= 1, or pays for less than a patch.
    """
    count = count_of(fraction, len(names))
    if count == 0:
        least = smallest_fraction(Fraction(1, len(names))) if names else "that of one patch"
        raise ValueError(
            f"patches: label fraction {fraction} of {len(names)} patches is less than one; the "
            f"smallest is {least}"
        )
    return set(sorted(names, key=lambda name: _key(seed, name))[:count])


def whole(truth: NDArray[np.uint8]) -> Annotation:
    """Label every pixel of a chosen patch (H, W) that has a truth."""
    visible = truth != NO_TRUTH
    return Annotation(
        visible=visible,
        clicks=0,
        seconds=seconds_of_full_mask(int(visible.sum())),
    )


def _key(seed: int, name: str) -> tuple[bytes, str]:
    return hashlib.sha256(f"patches/{seed}/{name}".encode()).digest(), name
