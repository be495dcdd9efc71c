from collections.abc import Iterator
from itertools import groupby, islice

import numpy as np
import pytest

from partialseg.core.classes import NO_TRUTH
from partialseg.labelling.patterns.canvas import Canvas, Draws, Turn, new_canvas, turns
from pattern_patches import halves, patchwork, plain

NAMES = [f"a_{number}" for number in range(60)]


def taken(canvas: Canvas, room: int, name: str = "a_0", seed: int = 42) -> Iterator[Turn]:
    """Label the pixel of each turn."""
    for turn in turns(canvas, Draws("boxes", seed, name), room):
        yield turn
        canvas.visible.reshape(-1)[turn.start] = True


def test_turns_come_until_every_pixel_with_a_truth_is_labelled() -> None:
    truth = patchwork(16)
    canvas = new_canvas(truth)
    starts = []
    for turn in taken(canvas, 0):
        assert truth.item(turn.start) == turn.class_id
        starts.append(turn.start)
    assert sorted(starts) == np.flatnonzero(truth != NO_TRUTH).tolist()


def test_each_class_comes_once_a_round_in_the_same_order() -> None:
    canvas = new_canvas(patchwork())
    made = list(islice(taken(canvas, 0), 40))
    rounds = [[turn.class_id for turn in group] for _, group in groupby(made, lambda t: t.round)]
    assert [turn.round for turn in made] == [number // 4 for number in range(40)]
    assert sorted(rounds[0]) == [0, 1, 2, 3]
    assert rounds == [rounds[0]] * 10


def test_the_order_of_the_classes_is_random() -> None:
    orders = set()
    for name in NAMES:
        made = islice(taken(new_canvas(patchwork()), 0, name), 4)
        orders.add(tuple(turn.class_id for turn in made))
    assert len(orders) > 12  # of 24


def test_a_class_that_is_all_labelled_comes_no_more() -> None:
    truth = plain(8, 8)
    truth[0, :3] = 5
    classes = [turn.class_id for turn in taken(new_canvas(truth), 0)]
    assert sorted(classes[:6]) == [0, 0, 0, 5, 5, 5]
    assert set(classes[6:]) == {0} and len(classes) == 64


def test_the_deepest_of_three_places_is_taken() -> None:
    # Of 32 columns a place at random is 16.5 deep and the deepest of three about 24.5, with a
    # standard deviation of 6.2 for a turn, and so 0.57 for the mean of 120.
    canvas = new_canvas(halves())
    made = [turn for name in NAMES for turn in islice(turns(canvas, Draws("x", 1, name), 0), 2)]
    assert len(made) == 120
    mean = np.mean([canvas.depth.item(turn.start) for turn in made])
    assert mean == pytest.approx(24.5, abs=5 * 0.57)


def test_a_larger_region_is_likelier() -> None:
    truth = np.full((64, 64), 1, np.uint8)
    truth[:48, :30] = truth[:12, 34:] = 0
    # 1440 px and 360 px, all but a few rims as deep or deeper in the larger one.
    firsts = [
        turn.start % 64 < 30
        for name in NAMES
        for turn in islice(turns(new_canvas(truth), Draws("x", 1, name), 0), 2)
        if turn.class_id == 0
    ]
    assert len(firsts) == 60
    assert sum(firsts) > 48


def test_a_turn_begins_away_from_what_is_labelled() -> None:
    for name in NAMES:
        canvas = new_canvas(halves())
        canvas.visible[::16, ::16] = True
        for turn in islice(turns(canvas, Draws("x", 1, name), 5), 2):
            assert not canvas.labelled_near(turn.start, 5)


def test_a_class_without_room_is_passed_over() -> None:
    truth = plain(32, 32)
    truth[10:13, 10:13] = 1
    canvas = new_canvas(truth)
    canvas.visible[11, 11] = True
    made = list(islice(turns(canvas, Draws("x", 1, "a_0"), 2), 5))
    assert [turn.class_id for turn in made] == [0] * 5
    assert [turn.round for turn in made] == [0, 1, 2, 3, 4]


def test_where_no_class_has_room_all_take_their_turn() -> None:
    canvas = new_canvas(halves(32))
    canvas.visible[::4, ::4] = True
    made = list(islice(turns(canvas, Draws("x", 1, "a_0"), 4), 4))
    assert sorted(turn.class_id for turn in made[:2]) == [0, 1]
    assert [turn.round for turn in made] == [0, 0, 1, 1]
    assert not canvas.visible.reshape(-1)[[turn.start for turn in made]].any()


def test_seed_and_name_decide() -> None:
    def made(name: str, seed: int) -> list[Turn]:
        return list(islice(taken(new_canvas(patchwork()), 2, name, seed), 12))

    assert made("a_0", 42) == made("a_0", 42)
    assert made("a_1", 42) != made("a_0", 42) != made("a_0", 43)
