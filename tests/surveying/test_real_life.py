"""Folders as people have them: what is guessed, what is said, and that the section runs."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from partialseg.core.params import load_section
from partialseg.datasets.download import download
from partialseg.tiling.params import Tile
from partialseg.tiling.tile import tile
from rasters import write_raster

SIDE = 64
IDS = np.tile(np.repeat(np.arange(2, dtype=np.uint8), SIDE // 2), (1, SIDE, 1))
NAMES = ("a", "b", "c")


def image(bands: int = 3) -> NDArray[np.uint8]:
    return np.full((bands, SIDE, SIDE), 50, np.uint8)


def tiled(folder: Path) -> dict[str, list[float]]:
    """Return the names of the orthophotos that the section finds, with the first cell's counts."""
    params = folder / "params.yaml"
    download("mine", params, folder / "source")
    section = load_section(params, "datasets.mine.tile", Tile, "datasets.mine.splits.main")
    patches = tile(folder / "source", folder / "patches", section)
    return {item.orthophoto: [*item.counts, item.no_truth] for item in patches if item.index == 0}


def test_masks_in_a_deeper_folder(tmp_path: Path, survey) -> None:
    files = tmp_path / "files"
    for area in ("north", "south"):
        for name in NAMES:
            write_raster(files / area / "rgb" / f"{name}.tif", image())
            write_raster(files / area / "gt/final" / f"{name}.tif", IDS)
    text = survey(files)
    assert "  images: */rgb/{name}.tif, masks: */gt/final/{name}.tif\n" in text
    names = [f"{area}_{name}" for area in ("north", "south") for name in NAMES]
    assert sorted(tiled(tmp_path)) == names


def test_masks_that_no_word_names_are_those_of_one_band(tmp_path: Path, survey) -> None:
    files = tmp_path / "files"
    for name in NAMES:
        write_raster(files / "Blatt 1" / f"{name}.tif", image())
        write_raster(files / "Blatt 1" / "Klassen" / f"{name}.tif", IDS)
        write_raster(files / "Blatt 1" / f"{name}_thumb.png", image(), crs=None)
        (files / "Blatt 1" / f"{name}.qml").write_text("<qgis/>")
        (files / "Blatt 1" / f"{name}.tif.aux.xml").write_text("<PAMDataset/>")
    (files / "buildings.zip").write_bytes(b"PK")
    text = survey(files)
    assert "  images: Blatt 1/{name}.tif, masks: Blatt 1/Klassen/{name}.tif\n" in text
    assert "  1 file that is no raster: " in text
    assert sorted(tiled(tmp_path)) == [*NAMES]


def test_of_two_folders_of_masks_that_of_the_contract_is_taken(tmp_path: Path, survey) -> None:
    files = tmp_path / "files"
    for name in NAMES:
        write_raster(files / "images" / f"{name}.tif", image())
        write_raster(files / "masks" / f"{name}.tif", IDS)
        write_raster(files / "masks_rgb" / f"{name}.tif", image())
    assert "  3 masks without an image, as " in survey(files)
    assert sorted(tiled(tmp_path)) == [*NAMES]


def test_images_without_a_mask_are_left_out_in_the_usual_folders_too(
    tmp_path: Path, survey
) -> None:
    files = tmp_path / "files"
    for name in (*NAMES, "d"):
        write_raster(files / "images" / f"{name}.tif", image())
    for name in NAMES:
        write_raster(files / "masks" / f"{name}.tif", IDS)
    assert "unlabelled: leave_out" in survey(files)
    assert sorted(tiled(tmp_path)) == [*NAMES]


def test_a_mask_without_image_stops_download_and_is_said(tmp_path: Path, survey) -> None:
    files = tmp_path / "files"
    for name in NAMES:
        write_raster(files / "images" / f"{name}.tif", image())
    for name in (*NAMES, "d"):
        write_raster(files / "masks" / f"{name}.tif", IDS)
    assert "download will stop at this: " in survey(files)
    with pytest.raises(ValueError, match=r"masks/d\.tif: no image of this name"):
        tiled(tmp_path)


def test_small_patches_have_small_crops(tmp_path: Path, survey) -> None:
    for name in NAMES:
        write_raster(tmp_path / "files/images" / f"{name}.tif", image())
        write_raster(tmp_path / "files/masks" / f"{name}.tif", IDS)
    text = survey(tmp_path / "files")
    assert "{source_size: 32, size: 32," in text
    assert "        crop: 32\n" in text


@pytest.mark.parametrize(
    ("values", "count"),
    [
        (np.zeros((1, SIDE, SIDE), np.uint8), "1 values"),
        (np.arange(2, SIDE * SIDE + 2, dtype=np.uint16).reshape(1, SIDE, SIDE), "4096 values"),
    ],
)
def test_without_classes_there_is_no_section(
    tmp_path: Path, survey, values: NDArray[np.generic], count: str
) -> None:
    before = (tmp_path / "params.yaml").read_bytes()
    write_raster(tmp_path / "files/images/a.tif", image())
    write_raster(tmp_path / "files/masks/a.tif", values)
    with pytest.raises(ValueError, match=f"no section can be made, since the masks hold {count}"):
        survey(tmp_path / "files")
    assert (tmp_path / "params.yaml").read_bytes() == before


def test_grey_among_colour_is_a_problem_and_no_guess(tmp_path: Path, survey) -> None:
    for name, bands in (("a", 3), ("b", 3), ("c", 1)):
        write_raster(tmp_path / "files/images" / f"{name}.tif", image(bands))
        write_raster(tmp_path / "files/masks" / f"{name}.tif", IDS)
    text = survey(tmp_path / "files")
    assert "c.tif: 1 band(s); bands: [1, 1, 1] shows one band as grey" in text
    assert "1 of 3 images have less than three bands" in text
    assert "# guessed: grey" not in text


def test_pixels_without_data_are_in_no_stretch_and_no_share(tmp_path: Path, survey) -> None:
    values = np.linspace(0, 1, SIDE * SIDE, dtype=np.float32).reshape(1, SIDE, SIDE)
    bands = np.repeat(values, 3, axis=0)
    bands[:, :32] = np.nan
    rgba = np.concatenate([IDS, IDS, IDS, np.full_like(IDS, 255)])
    rgba[3, :16] = 0
    for name in NAMES:
        write_raster(tmp_path / "files/images" / f"{name}.tif", bands)
        write_raster(tmp_path / "files/masks" / f"{name}.png", rgba, crs=None)
    text = survey(tmp_path / "files")
    # Of 0.5..1, 2 and 98 %: 0.51 and 0.99, but for the share of one pixel.
    assert text.count("[0.5101, 0.99]") == 3
    assert "  25.00% of all pixels are transparent or NaN, and have no truth" in text
    assert "0   50.00%" in text


def test_an_infrared_band_taken_for_alpha_is_a_problem(tmp_path: Path, survey) -> None:
    infrared = np.tile(np.arange(SIDE, dtype=np.uint8), (1, SIDE, 1))
    for name in NAMES:
        bands = np.concatenate([image(), infrared])
        write_raster(tmp_path / "files/images" / f"{name}.tif", bands)
        write_raster(tmp_path / "files/masks" / f"{name}.tif", IDS)
    text = survey(tmp_path / "files")
    assert text.count("a.tif (and 2 more): band 4 is marked as alpha, but has many values") == 1
