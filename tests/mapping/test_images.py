from pathlib import Path

import pytest

from partialseg.mapping.images import find_images

MAPS = ("classes.tif", "overlay.png")


def test_images_are_files_folders_and_patterns(tmp_path: Path) -> None:
    for name in ("b.tif", "a.PNG", "c.jpeg", ".hidden.tif", "notes.txt", "sub/d.tif"):
        (tmp_path / "images" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "images" / name).touch()

    def names(*asked: str) -> list[str]:
        return [image.name for image in find_images(asked, tmp_path / "maps", MAPS)]

    folder = f"{tmp_path}/images"
    assert names(folder) == ["a.PNG", "b.tif", "c.jpeg", "d.tif"]
    assert names(f"{folder}/*.tif", f"{folder}/b.tif") == ["b.tif"]
    assert names(f"{folder}/**/*.tif") == ["b.tif", "d.tif"]
    assert names(f"{folder}/sub/d.tif", f"{folder}/a.PNG") == ["d.tif", "a.PNG"]


def test_what_names_no_image_is_told(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for asked in ("none.tif", "*.tif", "empty"):
        with pytest.raises(ValueError, match=rf"{asked.replace('*', '.')}: no image"):
            find_images([str(tmp_path / asked)], tmp_path / "maps", MAPS)
    for name in ("x/a.tif", "y/a.png"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    with pytest.raises(ValueError, match=r"y/a\.png: .*x/a\.tif has the same name, and so"):
        find_images([f"{tmp_path}/x", f"{tmp_path}/y"], tmp_path / "maps", MAPS)


def test_maps_of_before_are_no_images(tmp_path: Path) -> None:
    for name in ("a.tif", "a_classes.tif", "a_overlay.png", "b_classes_old.tif"):
        (tmp_path / name).touch()
    for asked in (str(tmp_path), f"{tmp_path}/*"):
        images = find_images([asked], tmp_path / "sub" / "..", MAPS)
        assert [image.name for image in images] == ["a.tif", "b_classes_old.tif"]
    mosaic = tmp_path / "maps" / "classes.vrt"
    mosaic.parent.mkdir()
    mosaic.touch()
    images = find_images([str(tmp_path)], tmp_path / "others", MAPS)
    assert [image.name for image in images] == ["a.tif", "b_classes_old.tif"]
    elsewhere = find_images([f"{tmp_path}/a_classes.tif"], tmp_path / "maps", MAPS)
    assert [image.name for image in elsewhere] == ["a_classes.tif"]
