"""Which files of a folder are images and masks, and which are left out."""

from pathlib import Path

import numpy as np
import pytest

from partialseg.source.folders import find_rasters
from partialseg.source.index import check_unchanged, read_index, write_index
from rasters import LEGEND, write_raster

VRT = """<VRTDataset rasterXSize="4" rasterYSize="4">{bands}</VRTDataset>"""
BAND = """<VRTRasterBand dataType="Byte" band="{band}"><SimpleSource><SourceFilename
relativeToVRT="1">{source}</SourceFilename><SourceBand>{band}</SourceBand></SimpleSource>
</VRTRasterBand>"""


def add(folder: Path, name: str) -> None:
    """Write an image and a mask of 4 x 4 px."""
    for kind, bands in (("images", 3), ("masks", 1)):
        write_raster(folder / kind / name, np.ones((bands, 4, 4), np.uint8), crs=None)


def index(folder: Path) -> list[str]:
    source = write_index(folder, folder / "images", folder / "masks", LEGEND)
    return [item.name for item in source.orthophotos]


def test_sub_folders_and_endings_in_capitals_count(tmp_path: Path) -> None:
    for name in ("b.tif", "north/a.png", "north/deep/c.tif"):
        add(tmp_path, name)
    for kind in ("images", "masks"):
        file = tmp_path / kind / "b.tif"
        file.rename(file.with_name("b.TIF"))
    assert index(tmp_path) == ["a", "b", "c"]
    first, second, third = read_index(tmp_path).orthophotos
    assert first.mask == tmp_path / "masks" / "north" / "a.png"
    assert second.image == tmp_path / "images" / "b.TIF"
    assert third.mask == tmp_path / "masks" / "north" / "deep" / "c.tif"


def test_files_of_one_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    for name in ("a/1.tif", "b/1.tif", "b/2.tif", "3.tif"):
        add(tmp_path, name)
    assert index(tmp_path) == ["2", "3", "a_1", "b_1"]
    assert read_index(tmp_path).orthophotos[3].mask == tmp_path / "masks" / "b" / "1.tif"
    add(tmp_path, "c/a_1.tif")
    with pytest.raises(ValueError, match=r"images/c/a_1\.tif: .*images/a/1\.tif has the same name"):
        index(tmp_path)


def test_a_mask_of_another_sub_folder_is_no_mask(tmp_path: Path) -> None:
    add(tmp_path, "north/a.tif")
    (tmp_path / "masks" / "south").mkdir()
    (tmp_path / "masks" / "north" / "a.tif").rename(tmp_path / "masks" / "south" / "a.tif")
    with pytest.raises(ValueError, match=r"images/north/a\.tif: no mask of this name in"):
        index(tmp_path)


def test_what_is_left_out_is_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    add(tmp_path, "a.tif")
    for name in ("a.tfw", "a.tif.aux.xml", "b.ecw", "c.ecw", "deep/notes", ".x.ecw", ".git/y.ecw"):
        (tmp_path / "images" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "images" / name).touch()
    index(tmp_path)
    assert capsys.readouterr().out == (
        f"{tmp_path / 'images'}: 3 files are left out, not being one of .tif, .tiff, .png, "
        ".jpg, .jpeg, .jp2, .vrt: 2 .ecw, 1 notes\n"
    )


def test_links_that_lead_in_circles_end(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "x.tif").touch()
    (tmp_path / "a" / "b" / "up").symlink_to(tmp_path / "a")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "y.tif").touch()
    (tmp_path / "a" / "link").symlink_to(tmp_path / "elsewhere")
    assert [file.name for file in find_rasters(tmp_path / "a")[0]] == ["x.tif", "y.tif"]


def write_vrt(file: Path, source: Path, bands: int) -> None:
    file.parent.mkdir(exist_ok=True)
    text = "".join(BAND.format(band=band, source=source) for band in range(1, bands + 1))
    file.write_text(VRT.format(bands=text.replace('relativeToVRT="1"', 'relativeToVRT="0"')))


def test_what_a_vrt_is_made_of_may_not_change(tmp_path: Path) -> None:
    for kind, bands in (("images", 3), ("masks", 1)):
        source = write_raster(tmp_path / f"{kind}.tif", np.ones((bands, 4, 4), np.uint8))
        write_vrt(tmp_path / kind / "a.vrt", source, bands)
    assert index(tmp_path) == ["a"]
    (orthophoto,) = read_index(tmp_path).orthophotos
    check_unchanged(orthophoto)
    (tmp_path / "images.tif.ovr").touch()  # as QGIS makes them
    check_unchanged(orthophoto)
    write_raster(tmp_path / "masks.tif", np.zeros((1, 4, 4), np.uint8))
    with pytest.raises(ValueError, match=r"masks/a\.vrt: missing or changed since the download"):
        check_unchanged(orthophoto)
