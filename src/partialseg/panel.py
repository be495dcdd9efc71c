"""The test patches that the figure shows."""

import math
from collections.abc import Sequence

from partialseg.patches import Patch


def choose_panel(patches: Sequence[Patch], count: int) -> list[Patch]:
    """Choose the patches whose truth mixes the classes most evenly (highest entropy).

    The choice looks at the truth alone, never at a prediction; equal ones by name.
    """
    ranked = sorted(patches, key=lambda patch: (-class_entropy(patch), patch.name))
    return ranked[:count]


def class_entropy(patch: Patch) -> float:
    """Return the entropy of the class shares of a patch, in nats."""
    total = sum(patch.counts)
    shares = [count / total for count in patch.counts if count]
    return -sum(share * math.log(share) for share in shares)
