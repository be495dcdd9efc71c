"""Where a person draws next: all classes of a patch in turns."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from partialseg.patterns.canvas import Canvas
from partialseg.patterns.draws import Draws
from partialseg.patterns.free_pixels import FreePixels
from partialseg.truth import NO_TRUTH

PLACES = 3  # that come to mind for a turn, of which the deepest in its region is taken


@dataclass(frozen=True, kw_only=True)
class Turn:
    """The next thing to draw: its class, the round, and the flat place where it begins."""

    class_id: int
    round: int
    start: int


def turns(canvas: Canvas, draws: Draws, room: int) -> Iterator[Turn]:
    """Yield turns until every pixel of a patch that has a truth is labelled.

    Each class that the patch shows comes once a round, in random order. A turn begins on an
    unlabelled pixel, so that a larger region of a class is likelier. A class is passed over when
    that would be within `room` px of labelled pixels, unless it is so for all classes.
    """
    free_of = _free_pixels(canvas, draws)
    round_ = 0
    while free_of:
        crowded: list[Turn] = []
        begun = False
        for class_id, free in list(free_of.items()):
            places = [place for _ in range(PLACES) if (place := free.draw(draws)) is not None]
            if not places:
                del free_of[class_id]
                continue
            roomy = [place for place in places if not canvas.labelled_near(place, room)]
            start = max(roomy or places, key=lambda place: canvas.depth.item(place))
            turn = Turn(class_id=class_id, round=round_, start=start)
            if roomy:
                begun = True
                yield turn
            else:
                crowded.append(turn)
        if not begun:
            yield from crowded
        round_ += 1


def _free_pixels(canvas: Canvas, draws: Draws) -> dict[int, FreePixels]:
    """Return the unlabelled pixels of each class, the classes in random order."""
    ids, visible = canvas.truth.ravel(), canvas.visible.reshape(-1)
    classes = np.unique(ids[ids != NO_TRUTH])
    order = np.argsort(draws.keys(classes.size))
    return {
        int(class_id): FreePixels(np.flatnonzero(ids == class_id), visible)
        for class_id in classes[order]
    }
