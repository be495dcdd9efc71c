import math

import numpy as np
import pytest

from partialseg.mapping.class_map import entropy, quantised


def test_shares_become_bytes() -> None:
    shares = np.array([0.0, 0.004, 0.0061, 0.5, 1.0], np.float32)
    assert quantised(shares).tolist() == [0, 1, 2, 125, 250]
    assert quantised(shares).dtype == np.uint8


def test_entropy_is_a_share_of_its_maximum() -> None:
    """Four classes: sure; two equal; all equal; and 1/2, 1/4, 1/4 with 1.5 ln 2."""
    columns = [[1, 0, 0, 0], [0.5, 0.5, 0, 0], [0.25] * 4, [0.5, 0.25, 0.25, 0]]
    probabilities = np.array(columns, np.float32).T[:, None].copy()
    expected = [0, 0.5, 1, 1.5 * math.log(2) / math.log(4)]
    assert entropy(probabilities)[0].tolist() == pytest.approx(expected)
