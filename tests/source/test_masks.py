from pathlib import Path

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from PIL import Image
from rasterio.windows import Window

from partialseg.core.classes import NO_TRUTH
from partialseg.source.index import write_index
from partialseg.source.mask_code import MaskCode, mask_code
from partialseg.source.raster import open_raster
from rasters import LEGEND, write_raster

COLOURS = ((132, 41, 246), (226, 169, 41), (60, 16, 152))
IDS = mask_code("ids", COLOURS, (200,), ())
BY_COLOUR = mask_code("colours", COLOURS, (), ((155, 155, 155), (0, 0, 0)))


def decode(code: MaskCode, file: Path) -> NDArray[np.uint8]:
    with open_raster(file) as raster:
        return code.decode(raster, Window(0, 0, raster.width, raster.height))


def test_ids_stay_and_the_ignored_one_becomes_no_truth(tmp_path: Path) -> None:
    ids = np.array([[[0, 1], [2, 200]]], np.uint8)
    one = write_raster(tmp_path / "one.tif", ids)
    three = write_raster(tmp_path / "three.tif", np.repeat(ids, 3, axis=0))
    for file in (one, three):
        decoded = decode(IDS, file)
        assert decoded.dtype == np.uint8
        assert decoded.tolist() == [[0, 1], [2, NO_TRUTH]]


def test_colours_become_ids_in_the_order_of_the_classes(tmp_path: Path) -> None:
    colours = [[COLOURS[2], COLOURS[0]], [(155, 155, 155), (0, 0, 0)], [COLOURS[1], COLOURS[1]]]
    bands = np.array(colours, np.uint8).transpose(2, 0, 1)
    decoded = decode(BY_COLOUR, write_raster(tmp_path / "a.png", bands, crs=None))
    assert decoded.tolist() == [[2, 0], [NO_TRUTH, NO_TRUTH], [1, 1]]


def test_a_palette_is_looked_up(tmp_path: Path) -> None:
    file = write_raster(tmp_path / "a.png", np.array([[[5, 3]]], np.uint8), crs=None)
    with rasterio.open(file, "r+") as raster:
        raster.write_colormap(1, {3: (*COLOURS[0], 255), 5: (*COLOURS[2], 255)})
    assert decode(BY_COLOUR, file).tolist() == [[2, 0]]


def test_an_id_out_of_range_is_named(tmp_path: Path) -> None:
    file = write_raster(tmp_path / "a.tif", np.array([[[0, 3], [3, 9]]], np.uint8))
    message = r"a\.tif: class id 3 on 2 pixels, class id 9 on 1 pixels; known ids are \[0, 1, 2, 20"
    with pytest.raises(ValueError, match=message):
        decode(IDS, file)


def test_an_unknown_colour_is_named(tmp_path: Path) -> None:
    bands = np.full((3, 2, 2), 7, np.uint8)
    file = write_raster(tmp_path / "a.png", bands, crs=None)
    with pytest.raises(ValueError, match=r"a\.png: colour \(7, 7, 7\) on 4 pixels"):
        decode(BY_COLOUR, file)


def test_unequal_bands_of_ids_are_refused(tmp_path: Path) -> None:
    bands = np.zeros((3, 2, 2), np.uint8)
    bands[2, 1, 1] = 1
    file = write_raster(tmp_path / "a.tif", bands)
    with pytest.raises(ValueError, match=r"a\.tif: the bands of a mask of class ids must be equal"):
        decode(IDS, file)


def test_one_value_for_two_meanings_is_refused() -> None:
    with pytest.raises(ValueError, match="one value stands for two classes"):
        mask_code("ids", COLOURS, (2,), ())
    with pytest.raises(ValueError, match="one value stands for two classes"):
        mask_code("colours", COLOURS, (), (COLOURS[0],))


@pytest.mark.parametrize(
    ("greys", "refused"),
    [
        ([0, 1, 2], False),
        ([0, 128, 255], False),  # to look at
        ([0, 9, 9], False),  # 9 is ignored
        ([2, 0, 1], True),  # numbered in the order of their occurrence
        ([0, 2], True),  # without those that do not occur
    ],
)
def test_a_palette_must_not_show_other_ids(tmp_path: Path, greys: list[int], refused: bool) -> None:
    picture = Image.fromarray(np.zeros((30, 40), np.uint8), "P")
    picture.putpalette([value for grey in greys for value in (grey, grey, grey)])
    (tmp_path / "masks").mkdir()
    picture.save(tmp_path / "masks/a.png")
    write_raster(tmp_path / "images/a.tif", np.zeros((3, 30, 40), np.uint8))
    if not refused:
        write_index(tmp_path, tmp_path / "images", tmp_path / "masks", LEGEND)
        return
    with pytest.raises(ValueError, match=r"masks/a\.png: a mask of ids whose palette shows other"):
        write_index(tmp_path, tmp_path / "images", tmp_path / "masks", LEGEND)
