"""Where there is no image there is no truth, and no colour of it in other pixels."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray

from partialseg.core.classes import NO_TRUTH
from partialseg.source.index import write_index
from partialseg.tiling.params import Tile
from partialseg.tiling.patches import PatchStore
from partialseg.tiling.resampling import resampled_image, resampled_mask
from partialseg.tiling.tile import tile
from rasters import LEGEND, write_raster

SIDE = 64


def params(**changed: Any) -> Tile:
    values = {"source_size": 32, "size": 32, "split": "official", "split_seed": 1}
    return Tile(**(values | {"val": 0.2, "test": 0.2, "train_truth": "masks"} | changed))


def hole() -> NDArray[np.bool_]:
    """Return the left half of an orthophoto and one pixel of the right one."""
    missing = np.zeros((SIDE, SIDE), bool)
    missing[:, :32] = missing[5, 40] = True
    return missing


def write_image(file: Path, kind: str) -> None:
    """Write an image of 50 with a hole, in which there is 0 for nodata, otherwise 200."""
    missing = hole()
    bands = np.full((3, SIDE, SIDE), 50, np.uint8)
    bands[:, missing] = 0 if kind == "nodata" else 200
    if kind == "alpha":
        bands = np.concatenate([bands, np.where(missing, 0, 255).astype(np.uint8)[None]])
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=kind == "internal"):
        write_raster(file, bands)
        with rasterio.open(file, "r+") as raster:
            if kind == "nodata":
                raster.nodata = 0
            elif kind != "alpha":
                raster.write_mask(~missing)


def write_folder(folder: Path, kind: str) -> None:
    """Write a (with a hole; masks of 0, labels of 1) and b, split by the lists of cells."""
    write_image(folder / "images" / "a.tif", kind)
    write_raster(folder / "masks" / "a.tif", np.zeros((1, SIDE, SIDE), np.uint8))
    write_raster(folder / "labels" / "a.tif", np.ones((1, SIDE, SIDE), np.uint8))
    write_raster(folder / "images" / "b.tif", np.full((3, SIDE, SIDE), 50, np.uint8))
    write_raster(folder / "masks" / "b.tif", np.full((1, SIDE, SIDE), 2, np.uint8))
    write_index(folder, folder / "images", folder / "masks", LEGEND, folder / "labels")
    for name, cells in (("train", "a_1"), ("val", "a_3"), ("test", "a_0\nb_0")):
        (folder / f"{name}.txt").write_text(cells)


@pytest.mark.slow
@pytest.mark.parametrize("truth", ["masks", "labels"])
@pytest.mark.parametrize("kind", ["alpha", "nodata", "internal", "beside"])
def test_pixels_without_an_image_have_no_truth_and_are_black(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str, truth: str
) -> None:
    write_folder(tmp_path, kind)
    patches = tile(tmp_path, tmp_path / "out", params(train_truth=truth))
    assert [patch.split for patch in patches[:4]] == ["none", "train", "none", "val"]
    store = PatchStore(tmp_path / "out")
    expected = np.full((32, 32), 1 if truth == "labels" else 0, np.uint8)
    expected[5, 8] = NO_TRUTH
    np.testing.assert_array_equal(store.truth(patches[1]), expected)
    assert (patches[1].no_truth, sum(patches[1].counts)) == (1, 1_023)
    image = store.image(patches[1])
    assert image[5, 8].tolist() == [0, 0, 0]
    assert (image[expected != NO_TRUTH] == 50).all()
    assert not store.image(patches[0]).any()
    assert (patches[0].no_truth, patches[3].no_truth) == (1_024, 0)
    assert capsys.readouterr().out == (
        "1 of 2 orthophotos have pixels without an image, which have no truth either; a has most: "
        "50.0% of its cells\n"
    )


def test_a_shrunk_image_rests_on_the_pixels_with_data() -> None:
    """Of four pixels in the file that become one, three have data; one of them is 0 in red."""
    image = np.zeros((4, 4, 3), np.uint8)
    image[:2, :2] = [[[200, 200, 200], [10, 10, 10]], [[20, 20, 20], [0, 30, 30]]]
    covered = np.ones((4, 4), bool)
    covered[0, 0] = False
    # The pixel under the centre is the lower right one of the four.
    assert resampled_mask(covered.view(np.uint8), 2).tolist() == [[1, 1], [1, 1]]
    assert resampled_image(image, covered, 2)[0, 0].tolist() == [10, 20, 20]
    covered[0, 0], covered[1, 1] = True, False
    assert resampled_image(image, covered, 2)[0, 0].tolist() == [0, 0, 0]


def test_without_a_hole_nothing_changes() -> None:
    image = np.random.default_rng(3).integers(0, 256, (64, 64, 3), np.uint8)
    full = np.ones((64, 64), bool)
    assert resampled_image(image, full, 64) is image
    plain = resampled_image(image, None, 48)
    np.testing.assert_array_equal(resampled_image(image, full, 48), plain)
    holed = full.copy()
    holed[:4, :4] = False
    np.testing.assert_array_equal(resampled_image(image, holed, 48)[3:, 3:], plain[3:, 3:])


def test_all_unknown_values_of_all_files_are_listed_at_once(tmp_path: Path) -> None:
    for name, values in (("a", (70, 71)), ("b", (1,)), ("c", (70, 100))):
        write_raster(tmp_path / "images" / f"{name}.tif", np.ones((3, 32, 32), np.uint8))
        ids = np.zeros((1, 32, 32), np.uint8)
        ids[0, 0, : len(values)] = values
        write_raster(tmp_path / "masks" / f"{name}.tif", ids)
    write_raster(tmp_path / "labels" / "b.tif", np.full((1, 32, 32), 255, np.uint8))
    write_index(tmp_path, tmp_path / "images", tmp_path / "masks", LEGEND, tmp_path / "labels")
    message = (
        r"masks/a\.tif \(and 2 more\): class id 255 on 1024 pixels, class id 70 on 2 pixels, "
        r"class id 71 on 1 pixels, class id 100 on 1 pixels; known ids are \[0, 1, 2, 9\]$"
    )
    with pytest.raises(ValueError, match=message):
        tile(tmp_path, tmp_path / "out", params(split="orthophoto", val=0.3, test=0.3))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("colour", [0, 255, 1])
def test_a_black_or_white_area_with_a_truth_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], colour: int
) -> None:
    bands = np.full((3, SIDE, SIDE), 50, np.uint8)
    bands[:, :16] = colour
    ids = np.zeros((1, SIDE, SIDE), np.uint8)
    ids[:, :8] = 9  # ignored, as LEGEND says
    write_raster(tmp_path / "images/a.tif", bands)
    write_raster(tmp_path / "masks/a.tif", ids)
    write_index(tmp_path, tmp_path / "images", tmp_path / "masks", LEGEND)
    tile(tmp_path, tmp_path / "out", params(split="random", val=0.25, test=0.25))
    text = capsys.readouterr().out
    expected = "1 of 1 orthophotos have a truth where they are wholly black or white; a has most: "
    assert text.startswith(f"{expected}12.5% of its cells. If") == (colour != 1)
    assert (text == "") == (colour == 1)
