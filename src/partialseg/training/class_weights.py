"""Weights of the classes in the loss."""

import math
from collections.abc import Mapping, Sequence
from typing import Literal

ClassWeights = Literal["auto", "none"] | tuple[float, ...]


def resolve_class_weights(
    wanted: ClassWeights, visible_counts: Mapping[str, int]
) -> tuple[float, ...] | None:
    """Return one weight a class, in the order of visible_counts, or None for equal ones.

    Raises:
        ValueError: a list of another length or with a weight that is not positive, or 'auto' with
            a class that has no visible pixel.
    """
    match wanted:
        case "none":
            return None
        case "auto":
            return inverse_root_frequency(visible_counts)
        case _:
            return _checked(wanted, len(visible_counts))


def inverse_root_frequency(visible_counts: Mapping[str, int]) -> tuple[float, ...]:
    """Return weights in proportion to 1 / sqrt(frequency) among the visible pixels.

    They are scaled so that the mean weight of a visible pixel is 1, which keeps the loss on the
    scale of the unweighted one. The root tempers plain inverse frequency, whose weights of rare
    classes make a network overdraw them (cf. arXiv:1805.00932, section 2.2).

    Raises:
        ValueError: a class has no visible pixel.
    """
    empty = [name for name, count in visible_counts.items() if count == 0]
    if empty:
        raise ValueError(
            f"class_weights: auto needs visible training pixels of every class, {empty} has none; "
            "give a list of weights or 'none'"
        )
    total = sum(visible_counts.values())
    shares = [count / total for count in visible_counts.values()]
    mean = sum(math.sqrt(share) for share in shares)  # sum of share * 1 / sqrt(share)
    return tuple(1 / math.sqrt(share) / mean for share in shares)


def _checked(weights: Sequence[float], num_classes: int) -> tuple[float, ...]:
    if len(weights) != num_classes or min(weights) <= 0:
        raise ValueError(
            f"class_weights: needs {num_classes} positive weights, one a class, got {list(weights)}"
        )
    return tuple(weights)
