"""Ground sampling distances: the pixel sizes in metres that a network was trained on."""

import math
from collections.abc import Iterable, Sequence

TOLERANCE = 0.02  # distances this close are one: map projections alone stretch by tenths of a %


def distinct(distances: Iterable[float | None]) -> list[float]:
    """Return the different ones of the known distances, ascending; of close ones the median."""
    groups: list[list[float]] = []
    for distance in sorted(item for item in distances if item is not None):
        if groups and distance <= groups[-1][0] * (1 + TOLERANCE):
            groups[-1].append(distance)
        else:
            groups.append([distance])
    return [group[len(group) // 2] for group in groups]


def nearest(distances: Sequence[float], distance: float) -> float:
    """Return the one of the distances (at least one) by which `distance` has to be scaled least."""
    return min(distances, key=lambda item: abs(math.log(item / distance)))
