import numpy as np
import pytest
from numpy.typing import NDArray

from partialseg.labelling.patterns.canvas import Draws
from partialseg.labelling.patterns.strokes import random_curve

SIDE = 161
MIDDLE = 80 * SIDE + 80
OPEN = np.ones((SIDE, SIDE), np.bool_)
NAMES = [f"a_{number}" for number in range(20)]


def curve(
    name: str,
    allowed: NDArray[np.bool_] = OPEN,
    *,
    start: int = MIDDLE,
    reach: int = 16,
    longest: int = 60,
    seed: int = 42,
) -> NDArray[np.int64]:
    """Return the pixels (N, 2) of a curve."""
    places = random_curve(start, allowed, Draws("scribbles", seed, name), reach, longest)
    return np.stack(np.divmod(places, allowed.shape[1]), axis=1)


@pytest.mark.parametrize("reach", [1, 2, 7, 16, 40])
@pytest.mark.parametrize("name", NAMES[:5])
def test_neighbours_touch(name: str, reach: int) -> None:
    pixels = curve(name, reach=reach)
    assert pixels[0].tolist() == [80, 80]
    assert (np.abs(np.diff(pixels, axis=0)).max(axis=1) == 1).all()


@pytest.mark.parametrize("longest", [1, 2, 17, 60])
def test_in_the_open_it_is_as_long_as_it_may(longest: int) -> None:
    assert {len(curve(name, longest=longest)) for name in NAMES} == {longest}


@pytest.mark.parametrize("name", NAMES)
def test_it_is_smooth(name: str) -> None:
    # Five pixels never lead back against the five before.
    steps = curve(name)[5:] - curve(name)[:-5]
    assert np.sum(steps[:-5] * steps[5:], axis=1).min() > 0


def test_curves_lead_everywhere_and_bend() -> None:
    ends = np.array([curve(name)[-1] - 80 for name in NAMES])
    assert {(bool(row > 0), bool(column > 0)) for row, column in ends} == {
        (up, left) for up in (False, True) for left in (False, True)
    }
    # The furthest pixel from the line between both ends, of the curve that bends most.
    bends = []
    for name in NAMES:
        way = curve(name) - 80
        end = way[-1]
        aside = np.abs(way[:, 0] * end[1] - way[:, 1] * end[0]) / np.hypot(*end)
        bends.append(aside.max())
    assert max(bends) > 8


def test_it_never_crosses_what_is_not_allowed() -> None:
    rows, columns = np.mgrid[:48, :48] - 24
    ring = (rows**2 + columns**2 <= 20**2) & (rows**2 + columns**2 >= 10**2)
    lengths = []
    for name in NAMES:
        pixels = curve(name, ring, start=24 * 48 + 9, longest=200)
        assert ring[pixels[:, 0], pixels[:, 1]].all()
        lengths.append(len(pixels))
    assert np.mean(lengths) > 16 and max(lengths) < 200


@pytest.mark.parametrize("start", [0, 47, 48 * 47, 48 * 48 - 1])
def test_it_stays_in_the_patch(start: int) -> None:
    allowed = np.ones((48, 48), np.bool_)
    lengths = []
    for name in NAMES:
        pixels = curve(name, allowed, start=start, longest=100)
        assert pixels.min() >= 0 and pixels.max() < 48
        assert len(pixels) < 2 or (np.abs(np.diff(pixels, axis=0)).max(axis=1) == 1).all()
        lengths.append(len(pixels))
    assert np.mean(lengths) > 16


def test_the_roomiest_of_some_ways_is_taken() -> None:
    # An arc at random soon leaves a corridor of five pixels: one of one gets to 4, one of 12 to 28.
    corridor = np.ones((5, 161), np.bool_)
    lengths = [len(curve(name, corridor, start=2 * 161 + 80)) for name in NAMES]
    assert np.mean(lengths) > 14


def test_a_pixel_without_a_way_on_is_a_curve_of_one() -> None:
    alone = np.zeros((9, 9), np.bool_)
    alone[4, 4] = True
    assert curve("a_0", alone, start=40).tolist() == [[4, 4]]


def test_seed_and_name_decide() -> None:
    first = curve("a_0").tolist()
    assert curve("a_0").tolist() == first
    assert curve("a_1").tolist() != first != curve("a_0", seed=43).tolist()
