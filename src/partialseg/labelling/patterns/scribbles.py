"""Scribbles: strokes through regions and along their borders."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from partialseg.labelling.params import PatternParams
from partialseg.labelling.patterns.budget import Annotation, pixel_budget, seconds_of_strokes
from partialseg.labelling.patterns.canvas import Canvas, Draws, new_canvas, turns
from partialseg.labelling.patterns.strokes import Border, brushed, random_curve

LONGEST = 2  # a stroke has up to 1 / LONGEST of the longer side of a patch in pixels ...


REACH = 8  # ... and each of its arcs up to 1 / REACH


def draw(
    truth: NDArray[np.uint8], seed: int, name: str, fraction: float, params: PatternParams
) -> Annotation:
    """Scribble on a patch (H, W) until floor(fraction x pixels) are labelled, exactly.

    The last stroke ends where the budget does, so a smaller fraction's pixels lie inside a
    larger one's. Scribbles as labels: Lin et al. 2016, "ScribbleSup", arXiv:1604.05144.

    Raises:
        ValueError: fraction is not in 0 < fraction <= 1, is less than a pixel, or is more than
            the pixels with a truth.
    """
    tool = f"scribbles of thickness {params.thickness} px"
    missing = pixel_budget(truth, name, fraction, tool)
    canvas = new_canvas(truth)
    visible = canvas.visible.reshape(-1)
    strokes = 0
    for stroke in draw_strokes(canvas, Draws("scribbles", seed, name), params.thickness):
        new = stroke[~visible[stroke]][:missing]
        visible[new] = True
        strokes += 1
        missing -= new.size
        if not missing:
            break
    assert not missing  # each stroke begins on an unlabelled pixel
    return Annotation(
        visible=canvas.visible,
        clicks=0,
        seconds=seconds_of_strokes(strokes),
    )


def draw_strokes(canvas: Canvas, draws: Draws, thickness: int) -> Iterator[NDArray[np.intp]]:
    """Yield strokes, flat places (N,) in the order of the brush, until every pixel is labelled.

    The classes take turns; a larger region of a class is likelier. The strokes on a class
    alternate: one through a region, the next along a border, `thickness` px inside it. Each stroke
    lies in one region. The caller labels a stroke before it asks for the next.
    """
    borders: dict[int, Border] = {}
    for turn in turns(canvas, draws, thickness):
        longest = _length(canvas, draws)
        path = None
        if turn.round % 2:
            if turn.class_id not in borders:
                borders[turn.class_id] = Border(canvas, turn.class_id, thickness)
            path = borders[turn.class_id].path(draws, longest)
        if path is None:
            path = _inner_path(canvas, turn.start, draws, thickness, longest)
        yield brushed(path, canvas.truth, thickness)


def _inner_path(
    canvas: Canvas, start: int, draws: Draws, thickness: int, longest: int
) -> NDArray[np.intp]:
    """Return a curve through unlabelled pixels, where the region has room for the whole brush."""
    room = min(canvas.depth.item(start), thickness // 2 + 1)
    allowed = (canvas.truth == canvas.truth.item(start)) & (canvas.depth >= room) & ~canvas.visible
    return random_curve(start, allowed, draws, max(canvas.truth.shape) // REACH, longest)


def _length(canvas: Canvas, draws: Draws) -> int:
    """Return how long a stroke is meant to be, in pixels: a quarter of the longest or more."""
    longest = max(canvas.truth.shape) // LONGEST
    return longest // 4 + draws.below(longest - longest // 4) + 1
