"""What the survey prints of a folder, and that its section loads and can be cut."""

import os
import re
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from archive_layouts import LAYOUTS, make_layout
from code_of_stage import SRC
from partialseg.checking.check import check
from partialseg.core.params import load_section
from partialseg.datasets.download import download
from partialseg.source.index import read_index
from partialseg.surveying.content import Survey
from partialseg.surveying.suggestion import split_values, to_decide
from partialseg.tiling.params import Tile
from partialseg.tiling.patches import Patch
from partialseg.tiling.tile import tile
from rasters import write_raster

REAL = Path(os.environ.get("PARTIALSEG_DATA", SRC.parent.parent / "shared" / "data"))


def cut(folder: Path) -> list[Patch]:
    params = folder / "params.yaml"
    download("mine", params, folder / "source")
    section = load_section(params, "datasets.mine.tile", Tile, "datasets.mine.splits.main")
    return tile(folder / "source", folder / "patches", section)


def values(text: str) -> dict[str, str]:
    """Return the values of masks that were printed, and what is said of them."""
    listed = text[text.index("Masks (") : text.index("roblems")]
    found = re.findall(r"^ +(\d+|\[.*\]) +([\d.]+)%(.*)$", listed, flags=re.MULTILINE)
    return {value: f"{share}{said}" for value, share, said in found}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("preset", "ignored"),
    [
        ("loveda", "[0]"),
        ("deepglobe", "[[0, 0, 0]]"),
        ("potsdam", "[]"),
        ("vaihingen", "[]"),
        ("dubai", "[[155, 155, 155]]"),
        ("landcover_ai_100", "[]"),
        ("folder", "[255]"),
    ],
)
def test_the_section_of_a_real_layout_can_be_cut(
    tmp_path: Path, survey, preset: str, ignored: str
) -> None:
    layout, mask, _, _ = LAYOUTS[preset]
    make_layout(tmp_path / "files", layout, mask)
    text = survey(tmp_path / "files")
    with_mask = sum(mask is not None for mask in layout.values())
    assert text.startswith(f"{tmp_path / 'files'}: {with_mask} images with masks\n")
    assert text.endswith("params.yaml has datasets.mine\n")
    assert f"sizes in px: 32 x 32 ({with_mask})" in text
    named = re.findall(r"ignored_(?:values|colours): (\[.*\])  # guessed", text)
    assert named == ([ignored] if ignored != "[]" else [])
    if with_mask == len(layout) - 1:
        assert "  1 image without a mask: " in text
    elif with_mask != len(layout):
        assert f"  {len(layout) - with_mask} images without a mask, as " in text
    assert len(cut(tmp_path)) == with_mask


@pytest.mark.slow
def test_patterns_are_those_of_the_names(tmp_path: Path, survey) -> None:
    for preset, expected in (
        ("loveda", "*/*/images_png/{name}.png, masks: */*/masks_png/{name}.png"),
        ("deepglobe", "train/{name}_sat.jpg, masks: train/{name}_mask.png"),
        ("potsdam", "2_Ortho_RGB/{name}_RGB.tif, masks: 5_Labels/{name}_label.tif"),
        ("vaihingen", "top/{name}.tif, masks: truth/{name}.tif"),
        ("landcover_ai_100", "output/{name}.jpg, masks: output/{name}_m.png"),
    ):
        layout, mask, _, _ = LAYOUTS[preset]
        make_layout(tmp_path / preset, layout, mask)
        assert f"  images: {expected}\n" in survey(tmp_path / preset, "--name", preset)


@pytest.mark.slow
def test_deep_images_get_a_stretch_and_other_things_are_told(tmp_path: Path, survey) -> None:
    ramp = np.linspace(100, 1100, 64 * 64).reshape(1, 64, 64).astype(np.uint16)
    ids = np.zeros((1, 64, 64), np.uint8)
    ids[:, :, 32:] = 7
    for place, name in enumerate(("a", "b", "c")):
        x = 500_000.0 + (8 if name == "b" else 10_000 * place)
        bands = np.concatenate([ramp, ramp * 2, ramp * 3, ramp])
        write_raster(tmp_path / "files/images" / f"{name}.tif", bands + place, x=x)
        write_raster(tmp_path / "files/masks" / f"{name}.tif", ids, x=x)
    shutil.copy(tmp_path / "files/images/c.tif", tmp_path / "files/images/d.tif")
    shutil.copy(tmp_path / "files/masks/c.tif", tmp_path / "files/masks/d.tif")
    text = survey(tmp_path / "files")
    assert "bands: 4 of uint16 (4)" in text
    assert "pixel size on the ground: 0.25 m (4)" in text
    assert values(text) == {"0": "50.00", "7": "50.00"}
    assert "stretch: [[121.0, 1081.0], [240.0, 2160.0], [359.7, 3239.0]]  # guessed" in text
    assert "d.tif: is equal to " in text
    # b lies 8 m of 16 m east of a.
    assert "a.tif and b.tif share 50% of their ground" in text
    patches = cut(tmp_path)
    assert {patch.no_truth for patch in patches} == {0}
    assert read_index(tmp_path / "source").legend.names == ("class_0", "class_7")


def test_a_folder_without_pairs_is_named(tmp_path: Path, survey) -> None:
    write_raster(tmp_path / "files" / "a.tif", np.zeros((3, 8, 8), np.uint8))
    with pytest.raises(SystemExit):
        survey(tmp_path / "files", "--images", "{name}.tif", "--masks")
    with pytest.raises(
        ValueError, match=r"files: no image with one mask among 1 rasters\. Masks are known by "
    ):
        survey(tmp_path / "files")
    with pytest.raises(ValueError, match="--images and --masks: both or none"):
        survey(tmp_path / "files", "--images", "{name}.tif")


def test_pairs_that_do_not_fit_are_problems(tmp_path: Path, survey) -> None:
    for name, side in (("a", 64), ("b", 64)):
        write_raster(tmp_path / "files/x" / f"{name}_left.tif", np.zeros((3, 64, 64), np.uint8))
        ids = np.arange(side * side, dtype=np.uint8).reshape(1, side, side) % 2
        write_raster(tmp_path / "files/y" / f"right-{name}.png", ids, crs=None)
    write_raster(tmp_path / "files/y" / "right-b.png", np.zeros((1, 60, 64), np.uint8), crs=None)
    text = survey(tmp_path / "files", "--images", "x/{name}_left.tif", "--masks", "y/right-{name}")
    assert "  1 of 2 pairs cannot be used as they are, and download refuses the folder" in text
    assert "right-b.png: size 64 x 60 px differs from 64 x 64 px of" in text
    assert values(text) == {"0": "50.00", "1": "50.00"}


def test_one_mask_that_cannot_be_used_does_not_end_the_survey(tmp_path: Path, survey) -> None:
    ids = (np.arange(64 * 64) % 2).reshape(1, 64, 64)
    for name in ("a", "b", "c", "d"):
        write_raster(tmp_path / "files/images" / f"{name}.tif", np.zeros((3, 64, 64), np.uint8))
        write_raster(tmp_path / "files/masks" / f"{name}.tif", ids.astype(np.uint8))
    damaged = tmp_path / "files/masks/b.tif"
    damaged.write_bytes(damaged.read_bytes()[:-2000])
    write_raster(tmp_path / "files/masks/c.tif", ids + np.float32(0.5))
    write_raster(tmp_path / "files/masks/d.tif", ids.astype(np.complex64))
    text = survey(tmp_path / "files")
    assert "masks/b.tif: cannot be read as a raster" in text
    assert "masks/c.tif: holds 0.5, which is no whole number" in text
    assert "images/d.tif: it or its mask holds complex numbers" in text
    assert values(text) == {"0": "50.00", "1": "50.00"}


@pytest.mark.slow
@pytest.mark.skipif(not REAL.is_dir(), reason=f"the real data are not at {REAL}")
@pytest.mark.parametrize(
    ("name", "expected", "patches"),
    [
        ("loveda", {"1": "11.99", "6": "30.43", "7": "47.50"}, 12),
        ("chesapeake", {"2": "76.77", "3": "22.75", "5": "0.31", "6": "0.18"}, 16),
        ("sentinel2-korea", {"10": "0.94", "50": "29.96", "100": "40.48"}, 8),
        ("potsdam-crop", {"0": "9.42  looks like no truth", "1": "38.36"}, 16),
        ("vaihingen-crop", {"0": "8.12  looks like no truth"}, 16),
    ],
)
def test_real_folders(
    tmp_path: Path, survey, name: str, expected: dict[str, str], patches: int
) -> None:
    text = survey(REAL / name)
    assert expected.items() <= values(text).items()
    assert len(cut(tmp_path)) == patches
    assert ("split: orthophoto, groups: ground," in text) == (name == "sentinel2-korea")
    params = tmp_path / "params.yaml"
    params.write_text(params.read_text().replace("dataset: sample", "dataset: mine", 1))
    assert check(params, tmp_path / "checked.txt").dataset == "mine"


@pytest.mark.parametrize(
    ("counts", "are_colours", "ignored", "doubtful"),
    [
        ({0: 5, 1: 60, 2: 35}, False, [0], ["0, on 5.00% of the pixels"]),
        ({0: 5, 1: 60, 2: 30, 255: 5}, False, [0, 255], ["0, on 5.00% of the pixels"]),
        ({0: 10, 1: 60, 2: 30}, False, [], []),  # not rare
        ({-1: 5, 1: 60, 2: 35}, False, [-1], []),  # no class has such an id
        ({0: 5, 0xFF0000: 60, 0xFF: 35}, True, [0], ["[0, 0, 0], on 5.00% of the pixels"]),
    ],
)
def test_a_value_that_is_merely_rare_is_left_to_the_user(
    counts: dict[int, int], are_colours: bool, ignored: list[int], doubtful: list[str]
) -> None:
    found = Survey(counts=Counter(counts), are_colours=are_colours)
    values = split_values(found)
    assert values.ignored == ignored
    rest = (
        ", is taken for no truth as it is rare. If it is a class (background), move it from what "
        "is ignored to the classes: what is ignored is neither learnt nor scored, and maps never "
        "show it"
    )
    assert to_decide(values, found) == [start + rest for start in doubtful]
    assert values.doubtful == ignored[: len(doubtful)]
