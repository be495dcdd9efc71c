from pathlib import Path

import numpy as np
import pytest
from affine import Affine

from class_maps import frame, write_map
from partialseg.assessment.draw import allocate, draw
from partialseg.source import raster


@pytest.mark.parametrize(
    ("pixels", "number", "expected"),
    [
        # 10 of 20 for two classes: 5 each; the others by pixels, 9 and 1.
        ([900, 0, 100], 20, [14, 0, 6]),
        # 2.25 + 4.5 x 0.6 = 4.95, 2.25 + 4.5 x 0.4 = 4.05; rounded down 8 in all, one is left.
        ([60, 40], 9, [5, 4]),
        # 38.3, 11.7 and 10, of which the last class has 1; the others get the rest in turns.
        ([50_000, 3_000, 1], 60, [43, 16, 1]),
        ([8, 1, 4], 13, [8, 1, 4]),
    ],
)
def test_half_of_the_points_are_shared_out_equally_and_half_by_pixels(
    pixels: list[int], number: int, expected: list[int]
) -> None:
    assert allocate(pixels, number) == expected


@pytest.mark.parametrize(
    ("pixels", "number", "message"),
    [
        ([60, 40], 7, r"^7 points: a map of 2 classes and 100 pixels needs 8 at least and h"),
        ([60, 40], 101, r"^101 points: a map of 2 classes and 100 pixels needs 8 at least and h"),
        ([0, 0], 20, r"^the map has no pixel of any class$"),
    ],
)
def test_a_number_that_does_not_fit_is_refused(
    pixels: list[int], number: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        allocate(pixels, number)


def test_points_are_centres_of_distinct_pixels_of_their_class(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(raster, "ROWS", 16)  # so that the map is read in several bands
    ids = np.zeros((50, 40), np.uint8)
    ids[:, 30:] = 2
    ids[20:24, 10:20] = 1
    ids[:5] = 255
    place = frame("EPSG:2180", Affine(0.5, 0, 300_000, 0, -0.5, 600_000), 40, 50)
    file = write_map(tmp_path / "map.tif", place, ids)
    pixels = [int((ids == index).sum()) for index in range(3)]
    places = draw(file, pixels, 60, seed=1)
    assert places.shape == (60, 2)
    assert len(np.unique(places, axis=0)) == 60
    column, row = np.floor(places).astype(int).T
    np.testing.assert_array_equal(places, np.stack([column + 0.5, row + 0.5], axis=1))
    found = np.bincount(ids[row, column], minlength=256)
    assert found[:3].tolist() == allocate(pixels, 60)
    assert found[255] == 0
    # In random order, not class by class, and the same for the same seed.
    classes = ids[row, column]
    assert not np.array_equal(classes, np.sort(classes))
    np.testing.assert_array_equal(draw(file, pixels, 60, seed=1), places)
    assert not np.array_equal(draw(file, pixels, 60, seed=2), places)


@pytest.mark.slow
def test_every_pixel_of_a_class_is_drawn_equally_often(tmp_path: Path) -> None:
    ids = np.zeros((4, 6), np.uint8)
    ids[2:] = 1
    file = write_map(tmp_path / "map.tif", frame(None, Affine.identity(), 6, 4), ids)
    counts = np.zeros((4, 6), int)
    for seed in range(300):
        column, row = np.floor(draw(file, [12, 12], 8, seed)).astype(int).T
        counts[row, column] += 1
    assert counts.sum() == 2400
    # 100 each; the standard deviation of a count is 8.
    assert counts.min() > 65 and counts.max() < 135
