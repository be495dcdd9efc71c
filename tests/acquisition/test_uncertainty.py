import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import softmax
from scipy.stats import entropy as entropy_of_scipy

from partialseg.acquisition.prediction import entropy, margin

LN2 = math.log(2)


def pixel(*probabilities: float) -> NDArray[np.float32]:
    """Return the class probabilities (C, 1, 1) of one pixel."""
    return np.array(probabilities, np.float32)[:, None, None]


@pytest.mark.parametrize(
    ("probabilities", "nats"),
    [
        ((1.0, 0.0, 0.0), 0.0),
        ((0.5, 0.5, 0.0), LN2),
        ((0.5, 0.25, 0.25), 1.5 * LN2),
        ((0.25, 0.25, 0.25, 0.25), 2 * LN2),
        ((0.125, 0.125, 0.25, 0.5), 1.75 * LN2),
    ],
)
def test_entropy_is_that_of_the_hand_computed_table(
    probabilities: tuple[float, ...], nats: float
) -> None:
    value = entropy(pixel(*probabilities))
    assert value.shape == (1, 1) and value.dtype == np.float32
    assert float(value[0, 0]) == pytest.approx(nats, abs=1e-6)


@pytest.mark.parametrize(
    ("probabilities", "expected"),
    [
        ((1.0, 0.0, 0.0), 0.0),
        ((0.5, 0.5, 0.0), 1.0),
        ((0.5, 0.25, 0.25), 0.75),
        ((0.25, 0.0, 0.75), 0.5),
        ((0.25, 0.25, 0.25, 0.25), 1.0),
        ((0.125, 0.125, 0.25, 0.5), 0.75),
        ((0.125, 0.875), 0.25),
    ],
)
def test_margin_is_that_of_the_hand_computed_table(
    probabilities: tuple[float, ...], expected: float
) -> None:
    value = margin(pixel(*probabilities))
    assert value.shape == (1, 1) and value.dtype == np.float32
    assert float(value[0, 0]) == expected


def test_maps_agree_with_independent_computations() -> None:
    logits = np.random.default_rng(1).normal(0, 3, (5, 7, 9)).astype(np.float32)
    probabilities = softmax(logits, axis=0)
    np.testing.assert_allclose(
        entropy(probabilities), entropy_of_scipy(probabilities, axis=0), atol=1e-6
    )
    ranked = np.sort(probabilities, axis=0)
    np.testing.assert_allclose(margin(probabilities), 1 - (ranked[-1] - ranked[-2]), atol=1e-6)
