"""Find the orthophotos that a command line names."""

import glob
from collections.abc import Sequence
from pathlib import Path

from partialseg.mapping.mosaic import MOSAIC
from partialseg.source.folders import find_rasters, left_out


def find_images(asked: Sequence[str], out: Path, maps: Sequence[str]) -> list[Path]:
    """Return the images that files, folders and patterns name, each once, in that order.

    Sub-folders of a folder count, too. Files with one of the endings `maps` are maps of an earlier
    run and left out, where they are in `out` or were found in a folder, and so are mosaics of maps.
    Prints which files of a folder are left out.

    Raises:
        ValueError: an item names no image, or two images have the same name.
    """
    images: dict[str, Path] = {}
    for item in asked:
        found = [image for image in _matching(item, maps) if not _is_map(image, out, maps)]
        if not found:
            raise ValueError(f"{item}: no image")
        for image in found:
            if images.setdefault(image.stem, image).resolve() != image.resolve():
                raise ValueError(
                    f"{image}: {images[image.stem]} has the same name, and so would their maps"
                )
    return list(images.values())


def _is_map(image: Path, out: Path, maps: Sequence[str]) -> bool:
    in_out = image.resolve().parent == out.resolve()
    return in_out and _has_ending(image, maps)


def _has_ending(image: Path, maps: Sequence[str]) -> bool:
    return image.name == MOSAIC or any(image.name.endswith(f"_{ending}") for ending in maps)


def _matching(item: str, maps: Sequence[str]) -> list[Path]:
    path = Path(item)
    if path.is_dir():
        return _in_folder(path, maps)
    if path.exists():
        return [path]
    return [Path(name) for name in sorted(glob.glob(item, recursive=True))]


def _in_folder(folder: Path, maps: Sequence[str]) -> list[Path]:
    rasters, others = find_rasters(folder)
    images = [item for item in rasters if not _has_ending(item, maps)]
    others = [item for item in others if not _has_ending(item, maps)]
    if len(images) < len(rasters):
        print(f"{folder}: {len(rasters) - len(images)} maps are left out")
    if others:
        print(left_out(folder, others))
    return images
