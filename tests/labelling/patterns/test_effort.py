import pytest

from partialseg.labelling.patterns import budget as effort


def test_a_first_click_on_a_class_takes_longer_than_the_further_ones() -> None:
    # Bearman et al. 2016: 2.4 s and 0.9 s.
    assert effort.seconds_of_clicks([1]) == pytest.approx(2.4)
    assert effort.seconds_of_clicks([5]) == pytest.approx(2.4 + 4 * 0.9)
    assert effort.seconds_of_clicks([5, 1, 3]) == pytest.approx(6.0 + 2.4 + 4.2)


def test_a_class_without_a_click_takes_no_time() -> None:
    assert effort.seconds_of_clicks([0, 2, 0]) == pytest.approx(3.3)
    assert effort.seconds_of_clicks([]) == 0


def test_a_stroke_takes_as_long_as_a_squiggle() -> None:
    # Bearman et al. 2016: 10.9 s.
    assert effort.seconds_of_strokes(1) == pytest.approx(10.9)
    assert effort.seconds_of_strokes(7) == pytest.approx(76.3)


def test_a_box_takes_four_clicks_and_seven_seconds() -> None:
    # Papadopoulos et al. 2017.
    assert effort.CLICKS_A_BOX == 4
    assert effort.seconds_of_boxes(1) == pytest.approx(7.0)
    assert effort.seconds_of_boxes(6) == pytest.approx(42.0)


def test_a_full_mask_takes_time_in_proportion_to_its_pixels() -> None:
    # Cordts et al. 2016: 90 minutes for 2048 x 1024 pixels, so 2.575 ms a pixel.
    assert effort.seconds_of_full_mask(2_097_152) == pytest.approx(5_400)
    assert effort.seconds_of_full_mask(1) == pytest.approx(0.002574921, rel=1e-6)
    assert effort.seconds_of_full_mask(0) == 0
