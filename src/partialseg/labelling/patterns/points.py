"""Points: a few clicks on each class, each of which labels one pixel."""

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from partialseg.core.classes import NO_TRUTH
from partialseg.labelling.params import PatternParams
from partialseg.labelling.patterns.budget import (
    Annotation,
    count_of,
    seconds_of_clicks,
    smallest_fraction,
)
from partialseg.visibility import seeded_bits, unique_keys


def draw(
    truth: NDArray[np.uint8], seed: int, name: str, fraction: float, params: PatternParams
) -> Annotation:
    """Click floor(fraction x params.points) times on each class that a patch (H, W) shows.

    The pixels of a class are equally likely, and a smaller fraction's clicks lie among a larger
    one's. A class with fewer pixels has all of them labelled; the missing clicks are in `short`.
    Point labels: Bearman et al. 2016, arXiv:1506.02106.

    Raises:
        ValueError: fraction is not in 0 < fraction <= 1, or pays for less than a click.
    """
    clicks = count_of(fraction, params.points)
    if clicks == 0:
        raise ValueError(
            f"patch {name}: points: label fraction {fraction} of {params.points} clicks per class "
            f"is less than one; the smallest is {smallest_fraction(Fraction(1, params.points))}"
        )
    ids = truth.ravel()
    keys = unique_keys(seeded_bits(f"points/{seed}/{name}"), ids.size)
    pixels_of = np.bincount(ids, minlength=NO_TRUTH + 1)[:NO_TRUTH]
    visible = np.zeros(ids.size, np.bool_)
    for class_id in np.flatnonzero(pixels_of):
        pixels = np.flatnonzero(ids == class_id)
        if pixels.size > clicks:
            pixels = pixels[np.argpartition(keys[pixels], clicks - 1)[:clicks]]
        visible[pixels] = True
    made = {int(item): min(clicks, int(pixels_of[item])) for item in np.flatnonzero(pixels_of)}
    return Annotation(
        visible=visible.reshape(truth.shape),
        clicks=sum(made.values()),
        seconds=seconds_of_clicks(made.values()),
        short={item: clicks - done for item, done in made.items() if done < clicks},
    )
