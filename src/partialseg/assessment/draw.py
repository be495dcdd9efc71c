"""A random sample of the pixels of a map, by class, for a person to label."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from partialseg.assessment.estimate import LEAST_POINTS
from partialseg.mapping.class_map import NODATA, class_bands
from partialseg.source.raster import open_raster


def draw(class_map: Path, pixels: Sequence[int], number: int, seed: int) -> NDArray[np.float64]:
    """Return the centres (number, 2) of random pixels of a class map, in random order.

    The classes of the map are the strata. Half of the points are shared out equally among those
    that it has, half in proportion to their pixels.

    Args:
        class_map: the map.
        pixels: the number of pixels of each class in it.
        number: of points in all.
        seed: of the draw.

    Raises:
        ValueError: the number does not fit the map.
    """
    rng = np.random.default_rng(seed)
    wanted = allocate(pixels, number)
    ranks = [
        np.sort(rng.choice(of_class, count, replace=False))
        for of_class, count in zip(pixels, wanted, strict=True)
    ]
    return rng.permutation(np.concatenate(list(_places(class_map, ranks))))


def allocate(pixels: Sequence[int], number: int) -> list[int]:
    """Return how many of the points each class gets: half of all equally, half by its pixels.

    A class of fewer pixels than that gets as many as it has; the others get the rest.

    Raises:
        ValueError: the map has no class, too few points are asked for, or more than it has pixels.
    """
    classes = sum(of_class > 0 for of_class in pixels)
    if not classes:
        raise ValueError("the map has no pixel of any class")
    least, most = 2 * LEAST_POINTS * classes, sum(pixels)  # half of the least is shared out equally
    if not least <= number <= most:
        raise ValueError(
            f"{number} points: a map of {classes} classes and {most} pixels needs {least} at "
            f"least and has {most} at most"
        )
    sizes = np.array(pixels)
    shares = number / 2 * ((sizes > 0) / classes + sizes / most)
    counts = np.minimum(np.floor(shares).astype(int), sizes)
    while counts.sum() < number:  # to those that lost most by rounding, or to those with room
        lost = np.where(counts < sizes, shares - counts, -np.inf)
        counts[lost.argmax()] += 1
    return counts.tolist()


def _places(class_map: Path, ranks: Sequence[NDArray[np.int64]]) -> Iterator[NDArray[np.float64]]:
    """Yield the centres (N, 2) of the pixels of these ranks among those of each class."""
    seen = np.zeros(len(ranks), np.int64)
    with open_raster(class_map) as raster:
        for top, band in class_bands(raster):
            ids = band.ravel()
            counts = np.bincount(ids, minlength=NODATA + 1)
            for index, of_class in enumerate(ranks):
                first, end = np.searchsorted(of_class, [seen[index], seen[index] + counts[index]])
                if first < end:
                    picked = np.flatnonzero(ids == index)[of_class[first:end] - seen[index]]
                    row, column = np.divmod(picked, raster.width)
                    yield np.stack([column + 0.5, row + top + 0.5], axis=1)
            seen += counts[: len(ranks)]
