"""The lines that a person draws along the borders of a class."""

import cv2
import numpy as np
from numpy.typing import NDArray

from partialseg.patterns.canvas import Canvas
from partialseg.patterns.draws import Draws
from partialseg.patterns.free_pixels import FreePixels

TRIES = 3  # places for a line that come to mind


class Border:
    """The lines at the same depth, `inset` px, along all borders of a class of a canvas.

    In a region that is nowhere so deep there is none. lines (N,) has flat places, one line after
    the other, whose pixels touch by sides or corners; ends (N,) the place after the last pixel of
    each one's line.
    """

    def __init__(self, canvas: Canvas, class_id: int, inset: int) -> None:
        self.canvas = canvas
        self.inset = inset
        self.lines, self.ends = _lines(canvas, class_id, inset)
        self._free = FreePixels(self.lines, canvas.visible.reshape(-1))

    def path(self, draws: Draws, longest: int) -> NDArray[np.intp] | None:
        """Return a piece of a line up to what is labelled; None where there is no room for one."""
        for _ in range(TRIES):
            place = self._free.draw(draws)
            if place is None:
                return None
            if not self.canvas.labelled_near(place, self.inset):
                start = int(np.argmax(self.lines == place))
                path = self.lines[start : min(start + longest, self.ends.item(start))]
                labelled = self.canvas.visible.ravel()[path]
                return path[: int(np.argmax(labelled))] if labelled.any() else path
        return None


def _lines(canvas: Canvas, class_id: int, inset: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the places (N,) and ends (N,) of the lines: contours of the deeper pixels."""
    deep = (canvas.truth == class_id) & (canvas.depth >= inset)
    contours, _ = cv2.findContours(deep.view(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    if not contours:
        return np.zeros(0, np.intp), np.zeros(0, np.intp)
    points = np.concatenate(contours)[:, 0].astype(np.intp)  # x, y
    places = points[:, 1] * deep.shape[1] + points[:, 0]
    # Elsewhere a contour runs along the outer edge of the patch.
    near = canvas.depth.ravel()[places] < inset + 2
    last = np.zeros(places.size, np.bool_)
    last[np.cumsum([len(contour) for contour in contours]) - 1] = True
    last[:-1] |= ~near[1:]
    stops = np.flatnonzero(last[near]) + 1
    return places[near], stops[np.searchsorted(stops, np.arange(np.sum(near)), side="right")]
