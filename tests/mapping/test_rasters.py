"""Strips of an orthophoto, joined, against the orthophoto as a whole: byte by byte."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch
from numpy.typing import NDArray

from mapping_models import PLAIN, network_model
from partialseg.mapping import stitch
from partialseg.mapping.cog import new_strip
from partialseg.mapping.model import TorchModel
from partialseg.mapping.orthophoto import open_orthophoto
from partialseg.mapping.rasters import (
    RASTERS,
    Predictor,
    join_strips,
    layouts,
    write_rasters,
    write_strip,
)
from partialseg.mapping.stitch import file_rows, tiles_of
from partialseg.mapping.tiles import Stitching
from rasters import limited_files, write_raster

STITCHING = Stitching(tile=64, overlap=16, batch_size=2)


def noise(height: int, width: int) -> NDArray[np.uint8]:
    return np.random.default_rng(3).integers(1, 256, (3, height, width), np.uint8)


def files_in(folder: Path) -> dict[str, Path]:
    folder.mkdir()
    return {name: folder / f"a_{name}" for name in RASTERS}


def predictor(gsd: float | None) -> Predictor:
    return Predictor(network_model(gsd), PLAIN, STITCHING)


def joined(image: Path, folder: Path, by: Predictor, cuts: list[int]) -> dict[str, Path]:
    """Predict an image strip by strip, the last one first, and join the strips."""
    strips = []
    for number, (first, stop) in enumerate(pairwise(cuts)):
        files = {name: folder / f"strip{number}" / name for name in RASTERS}
        strips.append((range(first, stop), files))
    for chosen, files in reversed(strips):
        next(iter(files.values())).parent.mkdir()
        write_strip(by, image, chosen, files, lambda _: None)
    made = files_in(folder / "joined")
    join_strips(by, image, [files for _, files in strips], made)
    return made


@pytest.mark.slow
@pytest.mark.parametrize("gsd", [None, 0.4, 0.15])
def test_strips_give_the_bytes_of_the_whole(tmp_path: Path, gsd: float | None) -> None:
    """Resampled, too: pixels of 0.25 m for a network of 0.4 and of 0.15 m."""
    bands = noise(330, 150)
    bands[:, 90:200, 20:] = 0  # tiles without data among them
    image = write_raster(tmp_path / "a.tif", bands)
    with rasterio.open(image, "r+") as raster:
        raster.nodata = 0
    by = predictor(gsd)
    with open_orthophoto(image, by.model.info.ground_sampling_distances, PLAIN) as orthophoto:
        rows, _ = tiles_of(orthophoto.shape, STITCHING, None)
    count = len(rows.starts)
    assert count >= 4
    whole = files_in(tmp_path / "whole")
    write_rasters(by, image, whole, lambda _: None)
    made = joined(image, tmp_path, by, [0, 1, 3, count])
    for name in RASTERS:
        assert made[name].read_bytes() == whole[name].read_bytes(), name
    with rasterio.open(whole["classes.tif"]) as raster:
        assert len(np.unique(raster.read(1))) > 2  # classes and nodata


@pytest.mark.slow
def test_strips_of_a_wide_image_give_the_bytes_of_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such an image is also cut into strips of columns, here of three tiles."""
    monkeypatch.setattr(stitch, "COLUMNS", 200)
    image = write_raster(tmp_path / "a.tif", noise(200, 520))
    by = predictor(0.4)
    whole = files_in(tmp_path / "whole")
    write_rasters(by, image, whole, lambda _: None)
    made = joined(image, tmp_path, by, [0, 1, 2, 3])
    for name in RASTERS:
        assert made[name].read_bytes() == whole[name].read_bytes(), name


def test_the_rows_of_all_strips_are_those_of_the_file(tmp_path: Path) -> None:
    image = write_raster(tmp_path / "a.tif", noise(331, 40))
    with open_orthophoto(image, (0.4,), PLAIN) as orthophoto:
        rows, columns = tiles_of(orthophoto.shape, STITCHING, None)
        assert len(columns.starts) == 1
        parts = [file_rows(orthophoto, rows, range(n, n + 1)) for n in range(len(rows.starts))]
    assert [first for first, _ in parts[1:]] == [stop for _, stop in parts[:-1]]
    assert (parts[0][0], parts[-1][1]) == (0, 331)


def test_the_shares_of_a_strip_sum_to_one(tmp_path: Path) -> None:
    image = write_raster(tmp_path / "a.tif", noise(330, 150))
    shares: list[float] = []
    files = files_in(tmp_path / "strip")
    write_strip(predictor(None), image, range(2, 4), files, shares.append)
    assert len(shares) > 2
    assert sum(shares) == pytest.approx(1)


def test_a_strip_that_does_not_fit_on_the_disk_is_no_strip(tmp_path: Path) -> None:
    """At whatever byte the disk is full: an error, or all pixels."""
    pixels = noise(600, 700)[:1] % 3
    (layout, *_) = layouts(predictor(None), {"classes.tif": tmp_path}).values()
    file = tmp_path / "strip.tif"
    complete, outcomes = 0, set[str]()
    with new_strip(file, (600, 700), layout) as writer:
        writer.write(pixels, rasterio.windows.Window(0, 0, 700, 600))
    complete = file.stat().st_size
    for limit in (0, 100, 1000, complete // 2, complete - 1, complete):
        file.unlink(missing_ok=True)
        try:
            with limited_files(limit), new_strip(file, (600, 700), layout) as writer:
                writer.write(pixels, rasterio.windows.Window(0, 0, 700, 600))
        except OSError as error:
            assert "cannot be written (is the disk full?)" in str(error)
            outcomes.add("error")
            continue
        with rasterio.open(file) as raster:
            np.testing.assert_array_equal(raster.read(), pixels)
        outcomes.add("written")
    assert outcomes == {"error", "written"}


@pytest.mark.slow
@pytest.mark.parametrize("threads", [2, 3, 5, 7])
def test_the_bits_do_not_depend_on_the_number_of_threads(threads: int) -> None:
    """So that workers with fewer cores give the same maps."""
    model: TorchModel = network_model()
    images = torch.from_numpy(np.stack([noise(112, 144)]))
    before = torch.get_num_threads()
    expected = model.probabilities(images)
    try:
        torch.set_num_threads(threads)
        assert torch.equal(model.probabilities(images), expected)
    finally:
        torch.set_num_threads(before)
