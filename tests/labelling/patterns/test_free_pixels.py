import numpy as np

from partialseg.labelling.patterns.canvas import Draws, FreePixels

DRAWS = 3_000


def draws() -> Draws:
    return Draws("boxes", 42, "a_0")


def test_unlabelled_pixels_of_the_list_are_equally_likely() -> None:
    visible = np.zeros(12, np.bool_)
    visible[[2, 3]] = True
    free, stream = FreePixels(np.array([1, 2, 3, 7, 10]), visible), draws()
    drawn = [free.draw(stream) for _ in range(DRAWS)]
    # 1,000 of each are expected, standard deviation 26.
    assert set(drawn) == {1, 7, 10}
    assert all(abs(drawn.count(place) - 1_000) < 5 * 26 for place in (1, 7, 10))


def test_the_last_unlabelled_pixel_is_found() -> None:
    visible = np.ones(5_000, np.bool_)
    visible[4_321] = False
    free, stream = FreePixels(np.arange(5_000), visible), draws()
    assert [free.draw(stream) for _ in range(20)] == [4_321] * 20


def test_pixels_that_are_labelled_later_are_drawn_no_more() -> None:
    visible = np.zeros(40, np.bool_)
    free, stream = FreePixels(np.arange(0, 40, 2), visible), draws()
    drawn = []
    while (place := free.draw(stream)) is not None:
        drawn.append(place)
        visible[place] = True
    assert sorted(drawn) == list(range(0, 40, 2)) != drawn
    assert free.draw(stream) is None


def test_nothing_is_drawn_from_an_empty_list() -> None:
    assert FreePixels(np.zeros(0, np.intp), np.zeros(9, np.bool_)).draw(draws()) is None
