"""Which images are meant: files, folders of them, and patterns."""

import glob
from collections.abc import Sequence
from pathlib import Path

from partialseg.raster import SUFFIXES


def find_images(asked: Sequence[str], out: Path, maps: Sequence[str]) -> list[Path]:
    """Return the images that files, folders and patterns name, each once, in order.

    What lies in `out` and ends as one of `maps` is no image.

    Raises:
        ValueError: one of them names no image, or two images have the same name.
    """
    images: dict[str, Path] = {}
    for item in asked:
        found = [image for image in _matching(item) if not _is_map(image, out, maps)]
        if not found:
            raise ValueError(f"{item}: no image")
        for image in found:
            if images.setdefault(image.stem, image).resolve() != image.resolve():
                raise ValueError(f"{image}: {images[image.stem]} has the same name; their maps too")
    return list(images.values())


def _is_map(image: Path, out: Path, maps: Sequence[str]) -> bool:
    in_out = image.resolve().parent == out.resolve()
    return in_out and any(image.name.endswith(f"_{ending}") for ending in maps)


def _matching(item: str) -> list[Path]:
    path = Path(item)
    if path.is_dir():
        files = sorted(path.iterdir())
        return [f for f in files if f.suffix.lower() in SUFFIXES and not f.name.startswith(".")]
    if path.exists():
        return [path]
    return [Path(name) for name in sorted(glob.glob(item, recursive=True))]
