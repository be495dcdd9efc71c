"""What patterns that draw shape by shape share: random numbers, the canvas, turns of classes."""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from partialseg.core.classes import NO_TRUTH
from partialseg.visibility import seeded_bits, unique_keys

AROUND = np.ones((3, 3), np.uint8)
FAR = 1e4  # px: the depth where a patch shows no border
TRIES = 8  # draws that may hit labelled pixels before these are removed from the list
PLACES = 3  # drawn for the start of a turn, of which the deepest in its region is taken


class Draws:
    """Random whole numbers that depend on (pattern, seed, patch name) alone.

    Only whole numbers are computed with them, so that they are the same on all machines.
    """

    def __init__(self, pattern: str, seed: int, name: str) -> None:
        self._bits = seeded_bits(f"{pattern}/{seed}/{name}")

    def below(self, limit: int) -> int:
        """Return one of 0..limit - 1."""
        return int(self._bits.random_raw()) * limit >> 64

    def many_below(self, limit: int, count: int) -> NDArray[np.int64]:
        """Return `count` numbers (N,), each one of 0..limit - 1; limit is below 2**32."""
        high = self._bits.random_raw(count) >> np.uint64(32)
        return (high * np.uint64(limit) >> np.uint64(32)).astype(np.int64)

    def keys(self, count: int) -> NDArray[np.uint64]:
        """Return keys (N,), no two of them equal, whose order is random."""
        return unique_keys(self._bits, count)


@dataclass(frozen=True, kw_only=True, eq=False)
class Canvas:
    """A patch (H, W) that is drawn on: its class ids, and which pixels are labelled so far.

    depth is that of each pixel in its region.
    """

    truth: NDArray[np.uint8]
    depth: NDArray[np.float32]
    visible: NDArray[np.bool_]

    def labelled_near(self, place: int, distance: int) -> bool:
        """Whether a pixel is labelled in the square of so many pixels around a flat place."""
        row, column = divmod(place, self.truth.shape[1])
        rows = slice(max(row - distance, 0), row + distance + 1)
        return bool(self.visible[rows, max(column - distance, 0) : column + distance + 1].any())


def new_canvas(truth: NDArray[np.uint8]) -> Canvas:
    """Return a patch of these class ids (H, W) without a labelled pixel."""
    return Canvas(truth=truth, depth=_depth(truth), visible=np.zeros(truth.shape, np.bool_))


def _depth(truth: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return how deep each pixel lies in its region, in pixels: 1 at a border.

    The outer edge of the patch is no border: nobody knows that a region ends there.
    """
    inner = cv2.dilate(truth, AROUND) == cv2.erode(truth, AROUND)
    if inner.all():
        return np.full(truth.shape, FAR, np.float32)
    distance = cv2.distanceTransform(inner.view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return distance + np.float32(1)


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


@dataclass(frozen=True, kw_only=True)
class Turn:
    """The next thing to draw: its class, the round, and the flat place where it begins."""

    class_id: int
    round: int
    start: int


def turns(canvas: Canvas, draws: Draws, room: int) -> Iterator[Turn]:
    """Yield turns until every pixel of a patch that has a truth is labelled.

    Each class that the patch shows comes once a round, in random order. A turn begins on an
    unlabelled pixel, so that a larger region of a class is likelier. A class is skipped in a round
    in which its turn would begin within `room` px of labelled pixels, unless all classes would.
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
