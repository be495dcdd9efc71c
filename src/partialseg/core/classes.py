"""Class ids: how the truth is stored, and the label that is composed of it in memory."""

import numpy as np
from numpy.typing import NDArray

NO_TRUTH = 255  # in a stored truth, uint8: a pixel that the source leaves unlabelled
MAX_CLASSES = NO_TRUTH
IGNORE_INDEX = -1  # in a label: a pixel that nobody has labelled; exists in memory only
PIXELS_OF = "pixels:"  # prefix, in tables, of the column that counts the pixels of a class

Colour = tuple[int, int, int]  # RGB, 0..255


def compose_label(truth: NDArray[np.uint8], visible: NDArray[np.bool_]) -> NDArray[np.int16]:
    """Return the truth where it is visible and known, IGNORE_INDEX elsewhere."""
    # By arithmetic, which takes a fifth of the time of np.where; int16 because uint8 has no -1.
    label = truth.astype(np.int16) - np.int16(IGNORE_INDEX)
    label *= visible & (truth != NO_TRUTH)
    label += np.int16(IGNORE_INDEX)
    return label
