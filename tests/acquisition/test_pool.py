import hashlib
from pathlib import Path

import numpy as np
import pytest

from partialseg.acquisition.pool import Oracle, window_keys
from partialseg.tiling.patches import PatchStore
from truth_store import write_truth

WANTED = np.zeros((4, 4), np.bool_)
WANTED[1, :3] = True


def store_of(folder: Path, others: int, *row: int) -> PatchStore:
    """Write a patch whose second row begins so; all other pixels are others."""
    truth = np.full((4, 4), others, np.uint8)
    truth[1, : len(row)] = row
    return write_truth(folder, {"a": {(0, 0): truth}})


@pytest.mark.parametrize("others", [0, 255, 77])
def test_the_wanted_pixels_alone_are_answered(tmp_path: Path, others: int) -> None:
    store = store_of(tmp_path, others, 2, 255, 1)
    labels = Oracle(store).ask(store.patches[0], WANTED)
    assert labels.dtype == np.int16
    assert labels.tolist() == [[-1] * 4, [2, -1, 1, -1], [-1] * 4, [-1] * 4]


def test_damage_of_a_wanted_pixel_is_named(tmp_path: Path) -> None:
    store = store_of(tmp_path, 0, 2, 7, 1)
    message = r"patch a_0_0: damaged truth: class id 7, allowed are 0\.\.2 and 255"
    with pytest.raises(ValueError, match=message):
        Oracle(store).ask(store.patches[0], WANTED)


def test_seed_and_name_alone_decide_the_keys_of_windows() -> None:
    keys = window_keys(42, "a", 9)
    np.testing.assert_array_equal(window_keys(42, "a", 9), keys)
    assert not np.isin(keys, window_keys(43, "a", 9)).any()
    assert not np.isin(keys, window_keys(42, "b", 9)).any()


def test_the_same_keys_of_windows_on_any_machine() -> None:
    keys = window_keys(42, "N-33-60-D-c-4-2_17", 144)
    assert hashlib.sha256(keys.astype("<u8").tobytes()).hexdigest() == GOLDEN


GOLDEN = "ed3fcbac9e06300ffdd67b8cf4571a57be41805239defae0a145a0a676c81266"
