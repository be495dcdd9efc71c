import numpy as np
import pytest

from partialseg.core.classes import NO_TRUTH
from partialseg.labelling.patterns import points
from pattern_patches import halves, patchwork, pattern_params, plain


@pytest.mark.parametrize(
    ("fraction", "clicks"), [(0.05, 1), (0.09, 1), (0.1, 2), (0.29, 5), (0.5, 10), (1.0, 20)]
)
def test_each_class_gets_so_many_clicks(fraction: float, clicks: int) -> None:
    truth = patchwork()
    annotation = points.draw(truth, 42, "a_0", fraction, pattern_params(points=20))
    assert np.bincount(truth[annotation.visible]).tolist() == [clicks] * 4
    assert (annotation.clicks, annotation.short) == (4 * clicks, {})
    # 2.4 s for the first click on a class and 0.9 s for each further one.
    assert annotation.seconds == pytest.approx(4 * (2.4 + 0.9 * (clicks - 1)))


def test_clicks_are_of_the_parameter() -> None:
    annotation = points.draw(halves(), 42, "a_0", 0.29, pattern_params(points=100))
    assert annotation.clicks == annotation.visible.sum() == 2 * 29


def test_a_class_of_too_few_pixels_is_labelled_wholly() -> None:
    truth = plain()
    truth[:2, :2] = 7
    truth[9, :5] = 3
    truth[20:, :] = NO_TRUTH
    annotation = points.draw(truth, 42, "a_0", 0.25, pattern_params(points=20))
    assert np.bincount(truth[annotation.visible]).tolist() == [5, 0, 0, 5, 0, 0, 0, 4]
    assert (annotation.clicks, annotation.short) == (14, {7: 1})
    # Twice 2.4 + 4 x 0.9 and once 2.4 + 3 x 0.9.
    assert annotation.seconds == pytest.approx(17.1)


def test_nothing_is_clicked_on_without_a_truth() -> None:
    annotation = points.draw(np.full((8, 8), NO_TRUTH, np.uint8), 42, "a", 0.5, pattern_params())
    assert not annotation.visible.any()
    assert (annotation.clicks, annotation.seconds, annotation.short) == (0, 0, {})


def test_pixels_of_a_class_are_equally_likely() -> None:
    # Quadrants of 1,024 clicks on 4,096 pixels: 256 expected, standard deviation 12.
    annotation = points.draw(plain(), 42, "a_0", 1.0, pattern_params(points=1_024))
    quadrants = annotation.visible.reshape(2, 32, 2, 32).sum(axis=(1, 3))
    assert np.abs(quadrants - 256).max() < 5 * 12


def test_less_than_a_click_names_the_smallest() -> None:
    message = (
        r"^patch a_3: points: label fraction 0\.14 of 7 clicks per class is less than one; the "
        r"smallest is 0\.142858$"
    )
    params = pattern_params(points=7)
    with pytest.raises(ValueError, match=message):
        points.draw(plain(), 42, "a_3", 0.14, params)
    assert points.draw(plain(), 42, "a_3", 0.142858, params).clicks == 1
