"""Fixtures: small data made by seeded code in the real layout."""

import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from partialseg.source.index import write_index
from rasters import LEGEND, draw_orthophoto, write_raster

# A shell that runs the tests in the background makes them ignore Ctrl-C, and all that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def make_source(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes and indexes a source of orthophotos (height, width)."""

    def make(sizes: dict[str, tuple[int, int]], folder: Path = tmp_path / "source") -> Path:
        rng = np.random.default_rng(5)
        for place, (name, (height, width)) in enumerate(sizes.items()):
            image, ids = draw_orthophoto(rng, height, width)
            x = 500_000.0 + 10_000 * place
            write_raster(folder / "images" / f"{name}.tif", image, x=x)
            write_raster(folder / "masks" / f"{name}.tif", ids, x=x)
        write_index(folder, folder / "images", folder / "masks", LEGEND)
        return folder

    return make


@pytest.fixture
def make_patches(make_source: Callable[..., Path], tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a patch store: one orthophoto each for train, val, test."""
    from partialseg.tiling.params import Tile
    from partialseg.tiling.tile import tile

    def make(size: int = 32, rows: int = 1, columns: int = 3) -> Path:
        side = (rows * size, columns * size)
        source = make_source({"a_train": side, "b_val": side, "c_test": side})
        params = Tile(
            source_size=size,
            size=size,
            split="pattern",
            split_seed=1,
            val="*_val",
            test="*_test",
            train_truth="masks",
        )
        tile(source, tmp_path / "patches", params)
        return tmp_path / "patches"

    return make
