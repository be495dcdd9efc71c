"""Fixtures: small data made by seeded code in the real layout; and which tests start first."""

import os

# Files run side by side, one a core. Threads beyond that wait by spinning, and take the others'
# time. Set before torch is imported, and inherited by all that the tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import shutil
import signal
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from partialseg.source.index import write_index
from rasters import LEGEND, draw_orthophoto, write_raster

# A shell that runs the tests in the background makes them ignore Ctrl-C, and all that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start the files that run the pipeline first, then those that train: they take longest."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    first = {"pipeline", "cluster"}
    items.sort(key=lambda item: (item.path not in slow, first.isdisjoint(item.path.parts)))


def write_source(folder: Path, sizes: dict[str, tuple[int, int]]) -> Path:
    """Write and index a source of orthophotos (height, width)."""
    rng = np.random.default_rng(5)
    for place, (name, (height, width)) in enumerate(sizes.items()):
        image, ids = draw_orthophoto(rng, height, width)
        x = 500_000.0 + 10_000 * place
        write_raster(folder / "images" / f"{name}.tif", image, x=x)
        write_raster(folder / "masks" / f"{name}.tif", ids, x=x)
    write_index(folder, folder / "images", folder / "masks", LEGEND)
    return folder


@pytest.fixture
def make_source(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes and indexes a source of orthophotos (height, width)."""

    def make(sizes: dict[str, tuple[int, int]], folder: Path = tmp_path / "source") -> Path:
        return write_source(folder, sizes)

    return make


@pytest.fixture(scope="session")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int, int, int], Path]:
    """Return a function that returns a patch store of the given size, which it writes once."""
    from partialseg.tiling.params import Tile
    from partialseg.tiling.tile import tile

    @cache
    def make(size: int, rows: int, columns: int) -> Path:
        folder = tmp_path_factory.mktemp("store")
        side = (rows * size, columns * size)
        source = write_source(folder / "source", {"a_train": side, "b_val": side, "c_test": side})
        params = Tile(
            source_size=size,
            size=size,
            split="pattern",
            split_seed=1,
            val="*_val",
            test="*_test",
            train_truth="masks",
        )
        tile(source, folder / "patches", params)
        return folder / "patches"

    return make


@pytest.fixture
def make_patches(stores: Callable[[int, int, int], Path], tmp_path: Path) -> Callable[..., Path]:
    """Return a function that gives a patch store: one orthophoto each for train, val, test."""

    def make(size: int = 32, rows: int = 1, columns: int = 3) -> Path:
        patches = tmp_path / "patches"
        shutil.rmtree(patches, ignore_errors=True)
        shutil.copytree(stores(size, rows, columns), patches)
        return patches

    return make
