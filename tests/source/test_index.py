import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from partialseg.source.index import check_unchanged, read_index, write_index
from partialseg.source.legend import LandCoverClass, Legend
from rasters import LEGEND, write_raster


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two orthophotos of 40 x 30 px."""
    for name in ("b", "a"):
        write_raster(tmp_path / "images" / f"{name}.tif", np.zeros((3, 30, 40), np.uint8))
        write_raster(tmp_path / "masks" / f"{name}.tif", np.zeros((1, 30, 40), np.uint8))
    return tmp_path


def index(folder: Path) -> None:
    write_index(folder, folder / "images", folder / "masks", LEGEND)


def test_what_is_written_is_read(folder: Path) -> None:
    index(folder)
    source = read_index(folder)
    assert [item.name for item in source.orthophotos] == ["a", "b"]
    first = source.orthophotos[0]
    assert (first.width, first.height, first.crs) == (40, 30, "EPSG:2180")
    assert first.image == folder / "images" / "a.tif"
    assert source.legend == LEGEND
    stored = json.loads((folder / "index.json").read_text())
    assert stored["orthophotos"][0]["image"] == "images/a.tif"


def test_files_elsewhere_are_stored_as_absolute_paths(folder: Path) -> None:
    out = folder / "elsewhere"
    out.mkdir()
    write_index(out, folder / "images", folder / "masks", LEGEND)
    assert read_index(out).orthophotos[1].mask == (folder / "masks" / "b.tif").resolve()


def test_other_files_in_the_folders_do_no_harm(folder: Path) -> None:
    (folder / "images" / "README.txt").touch()
    (folder / "images" / ".hidden.tif").touch()
    index(folder)
    assert len(read_index(folder).orthophotos) == 2


def test_a_mask_of_other_suffix_is_its_mask(folder: Path) -> None:
    (folder / "masks" / "a.tif").unlink()
    write_raster(folder / "masks" / "a.png", np.zeros((1, 30, 40), np.uint8), crs=None)
    index(folder)
    assert read_index(folder).orthophotos[0].mask.name == "a.png"


@pytest.mark.parametrize(
    ("path", "bands", "message"),
    [
        ("masks/a.tif", None, r"images/a\.tif: no mask of this name in .*masks$"),
        ("images/a.tif", None, r"masks/a\.tif: no image of this name in .*images$"),
        (
            "masks/a.tif",
            np.zeros((1, 30, 41), np.uint8),
            r"size 41 x 30 px differs from 40",
        ),
        (
            "masks/a.tif",
            np.zeros((1, 30, 40), np.complex64),
            r"a mask must hold numbers, got complex64",
        ),
        (
            "images/a.tif",
            np.zeros((3, 30, 40), np.uint16),
            r"an image must be 8-bit, got uint16",
        ),
        ("images/a.tif", np.zeros((1, 30, 40), np.uint8), r"an image needs 3 bands \(RGB\), got 1"),
    ],
)
def test_bad_pairs_are_named(
    folder: Path, path: str, bands: np.ndarray | None, message: str
) -> None:
    (folder / path).unlink()
    if bands is not None:
        write_raster(folder / path, bands)
    with pytest.raises(ValueError, match=message):
        index(folder)
    assert not (folder / "index.json").exists()


def test_an_unreadable_image_is_named(folder: Path) -> None:
    (folder / "images" / "b.tif").write_bytes(b"II*\0broken")
    with pytest.raises(ValueError, match=r"images/b\.tif: cannot be read as a raster"):
        index(folder)


def test_a_mask_that_lies_elsewhere_is_named(folder: Path) -> None:
    write_raster(folder / "masks" / "a.tif", np.zeros((1, 30, 40), np.uint8), x=500_000.25)
    with pytest.raises(ValueError, match=r"a\.tif: lies 0\.25 map units away from"):
        index(folder)


def test_less_than_half_a_pixel_is_rounding(folder: Path) -> None:
    write_raster(folder / "masks" / "a.tif", np.zeros((1, 30, 40), np.uint8), x=500_000.1)
    index(folder)
    assert len(read_index(folder).orthophotos) == 2


def test_two_images_of_one_name_are_refused(folder: Path) -> None:
    write_raster(folder / "images" / "a.png", np.zeros((3, 30, 40), np.uint8), crs=None)
    with pytest.raises(ValueError, match=r"a\.tif: a\.png has the same name in this folder"):
        index(folder)


def test_no_image_at_all(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    with pytest.raises(ValueError, match=r"images: no image with a suffix of \.tif"):
        index(tmp_path)
    with pytest.raises(ValueError, match=r"none: no such folder"):
        write_index(tmp_path, tmp_path / "none", tmp_path / "masks", LEGEND)


def test_a_changed_file_is_noticed(make_source: Callable[..., Path]) -> None:
    folder = make_source({"a": (30, 40)})
    orthophoto = read_index(folder).orthophotos[0]
    check_unchanged(orthophoto)
    with orthophoto.mask.open("ab") as stream:
        stream.write(b"x")
    with pytest.raises(ValueError, match=r"masks/a\.tif: missing or changed since the download"):
        check_unchanged(orthophoto)


def test_a_damaged_index_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"index\.json: no usable index of a source: .*No such"):
        read_index(tmp_path)
    (tmp_path / "index.json").write_text('{"classes": 1}')
    with pytest.raises(ValueError, match=r"index\.json: no usable index of a source"):
        read_index(tmp_path)


def test_classes_must_differ() -> None:
    item = LandCoverClass(name="x", colour=(1, 1, 1))
    with pytest.raises(ValueError, match=r"class names must differ, got \['x', 'x'\]"):
        Legend(classes=(item, item), mask_values="ids")
    other = LandCoverClass(name="y", colour=(1, 1, 1))
    with pytest.raises(ValueError, match="one value stands for two classes"):
        Legend(classes=(item, other), mask_values="colours")
