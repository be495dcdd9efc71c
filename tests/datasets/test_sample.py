"""The sample: its files, its lists and what its orthophotos show."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from partialseg.datasets.sample.canvas import ROAD, WATER, generator, smooth_noise
from partialseg.datasets.sample.download import Download, cell_names, write_sample
from partialseg.datasets.sample.render import render_orthophoto
from partialseg.datasets.sample.survey import sunlit

SMALL: dict[str, Any] = {
    "seed": 3,
    "orthophotos": 4,
    "min_side": 560,
    "max_side": 700,
    "cell": 128,
    "val_share": 0.25,
    "test_share": 0.10,
}
# Smallest and largest mean share of background, building, woodland, water and road.
SHARES = np.array([[0.55, 0.65], [0.025, 0.05], [0.20, 0.28], [0.05, 0.10], [0.03, 0.05]])


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample")
    write_sample(folder, Download(**SMALL))
    return folder


@pytest.fixture(scope="module")
def orthophoto() -> tuple[np.ndarray, np.ndarray]:
    return render_orthophoto(11, "sample-01", 1000, 1100)


def class_shares(mask: np.ndarray) -> np.ndarray:
    return np.bincount(mask.ravel(), minlength=5) / mask.size


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines()


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.mark.slow
def test_archive_layout_without_leftovers(sample: Path) -> None:
    stems = [f"sample-0{number}" for number in (1, 2, 3, 4)]
    expected = {f"{kind}/{stem}.tif" for kind in ("images", "masks") for stem in stems}
    assert set(contents(sample)) == expected | {"train.txt", "val.txt", "test.txt"}


@pytest.mark.slow
def test_georeference(sample: Path) -> None:
    bounds = []
    for path in sorted(sample.glob("images/*.tif")):
        with rasterio.open(path) as image, rasterio.open(sample / "masks" / path.name) as mask:
            assert (image.count, mask.count) == (3, 1)
            assert set(image.dtypes + mask.dtypes) == {"uint8"}
            assert image.crs.to_epsg() == mask.crs.to_epsg() == 2180
            assert image.transform == mask.transform
            assert image.shape == mask.shape
            assert tuple(image.transform)[:6:4] == (0.25, -0.25)
            assert image.transform.b == image.transform.d == 0
            assert image.profile["tiled"] and image.profile["compress"] == "deflate"
            bounds.append(image.bounds)
    for index, one in enumerate(bounds):
        assert 170_000 < one.left < one.right < 870_000  # Poland in EPSG:2180
        assert 130_000 < one.bottom < one.top < 780_000
        for two in bounds[index + 1 :]:
            assert rasterio.coords.disjoint_bounds(one, two)


@pytest.mark.slow
def test_no_place_is_used_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("partialseg.datasets.sample.download.SHEETS_EAST", 2)
    monkeypatch.setattr("partialseg.datasets.sample.download.SHEETS_NORTH", 2)
    write_sample(tmp_path, Download(**SMALL | {"min_side": 128, "max_side": 128}))
    places = set()
    for path in tmp_path.glob("images/*.tif"):
        with rasterio.open(path) as image:
            places.add(image.bounds[:2])
    assert len(places) == 4


def test_sides_lie_in_bounds_and_differ(sample: Path) -> None:
    sides = []
    for path in sample.glob("images/*.tif"):
        with rasterio.open(path) as image:
            sides += image.shape
    assert min(sides) >= 560 and max(sides) <= 700
    assert len(set(sides)) > 2


def test_every_class_in_every_orthophoto(sample: Path) -> None:
    for path in sample.glob("masks/*.tif"):
        with rasterio.open(path) as mask:
            pixels = mask.read(1)
        assert pixels.max() == 4
        assert class_shares(pixels).min() >= 0.005, path.name


@pytest.mark.slow
@pytest.mark.parametrize("side", [128, 256])
def test_every_class_even_in_tiny_orthophotos(side: int) -> None:
    for seed in range(6):
        _, mask = render_orthophoto(seed, "sample-01", side, side)
        assert class_shares(mask).min() >= 0.005, seed


@pytest.mark.slow
def test_class_shares_of_the_set() -> None:
    masks = [render_orthophoto(42, f"sample-0{n}", 900, 1000)[1] for n in range(1, 7)]
    mean = np.mean([class_shares(mask) for mask in masks], axis=0)
    assert np.all((mean >= SHARES[:, 0]) & (mean <= SHARES[:, 1])), mean


@pytest.mark.slow
def test_equal_bytes_for_equal_arguments(sample: Path, tmp_path: Path) -> None:
    write_sample(tmp_path, Download(**SMALL))
    assert contents(tmp_path) == contents(sample)


@pytest.mark.slow
def test_other_pixels_and_lists_for_another_seed(sample: Path, tmp_path: Path) -> None:
    write_sample(tmp_path, Download(**SMALL | {"seed": 4}))
    mine, others = contents(sample), contents(tmp_path)
    assert all(mine[name] != others[name] for name in mine)


def test_orthophotos_of_one_set_differ() -> None:
    first, _ = render_orthophoto(3, "sample-01", 300, 300)
    second, _ = render_orthophoto(3, "sample-02", 300, 300)
    assert np.abs(first.astype(int) - second).mean() > 10


def test_rendering_leaves_the_global_generator_alone() -> None:
    np.random.seed(0)
    expected = np.random.random()
    np.random.seed(0)
    render_orthophoto(1, "sample-01", 128, 128)
    assert np.random.random() == expected


def test_cell_numbers_count_partial_columns() -> None:
    # 1,300 x 1,100 px hold 2 x 2 full cells of 512 px, and each row has a third, partial cell.
    assert cell_names("s", 1100, 1300, 512) == ["s_0", "s_1", "s_3", "s_4"]
    assert cell_names("s", 1024, 1024, 512) == ["s_0", "s_1", "s_2", "s_3"]


def test_lists_hold_each_full_cell_once(sample: Path) -> None:
    expected = []
    for path in sample.glob("images/*.tif"):
        with rasterio.open(path) as image:
            expected += cell_names(path.stem, image.height, image.width, SMALL["cell"])
    train, val, test = (lines(sample / f"{split}.txt") for split in ("train", "val", "test"))
    assert sorted(train + val + test) == sorted(expected)
    assert all(names == sorted(names) for names in (train, val, test))


def test_lists_keep_the_shares_and_mix_the_orthophotos(sample: Path) -> None:
    train, val, test = (lines(sample / f"{split}.txt") for split in ("train", "val", "test"))
    cells = len(train) + len(val) + len(test)
    assert len(val) == round(0.25 * cells)
    assert len(test) == round(0.10 * cells)
    assert len({name.rsplit("_", 1)[0] for name in val}) > 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"orthophotos": 0}, r"orthophotos must lie in 1\.\.4800, not 0"),
        ({"cell": 0}, r"cell must be at least 1 pixel, not 0"),
        ({"min_side": 127}, r"min_side must be at least cell \(128\), not 127"),
        ({"max_side": 559}, r"min_side must not exceed max_side \(559\), but is 560"),
        ({"max_side": 20_001}, r"max_side must be at most 20000, not 20001"),
        ({"val_share": -0.1}, r"val_share must lie in \[0, 1\), not -0\.1"),
        ({"test_share": 1.0}, r"test_share must lie in \[0, 1\), not 1\.0"),
        ({"val_share": 0.5, "test_share": 0.5}, r"val_share \+ test_share must be below 1"),
        ({"val_share": float("nan")}, r"val_share\n *Input should be a finite number"),
    ],
)
def test_impossible_arguments(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        write_sample(tmp_path / "sample", Download(**SMALL | change))
    assert not (tmp_path / "sample").exists()


def test_a_failed_write_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("partialseg.core.files.os.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_sample(tmp_path, Download(**SMALL | {"min_side": 128, "max_side": 128}))
    assert contents(tmp_path) == {}


@pytest.mark.slow
def test_water_is_darker_than_road(orthophoto: tuple[np.ndarray, np.ndarray]) -> None:
    image, mask = orthophoto
    assert image[mask == WATER].mean() + 25 < image[mask == ROAD].mean()


@pytest.mark.slow
def test_photograph_is_neither_clipped_nor_flat(orthophoto: tuple[np.ndarray, np.ndarray]) -> None:
    image, _ = orthophoto
    assert np.mean((image == 0) | (image == 255)) < 0.02
    assert image.std() > 25


def test_shadow_falls_away_from_the_sun() -> None:
    height = np.zeros((41, 41), np.float32)
    height[20, 20] = 10
    # The sun stands in the east at 45 degrees: the shadow reaches 10 pixels to the west.
    light = sunlit(height, (0.5**0.5, 0.0, 0.5**0.5))
    assert light[20, 13] < 0.7
    assert light[20, 27] == light[20, 5] == light[13, 20] == 1


def test_generators_depend_on_seed_and_name_only() -> None:
    draws = [generator(seed, name).random() for seed, name in ((1, "a"), (1, "a"), (2, "a"))]
    assert draws[0] == draws[1] != draws[2]
    assert generator(1, "a").random() != generator(1, "b").random()


@pytest.mark.parametrize("scale", [2.0, 6.0, 20.0, 60.0])
def test_noise_has_unit_deviation(scale: float) -> None:
    noise = smooth_noise(generator(0, "noise"), (700, 900), scale)
    assert noise.shape == (700, 900)
    assert noise.dtype == np.float32
    assert abs(noise.mean()) < 0.3
    assert 0.7 < noise.std() < 1.3
