import hashlib

import numpy as np
import pytest
from numpy.typing import NDArray

from partialseg.acquisition.pool import pixel_keys, window_keys
from partialseg.visibility import visible_count, visible_pixels


@pytest.mark.parametrize("fraction", [0.001, 0.1, 0.5, 1.0])
def test_the_smallest_keys_are_the_visible_pixels(fraction: float) -> None:
    keys = pixel_keys(42, "sample-01_3", 96 * 100)
    count = visible_count(fraction, 96 * 100)
    first = np.isin(np.arange(96 * 100), keys.argsort()[:count]).reshape(96, 100)
    np.testing.assert_array_equal(first, visible_pixels(42, "sample-01_3", 96, 100, fraction))


def test_keys_of_pixels_are_unique() -> None:
    assert len(np.unique(pixel_keys(42, "a", 64 * 64) & np.uint64(2**13 - 1))) == 64 * 64


def test_seed_and_name_alone_decide_the_keys_of_windows() -> None:
    keys = window_keys(42, "a", 9)
    np.testing.assert_array_equal(window_keys(42, "a", 9), keys)
    assert not np.isin(keys, window_keys(43, "a", 9)).any()
    assert not np.isin(keys, window_keys(42, "b", 9)).any()


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (
            pixel_keys(42, "N-33-60-D-c-4-2_17", 384 * 384),
            "bee2db4d5227aa37f9ffc6dede3f11d9b265a8612dfc2d056d721bb3fcf494b9",
        ),
        (
            window_keys(42, "N-33-60-D-c-4-2_17", 144),
            "ed3fcbac9e06300ffdd67b8cf4571a57be41805239defae0a145a0a676c81266",
        ),
    ],
)
def test_the_same_bytes_on_any_machine(keys: NDArray[np.uint64], expected: str) -> None:
    assert hashlib.sha256(keys.astype("<u8").tobytes()).hexdigest() == expected
