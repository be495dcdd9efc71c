from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from partialseg.core.classes import NO_TRUTH
from partialseg.labelling.patterns.canvas import Canvas, Draws, new_canvas
from partialseg.labelling.patterns.strokes import Border
from pattern_patches import halves, patchwork, plain

NAMES = [f"a_{number}" for number in range(30)]


def pixels_of(border: Border) -> list[tuple[int, int]]:
    width = border.canvas.truth.shape[1]
    return [divmod(place, width) for place in border.lines.tolist()]


def square() -> Canvas:
    """Return a canvas of 24 px with a square of class 1 in rows and columns 6..17."""
    truth = plain(24, 24)
    truth[6:18, 6:18] = 1
    return new_canvas(truth)


@pytest.mark.parametrize(("class_id", "column", "beyond"), [(0, 13, 12), (1, 18, 19)])
def test_a_line_runs_at_its_depth_along_the_border_alone(
    class_id: int, column: int, beyond: int
) -> None:
    # The border is between the columns 15 and 16; the third pixel from it on each side.
    pixels = pixels_of(Border(new_canvas(halves(32)), class_id, 3))
    # Where the line meets the edge of the patch, it has a pixel of the edge, but no more.
    assert sorted(pixels) == sorted(
        [(row, column) for row in range(32)] + [(0, beyond), (31, beyond)]
    )


def test_the_line_in_a_square_is_a_smaller_square() -> None:
    pixels = pixels_of(Border(square(), 1, 3))
    rim = [(row, column) for row in range(8, 16) for column in range(8, 16)]
    assert sorted(pixels) == [place for place in rim if {8, 15} & set(place)]


@pytest.mark.parametrize("class_id", [0, 1, 2, 3])
@pytest.mark.parametrize("inset", [1, 2, 4])
def test_lines_hold_together_and_lie_in_their_class(class_id: int, inset: int) -> None:
    canvas = new_canvas(patchwork())
    border = Border(canvas, class_id, inset)
    lines, ends = border.lines, border.ends
    assert (canvas.truth.ravel()[lines] == class_id).all()
    depths = canvas.depth.ravel()[lines]
    assert ((depths >= inset) & (depths < inset + 2)).all()
    places = np.arange(len(lines))
    assert len(ends) == len(lines) and (ends > places).all()
    assert (np.diff(ends) >= 0).all()
    rows, columns = np.divmod(lines, 64)
    for place in places[:-1]:
        if ends[place] > place + 1:
            assert ends[place + 1] == ends[place]
            step = max(abs(rows[place + 1] - rows[place]), abs(columns[place + 1] - columns[place]))
            assert step == 1
        else:
            assert ends[place + 1] > ends[place]
    assert len(lines) == 0 or ends[-1] == len(lines)


def test_pixels_without_a_truth_have_a_border_too() -> None:
    truth = plain(8, 16)
    truth[:, 8:] = NO_TRUTH
    assert {column for _, column in pixels_of(Border(new_canvas(truth), 0, 2))} == {6, 5}


def no_path(border: Border) -> bool:
    return border.path(Draws("scribbles", 42, "a_0"), 10) is None


def test_there_is_no_line_where_no_region_is_so_deep() -> None:
    assert len(Border(square(), 1, 6).lines) == 4
    border = Border(square(), 1, 7)
    assert len(border.lines) == len(border.ends) == 0
    assert no_path(border)


def test_a_patch_of_one_class_has_no_border() -> None:
    assert no_path(Border(new_canvas(plain()), 0, 2))


@pytest.mark.parametrize("longest", [1, 5, 1_000])
def test_a_path_is_a_piece_of_a_line(longest: int) -> None:
    border = Border(square(), 1, 3)
    lines = border.lines.tolist()
    starts = set()
    for name in NAMES:
        path = border.path(Draws("scribbles", 42, name), longest)
        assert path is not None
        start = lines.index(path[0])
        assert path.tolist() == lines[start : start + longest]
        assert len(path) == min(longest, len(lines) - start)
        starts.add(start)
    assert len(starts) > 10


def test_a_path_ends_with_its_line() -> None:
    truth = plain(48, 24)
    truth[6:18, 6:18] = truth[30:42, 6:18] = 1
    border = Border(new_canvas(truth), 1, 3)
    assert len(border.lines) == 2 * 28 and sorted(set(border.ends.tolist())) == [28, 56]
    squares = set()
    for way in paths(border):
        assert way is not None
        rows = way // 24
        assert (rows < 24).all() or (rows > 24).all()
        squares.add(bool(rows[0] < 24))
    assert squares == {True, False}


def paths(border: Border) -> Sequence[NDArray[np.intp] | None]:
    return [border.path(Draws("scribbles", 42, name), 1_000) for name in NAMES]


def test_a_path_ends_before_what_is_labelled() -> None:
    canvas = new_canvas(halves(32))
    border = Border(canvas, 0, 3)
    canvas.visible[10, 13] = True
    ways = [way for way in paths(border) if way is not None]
    assert len(ways) > 10
    for way in ways:
        rows, columns = np.divmod(way, 32)
        assert not ((rows == 10) & (columns == 13)).any()
        assert (rows > 10).all() or (rows < 10).all()
    # Some paths are stopped by it, from below or from above as the line runs.
    assert {9, 11} & {int(way[-1]) // 32 for way in ways}


def test_a_path_begins_away_from_what_is_labelled() -> None:
    canvas = new_canvas(halves(32))
    border = Border(canvas, 0, 3)
    canvas.visible[10, 10] = True
    starts = [way.item(0) // 32 for way in paths(border) if way is not None]
    assert len(starts) > 10
    assert not set(starts) & set(range(7, 14))


def test_three_places_come_to_mind() -> None:
    canvas = new_canvas(halves(32))
    border = Border(canvas, 0, 1)
    canvas.visible[:28:3, 14] = True
    draws = [Draws("scribbles", 42, f"b_{number}") for number in range(200)]
    found = sum(border.path(stream, 5) is not None for stream in draws)
    # Four of 33 places have room, so that one try finds one for 24 of 200 paths, and three for
    # 64, with a standard deviation of 6.6.
    assert abs(found - 64) < 3 * 6.6


def test_there_is_no_path_where_all_is_near_what_is_labelled() -> None:
    canvas = new_canvas(halves(32))
    border = Border(canvas, 0, 3)
    canvas.visible[::4, 10] = True
    assert no_path(border)
    canvas.visible[:, 10:14] = True
    assert no_path(border)
