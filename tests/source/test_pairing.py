"""Images and masks that are paired by name patterns, wherever they lie."""

from pathlib import Path

import pytest

from partialseg.source.pairing import Files, files_by_patterns

SHAPES = {
    "loveda": (
        "{Train,Val}/*/images_png/{name}.png",
        "{Train,Val}/*/masks_png/{name}.png",
        {
            "Train_Urban_7": ("Train/Urban/images_png/7.png", "Train/Urban/masks_png/7.png"),
            "Val_Urban_7": ("Val/Urban/images_png/7.png", "Val/Urban/masks_png/7.png"),
        },
        ["Test/Urban/images_png/9.png"],
    ),
    "deepglobe": (
        "train/{name}_sat.jpg",
        "train/{name}_mask.png",
        {"119": ("train/119_sat.jpg", "train/119_mask.png")},
        ["valid/120_sat.jpg", "train/119_mask.jpg"],
    ),
    "vaihingen": (
        "**/top/{name}.tif",
        "**/{name}.tif",
        {"area1": ("top/area1.tif", "deep/er/area1.TIF")},
        ["dsm/area1.jpg"],
    ),
}


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def found(folder: Path, images: str, masks: str, unlabelled: str = "refuse") -> Files:
    return files_by_patterns(folder, images, masks, "", unlabelled)  # type: ignore[arg-type]


@pytest.mark.parametrize("shape", ["loveda", "deepglobe", "vaihingen"])
def test_layouts_of_real_data_sets(
    tmp_path: Path, shape: str, capsys: pytest.CaptureFixture[str]
) -> None:
    images, masks, pairs, others = SHAPES[shape]
    for pair in pairs.values():
        touch(tmp_path, *pair)
    touch(tmp_path, *others, "README.md")
    files = found(tmp_path, images, masks)
    files.check_pairs()
    assert files.images == {name: tmp_path / image for name, (image, _) in pairs.items()}
    assert files.masks == {name: tmp_path / mask for name, (_, mask) in pairs.items()}
    assert files.keys_by_name == {name: name for name in pairs}
    said = capsys.readouterr().out
    assert f"{len(others) + 1} files are left out, not matching {images} or {masks}:" in said


def test_a_pattern_without_suffix_takes_all_of_rasters(tmp_path: Path) -> None:
    touch(tmp_path, "1a_rgb.tif", "1a_label.PNG", "2a_rgb.jpg", "2a_label.tif", "2a_label.txt")
    files = found(tmp_path, "?{name}_rgb", "?{name}_label")
    assert sorted(files.images) == sorted(files.masks) == ["1_a", "2_a"]


def test_an_image_without_mask_is_refused_or_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    touch(tmp_path, "i/a.tif", "i/b.tif", "i/c.tif", "m/a.tif")
    with pytest.raises(ValueError, match=r"i/b\.tif: no mask of this name in .*\(m/.* 1 more"):
        found(tmp_path, "i/{name}.tif", "m/{name}.tif").check_pairs()
    files = found(tmp_path, "i/{name}.tif", "m/{name}.tif", "leave_out")
    files.check_pairs()
    assert list(files.images) == ["a"]
    assert "2 of 3 images are left out, without a mask" in capsys.readouterr().out


def test_a_mask_without_image_and_no_image_at_all_are_named(tmp_path: Path) -> None:
    touch(tmp_path, "i/a.tif", "m/a.tif", "m/b.tif")
    with pytest.raises(ValueError, match=r"m/b\.tif: no image of this name"):
        found(tmp_path, "i/{name}.tif", "m/{name}.tif").check_pairs()
    with pytest.raises(ValueError, match=r"no image matches j/\{name\}\.tif"):
        found(tmp_path, "j/{name}.tif", "m/{name}.tif").check_pairs()


@pytest.mark.parametrize(
    ("images", "masks", "message"),
    [
        ("*.tif", "m/{name}.tif", r"'\*\.tif': a pattern of files needs \{name\}, once"),
        ("i/{name}", "{name}/{name}", r"'\{name\}/\{name\}': a pattern of files needs"),
        ("*/{name}", "m/{name}", r"'m/\{name\}': must have as many of \*, \? and .*'\*/\{name\}'"),
        ("**/{name}.tif", "x/{name}.tif", r"j/a\.tif: .*i/a\.tif matches .* with the same name"),
    ],
)
def test_wrong_patterns_are_named(tmp_path: Path, images: str, masks: str, message: str) -> None:
    touch(tmp_path, "i/a.tif", "j/a.tif", "m/a.tif")
    with pytest.raises(ValueError, match=message):
        found(tmp_path, images, masks)
