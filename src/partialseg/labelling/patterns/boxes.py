"""Boxes: filled rectangles, each inside one region."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from partialseg.labelling.params import PatternParams
from partialseg.labelling.patterns.budget import (
    CLICKS_A_BOX,
    Annotation,
    pixel_budget,
    seconds_of_boxes,
)
from partialseg.labelling.patterns.canvas import Canvas, Draws, new_canvas, turns

SLIMMEST = 3  # a box is meant to be at least 1 / SLIMMEST as wide as it is long
ROOM = 8  # a box begins at least 1 / ROOM of the longest side from others, while it can
Box = tuple[int, int, int, int]  # top, bottom, left, right; bottom and right are outside


def draw(
    truth: NDArray[np.uint8], seed: int, name: str, fraction: float, params: PatternParams
) -> Annotation:
    """Draw boxes on a patch (H, W) until floor(fraction x pixels) are labelled, exactly.

    The last box is made smaller to end where the budget does: it keeps its upper rows, and, where
    that is not exact, a second box has the rest of a row. A smaller fraction's pixels lie inside
    a larger one's.

    Raises:
        ValueError: fraction is not in 0 < fraction <= 1, is less than a pixel, or is more than
            the pixels with a truth.
    """
    tool = f"boxes of up to {params.box} px"
    missing = pixel_budget(truth, name, fraction, tool)
    canvas = new_canvas(truth)
    count = 0
    for box in draw_boxes(canvas, Draws("boxes", seed, name), params.box):
        for top, bottom, left, right in _within(box, missing):
            canvas.visible[top:bottom, left:right] = True
            missing -= (bottom - top) * (right - left)
            count += 1
        if not missing:
            break
    assert not missing  # each box has an unlabelled pixel or more
    return Annotation(
        visible=canvas.visible,
        clicks=CLICKS_A_BOX * count,
        seconds=seconds_of_boxes(count),
    )


def draw_boxes(canvas: Canvas, draws: Draws, longest: int) -> Iterator[Box]:
    """Yield boxes on unlabelled pixels of one class, until every pixel is labelled.

    The classes take turns; a larger region of a class is likelier. No side is over `longest` px.
    The caller labels a box before it asks for the next.
    """
    for turn in turns(canvas, draws, longest // ROOM):
        row, column = divmod(turn.start, canvas.truth.shape[1])
        slim = -(-longest // SLIMMEST)
        short = slim + draws.below(longest - slim + 1)
        limits = (longest, short) if draws.below(2) else (short, longest)
        # No side of the box can be further away.
        top, left = max(row - limits[0], 0), max(column - limits[1], 0)
        near = slice(top, row + limits[0]), slice(left, column + limits[1])
        free = (canvas.truth[near] == turn.class_id) & ~canvas.visible[near]
        box = _grown(free, row - top, column - left, limits)
        yield box[0] + top, box[1] + top, box[2] + left, box[3] + left


def _grown(free: NDArray[np.bool_], row: int, column: int, limits: tuple[int, int]) -> Box:
    """Push the sides of a box outwards in turn, as long as it lies on free pixels (H, W) alone."""
    height, width = free.shape
    top, bottom, left, right = row, row + 1, column, column + 1
    sides = ["top", "right", "bottom", "left"]
    while sides:
        side = sides.pop(0)
        tall, wide = bottom - top < limits[0], right - left < limits[1]
        match side:
            case "top" if tall and top > 0 and free[top - 1, left:right].all():
                top -= 1
            case "bottom" if tall and bottom < height and free[bottom, left:right].all():
                bottom += 1
            case "left" if wide and left > 0 and free[top:bottom, left - 1].all():
                left -= 1
            case "right" if wide and right < width and free[top:bottom, right].all():
                right += 1
            case _:
                continue  # stopped for good: a larger box meets the same obstacle
        sides.append(side)
    return top, bottom, left, right


def _within(box: Box, pixels: int) -> list[Box]:
    """Cut a box to so many pixels, row by row: return the box itself, or one or two parts of it."""
    top, bottom, left, right = box
    rows, rest = divmod(pixels, right - left)
    if rows >= bottom - top:
        return [box]
    parts = [(top, top + rows, left, right), (top + rows, top + rows + 1, left, left + rest)]
    return [part for part in parts if part[0] < part[1] and part[2] < part[3]]
