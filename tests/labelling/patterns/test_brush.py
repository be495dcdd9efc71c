import numpy as np
import pytest
from numpy.typing import NDArray

from partialseg.labelling.patterns.strokes import brushed
from pattern_patches import SPOTS, mask_of, painted, patchwork, pieces, plain, spot


def row_of(row: int, columns: slice, width: int = 64) -> NDArray[np.intp]:
    return row * width + np.arange(width)[columns]


@pytest.mark.parametrize("thickness", SPOTS)
def test_a_dot_is_a_round_spot(thickness: int) -> None:
    made = mask_of(brushed(np.array([20 * 64 + 30]), plain(), thickness), (64, 64))
    rows, columns = np.nonzero(made)
    assert (np.ptp(rows) + 1, np.ptp(columns) + 1) == (thickness, thickness)
    assert rows.min() == 20 - (thickness - 1) // 2 and columns.min() == 30 - (thickness - 1) // 2
    box = made[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    np.testing.assert_array_equal(box, spot(thickness))


@pytest.mark.parametrize("thickness", SPOTS)
def test_a_line_is_as_wide_as_the_brush(thickness: int) -> None:
    made = mask_of(brushed(row_of(20, slice(10, 50)), plain(), thickness), (64, 64))
    assert (made[:, 15:45].sum(axis=0) == thickness).all()
    assert made[20, 10:50].all()


@pytest.mark.parametrize("thickness", SPOTS)
def test_a_stroke_is_the_spots_along_its_path(thickness: int) -> None:
    path = np.array([(20 + step // 2) * 64 + 12 + step for step in range(30)])
    path = np.concatenate([path, path[-1] + 64 * np.arange(1, 16)])
    expected = painted(mask_of(path, (64, 64)), thickness)
    made = brushed(path, plain(), thickness)
    assert len(np.unique(made)) == len(made) == expected.sum()
    np.testing.assert_array_equal(mask_of(made, (64, 64)), expected)


def test_pixels_come_in_the_order_of_the_brush() -> None:
    # Three pixels to the right on three rows, the spots of a plus each.
    made = brushed(np.array([6, 7, 8]), plain(3, 5), 3)
    first, *rest = made.tolist()
    assert first == 6
    assert sorted(rest[:4]) == [1, 5, 7, 11]
    assert sorted(rest[4:7]) == [2, 8, 12]
    assert sorted(rest[7:]) == [3, 9, 13]


@pytest.mark.parametrize("thickness", [3, 5, 8])
def test_any_first_pixels_hold_together(thickness: int) -> None:
    truth = patchwork()
    path = row_of(17, slice(4, 27))  # beside the thin line, on class 0
    assert (truth.ravel()[path] == 0).all()
    made = brushed(path, truth, thickness)
    assert len(made) > 23
    for count in range(1, len(made) + 1):
        assert pieces(mask_of(made[:count], truth.shape)) == 1


@pytest.mark.parametrize("thickness", [3, 5, 9])
def test_the_brush_stays_on_its_class(thickness: int) -> None:
    truth = plain()
    truth[21] = 4
    path = row_of(20, slice(10, 50))
    made = mask_of(brushed(path, truth, thickness), (64, 64))
    # Half of the stroke, the line included: what is beyond the wall is class 0 again, but not
    # reached.
    assert not made[21:].any()
    assert made[:, 30].sum() == thickness // 2 + 1
    on_the_wall = mask_of(brushed(path + 64, truth, thickness), (64, 64))
    np.testing.assert_array_equal(np.unique(np.nonzero(on_the_wall)[0]), [21])


@pytest.mark.parametrize("thickness", [2, 5, 6])
def test_the_brush_ends_at_the_edge_of_the_patch(thickness: int) -> None:
    made = brushed(np.arange(64) * 64 + 63, plain(), thickness)
    mask = mask_of(made, (64, 64))
    kept = (thickness - 1) // 2 + 1  # to the left, and the path
    assert mask[:, -kept:].all() and not mask[:, :-kept].any()


def test_a_path_that_comes_back_keeps_its_first_visits() -> None:
    there_and_back = np.array([10, 11, 12, 11, 10])
    assert brushed(there_and_back, plain(4, 8), 1).tolist() == [10, 11, 12]


def test_a_thick_brush_on_a_long_path_keeps_the_order() -> None:
    # The arrival at the last pixel, 219, times 362 is more than 16 bits hold.
    made = brushed(np.arange(400), plain(1, 400), 361)
    assert made.tolist() == list(range(400))
