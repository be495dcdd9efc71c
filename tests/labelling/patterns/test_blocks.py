import numpy as np
import pytest
from numpy.typing import NDArray

from partialseg.core.classes import NO_TRUTH
from partialseg.labelling.patterns import blocks
from pattern_patches import halves, pattern_params, plain


def windows_of(visible: NDArray[np.bool_], side: int) -> NDArray[np.int64]:
    """Return the labelled pixels (rows, columns) of each window of the grid."""
    rows, columns = (length // side for length in visible.shape)
    inner = visible[: rows * side, : columns * side]
    return inner.reshape(rows, side, columns, side).sum(axis=(1, 3))


@pytest.mark.parametrize(
    ("fraction", "windows"),
    [
        (0.06, 1),  # of 36 x 44 = 1,584 pixels 95, and a window has 64
        (0.1, 2),
        (0.25, 6),
        (0.5, 12),
        (0.8, 19),
        (0.82, 20),  # all
    ],
)
def test_whole_windows_are_labelled(fraction: float, windows: int) -> None:
    # Four rows of five windows; what is beyond stays without a label.
    annotation = blocks.draw(plain(36, 44), 42, "a_0", fraction, pattern_params(block=8))
    visible = annotation.visible
    assert visible.shape == (36, 44) and visible.dtype == np.bool_
    assert not visible[32:].any() and not visible[:, 40:].any()
    made = windows_of(visible, 8)
    assert made.shape == (4, 5)
    assert set(np.unique(made)) <= {0, 64}
    assert visible.sum() == 64 * windows
    assert (annotation.clicks, annotation.short) == (0, {})
    # 90 minutes for 2048 x 1024 pixels.
    assert annotation.seconds == pytest.approx(64 * windows * 5_400 / 2_097_152)


def test_pixels_without_a_truth_stay_unlabelled_in_a_window() -> None:
    truth = halves()
    truth[::2, ::2] = NO_TRUTH
    annotation = blocks.draw(truth, 42, "a_0", 0.25, pattern_params(block=16))
    assert (windows_of(annotation.visible, 16) > 0).sum() == 4
    assert annotation.visible.sum() == 4 * 192
    assert not annotation.visible[::2, ::2].any()
    # They cost no time either.
    assert annotation.seconds == pytest.approx(4 * 192 * 5_400 / 2_097_152)


def test_windows_are_equally_likely() -> None:
    params = pattern_params(block=16)
    made = np.zeros((4, 4), int)
    for number in range(400):
        annotation = blocks.draw(plain(), 42, f"a_{number}", 0.25, params)
        made += windows_of(annotation.visible, 16) // 256
    # Four of 16 windows, 400 times: 100 of each are expected, standard deviation 8.7.
    assert np.abs(made - 100).max() < 5 * 8.7


def test_a_window_may_be_the_patch() -> None:
    params = pattern_params(block=48)
    assert blocks.draw(plain(48, 48), 42, "a", 1.0, params).visible.all()
    annotation = blocks.draw(plain(), 42, "a", 0.5625, params)  # 48 x 48 of 64 x 64
    assert annotation.visible.sum() == 2_304 and annotation.visible[:48, :48].all()


@pytest.mark.parametrize("fraction", [0.01, 1.0])
@pytest.mark.parametrize(("height", "width"), [(48, 47), (36, 64), (36, 36)])
def test_a_window_that_does_not_fit_is_named(height: int, width: int, fraction: float) -> None:
    message = (
        rf"^patch a_3: blocks: a window of 48 px does not fit into a patch of {height} x {width} "
        r"px; take a smaller block$"
    )
    with pytest.raises(ValueError, match=message):
        blocks.draw(plain(height, width), 42, "a_3", fraction, pattern_params(block=48))


def test_less_than_a_window_names_the_smallest() -> None:
    message = (
        r"^patch a_3: blocks: label fraction 0\.04 is less than a window of 8 px; the smallest is "
        r"0\.040405$"
    )
    params = pattern_params(block=8)
    with pytest.raises(ValueError, match=message):
        blocks.draw(plain(36, 44), 42, "a_3", 0.04, params)
    # 64 of 1,584 pixels are 0.0404040...
    assert blocks.draw(plain(36, 44), 42, "a_3", 0.040405, params).visible.sum() == 64


def test_more_than_all_windows_names_what_they_reach() -> None:
    # 20 windows are 1,280 of 1,584 pixels.
    message = (
        r"^patch a_3: blocks of 8 px reach 0\.8081 of the pixels, with all 20 windows; the label "
        r"fraction asks for 0\.9$"
    )
    with pytest.raises(ValueError, match=message):
        blocks.draw(plain(36, 44), 42, "a_3", 0.9, pattern_params(block=8))
