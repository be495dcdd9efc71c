from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.windows import Window

from partialseg.mapping.class_map import (
    class_map_layout,
    entropy_layout,
    probabilities_layout,
    read_classes,
)
from partialseg.mapping.cog import Layout, new_cog
from partialseg.mapping.frame import Frame
from partialseg.source.raster import open_raster
from rasters import write_raster

NAMES = ("field", 'house, "old" & Żółw', "lake")
PALETTE = ((200, 180, 90), (200, 40, 30), (0, 0, 0))
LAYOUT = class_map_layout(NAMES, PALETTE, {"MODEL": "unet"})


def write(file: Path, layout: Layout) -> None:
    frame = Frame(width=4, height=3, crs=None, transform=Affine.identity())
    with new_cog(file, frame, layout) as writer:
        pixels = np.zeros((len(layout.band_names), 3, 4), np.uint8)
        writer.write(pixels, Window(0, 0, 4, 3))


def test_names_and_palette_lie_inside_the_file(tmp_path: Path) -> None:
    write(tmp_path / "map.tif", LAYOUT)
    (tmp_path / "map.tif.aux.xml").unlink()
    with open_raster(tmp_path / "map.tif") as raster:
        assert read_classes(raster) == (NAMES, PALETTE)
        assert raster.tags()["MODEL"] == "unet"
        assert raster.descriptions == ("class",)
        assert raster.nodata == 255
        assert raster.colorinterp == (rasterio.enums.ColorInterp.palette,)
        assert raster.colormap(1)[255] == (0, 0, 0, 0)


def test_the_side_file_names_the_classes_for_gdal_and_qgis(tmp_path: Path) -> None:
    write(tmp_path / "map.tif", LAYOUT)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["map.tif", "map.tif.aux.xml"]
    band = ElementTree.parse(tmp_path / "map.tif.aux.xml").getroot().find("PAMRasterBand")
    assert band is not None and band.get("band") == "1"
    assert [item.text for item in band.iterfind("CategoryNames/Category")] == list(NAMES)
    rows = [[cell.text for cell in row] for row in band.iterfind("GDALRasterAttributeTable/Row")]
    assert rows == [
        ["0", "field", "200", "180", "90"],
        ["1", NAMES[1], "200", "40", "30"],
        ["2", "lake", "0", "0", "0"],
    ]


def test_the_side_file_does_not_appear_without_the_map(tmp_path: Path) -> None:
    (tmp_path / "map.tif").write_text("earlier")
    (tmp_path / "map.tif.aux.xml").write_text("names")
    frame = Frame(width=4, height=3, crs=None, transform=Affine.identity())
    with pytest.raises(KeyError), new_cog(tmp_path / "map.tif", frame, LAYOUT):
        raise KeyError
    assert (tmp_path / "map.tif.aux.xml").read_text() == "names"
    assert len(list(tmp_path.iterdir())) == 2


def test_probabilities_are_a_band_a_class_in_steps_of_a_250th(tmp_path: Path) -> None:
    write(tmp_path / "p.tif", probabilities_layout(NAMES, {}))
    with open_raster(tmp_path / "p.tif") as raster:
        assert raster.descriptions == NAMES
        assert raster.scales == (0.004, 0.004, 0.004)
        assert raster.units == ("probability",) * 3
        assert raster.nodata == 255
    assert [path.name for path in tmp_path.iterdir()] == ["p.tif"]


def test_entropy_is_one_band_in_steps_of_a_250th(tmp_path: Path) -> None:
    write(tmp_path / "e.tif", entropy_layout({}))
    with open_raster(tmp_path / "e.tif") as raster:
        assert raster.descriptions == ("entropy",)
        assert (raster.scales, raster.nodata) == ((0.004,), 255)
        assert raster.units == ("share of ln(number of classes)",)


def test_another_raster_is_no_class_map(tmp_path: Path) -> None:
    file = write_raster(tmp_path / "image.tif", np.zeros((1, 4, 4), np.uint8))
    with (
        rasterio.open(file) as raster,
        pytest.raises(ValueError, match=r"image\.tif: is no class map: it has no tag CLASS_NAMES"),
    ):
        read_classes(raster)
