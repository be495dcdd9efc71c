from pathlib import Path

import numpy as np
import pytest

from partialseg.acquisition.selection import Spool
from rasters import limited_files


def test_arrays_return_as_they_were_from_any_place(tmp_path: Path) -> None:
    arrays = np.random.default_rng(1).integers(0, 2**16, (5, 3, 4)).astype(np.uint16)
    with Spool(tmp_path, (3, 4), np.uint16) as spool:
        for array in arrays:
            spool.append(array)
        for place in (4, 0, 2, 1, 3, 0):
            np.testing.assert_array_equal(spool[place], arrays[place])
            assert spool[place].dtype == np.uint16


def test_nothing_stays_in_the_folder(tmp_path: Path) -> None:
    with Spool(tmp_path, (2,), np.uint8) as spool:
        spool.append(np.array([1, 2], np.uint8))
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_an_error_and_not_a_crash(tmp_path: Path) -> None:
    array = np.zeros((100, 100), np.uint8)
    with Spool(tmp_path, array.shape, np.uint8) as spool, limited_files(5_000):  # noqa: SIM117
        with pytest.raises(OSError, match="File too large"):
            spool.append(array)
