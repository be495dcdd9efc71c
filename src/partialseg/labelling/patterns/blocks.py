"""Blocks: square windows in which every pixel is labelled."""

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from partialseg.core.classes import NO_TRUTH
from partialseg.labelling.params import PatternParams
from partialseg.labelling.patterns.budget import (
    Annotation,
    count_of,
    seconds_of_full_mask,
    smallest_fraction,
)
from partialseg.visibility import seeded_bits, unique_keys


def draw(
    truth: NDArray[np.uint8], seed: int, name: str, fraction: float, params: PatternParams
) -> Annotation:
    """Label as many whole windows of params.block px as a fraction of a patch (H, W) pays for.

    The windows are those of a grid from the upper left that lie wholly in the patch, and a
    smaller fraction's are among a larger one's. Pixels without a truth stay unlabelled in them.
    Block labels: Lin et al. 2019, "Block Annotation", arXiv:2002.06626.

    Raises:
        ValueError: fraction is not in 0 < fraction <= 1, or pays for no window or for more than
            the patch holds, or no window fits into the patch.
    """
    side, (height, width) = params.block, truth.shape
    rows, columns = height // side, width // side
    windows = count_of(fraction, truth.size) // side**2
    if not rows * columns:
        raise ValueError(
            f"patch {name}: blocks: a window of {side} px does not fit into a patch of "
            f"{height} x {width} px; take a smaller block"
        )
    if windows == 0:
        smallest = smallest_fraction(Fraction(side**2, truth.size))
        raise ValueError(
            f"patch {name}: blocks: label fraction {fraction} is less than a window of {side} px; "
            f"the smallest is {smallest}"
        )
    if windows > rows * columns:
        reached = rows * columns * side**2 / truth.size
        raise ValueError(
            f"patch {name}: blocks of {side} px reach {reached:.4f} of the pixels, with all "
            f"{rows * columns} windows; the label fraction asks for {fraction}"
        )
    order = np.argsort(unique_keys(seeded_bits(f"blocks/{seed}/{name}"), rows * columns))
    chosen = np.zeros(rows * columns, np.bool_)
    chosen[order[:windows]] = True
    visible = np.zeros(truth.shape, np.bool_)
    inner = visible[: rows * side, : columns * side]
    inner[:] = chosen.reshape(rows, columns).repeat(side, axis=0).repeat(side, axis=1)
    visible &= truth != NO_TRUTH
    return Annotation(
        visible=visible,
        clicks=0,
        seconds=seconds_of_full_mask(int(visible.sum())),
    )
