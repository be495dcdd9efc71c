"""Fixtures: small data made by seeded code in the real layout."""

import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray

from partialseg.source.index import write_index
from partialseg.source.legend import LandCoverClass, Legend

# A shell that runs the tests in the background makes them ignore Ctrl-C, and all that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)
PIXEL = 0.25  # metres
LEGEND = Legend(
    classes=(
        LandCoverClass(name="field", colour=(200, 180, 90)),
        LandCoverClass(name="house", colour=(200, 40, 30)),
        LandCoverClass(name="lake", colour=(40, 90, 200)),
    ),
    mask_values="ids",
    ignored_ids=(9,),
)


def write_raster(
    file: Path, bands: NDArray[np.generic], *, crs: str | None = "EPSG:2180", x: float = 500_000.0
) -> Path:
    """Write (bands, H, W) as the suffix says, north-up at (x, 600,000) with 0.25 m pixels."""
    count, height, width = bands.shape
    driver = {".tif": "GTiff", ".png": "PNG", ".jpg": "JPEG"}[file.suffix]
    file.parent.mkdir(parents=True, exist_ok=True)
    place = {"crs": crs, "transform": Affine(PIXEL, 0, x, 0, -PIXEL, 600_000.0)} if crs else {}
    profile = {"driver": driver, "width": width, "height": height, "count": count}
    with rasterio.open(file, "w", dtype=bands.dtype.name, **profile, **place) as raster:
        raster.write(bands)
    return file


@contextmanager
def limited_files(size: int) -> Iterator[None]:
    """Let no file grow beyond so many bytes: what a full disk is to a writer."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def draw_orthophoto(
    rng: np.random.Generator, height: int, width: int, classes: int = 3
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return bands (3, H, W) and ids (1, H, W): squares whose brightness tells the class."""
    blocks = rng.integers(0, classes, (-(-height // 8), -(-width // 8)))
    ids = np.kron(blocks, np.ones((8, 8), np.int64))[:height, :width].astype(np.uint8)
    noise = rng.integers(0, 40, (3, height, width))
    return (ids * 80 + noise).astype(np.uint8), ids[None]


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
