"""Where a person may begin: pixels that nothing is drawn on yet."""

import numpy as np
from numpy.typing import NDArray

from partialseg.patterns.draws import Draws

TRIES = 8  # before the labelled pixels are sorted out


class FreePixels:
    """Draws unlabelled pixels from a list (N,) of flat places in a patch, all equally likely.

    visible (H x W,) has the labelled pixels; its owner goes on filling it.
    """

    def __init__(self, pixels: NDArray[np.intp], visible: NDArray[np.bool_]) -> None:
        self._pixels = pixels
        self._visible = visible

    def draw(self, draws: Draws) -> int | None:
        """Return the flat place of an unlabelled pixel; None when all are labelled."""
        for _ in range(TRIES):
            place = self._any(draws)
            if place is None or not self._visible[place]:
                return place
        self._pixels = self._pixels[~self._visible[self._pixels]]
        return self._any(draws)

    def _any(self, draws: Draws) -> int | None:
        if not self._pixels.size:
            return None
        return self._pixels.item(draws.below(self._pixels.size))
