"""Guess which files of a folder are images, which are their masks, and by which name patterns."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path, PurePosixPath

from partialseg.source.folders import find_rasters

# Parts of names, in small letters, that say what a file is.
OF_MASKS = frozenset(
    [
        *("mask", "masks", "label", "labels", "lbl", "gt", "gts", "truth", "ground", "groundtruth"),
        *("ann", "anns", "annotation", "annotations", "seg", "target", "targets"),
    ]
)
SHORT = "_m"  # at the end of a name: a mask, in the cells of LandCover.ai
OF_IMAGES = frozenset(
    [
        *("image", "images", "img", "imgs", "sat", "rgb", "rgbir", "irrg", "top"),
        *("ortho", "orthos", "orthophoto", "orthophotos"),
    ]
)
Words = tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """Images with their masks, and the patterns that find them ('': the folders by name).

    unlabelled are images without a mask, alone masks without an image, others the files that are
    no raster.
    """

    images: str
    masks: str
    files: list[tuple[Path, Path]]
    unlabelled: list[Path]
    alone: list[Path]
    others: list[Path]


def find_pairs(folder: Path) -> Pairs:
    """Return the pairs of a folder, by words as `mask` and `label` in paths.

    Raises:
        ValueError: there is no such folder, or no pair is found in it.
    """
    rasters, others = find_rasters(folder)
    paths = [PurePosixPath(file.relative_to(folder).as_posix()) for file in rasters]
    masks = [path for path in paths if OF_MASKS & {*_words(path)} or path.stem.endswith(SHORT)]
    images = [path for path in paths if path not in set(masks)]
    pairs = _paired(images, masks, lambda path: _rest(path))
    if not pairs:
        pairs = _paired(images, masks, lambda path: _rest(PurePosixPath(path.name)))
    if not pairs:
        raise ValueError(
            f"{folder}: no image with a mask among {len(rasters)} rasters ({len(masks)} of them "
            f"named as masks: {', '.join(sorted(OF_MASKS))}); say where they are by --images and "
            "--masks"
        )
    patterns = "", ""
    if not all(_are_default(*pair) for pair in pairs):
        patterns = _patterns(pairs)
    with_mask = {image for image, _ in pairs}
    with_image = {mask for _, mask in pairs}
    return Pairs(
        images=patterns[0],
        masks=patterns[1],
        files=[(folder / image, folder / mask) for image, mask in pairs],
        unlabelled=[folder / path for path in images if path not in with_mask],
        alone=[folder / path for path in masks if path not in with_image],
        others=others,
    )


def _words(path: PurePosixPath) -> Words:
    text = path.with_suffix("").as_posix().removesuffix(SHORT).lower()
    return tuple(filter(None, re.split(r"[^a-z0-9]+", text)))


def _rest(path: PurePosixPath) -> Words:
    """Return the words of a path but for those that tell images from masks."""
    return tuple(word for word in _words(path) if word not in OF_MASKS | OF_IMAGES)


def _paired(
    images: Iterable[PurePosixPath],
    masks: Iterable[PurePosixPath],
    key_of: Callable[[PurePosixPath], Words],
) -> list[tuple[PurePosixPath, PurePosixPath]]:
    """Return the images and masks of which exactly one each have a key."""
    of_key: dict[Words, tuple[list[PurePosixPath], list[PurePosixPath]]] = defaultdict(
        lambda: ([], [])
    )
    for kind, paths in enumerate((images, masks)):
        for path in paths:
            of_key[key_of(path)][kind].append(path)
    return [(i[0], m[0]) for i, m in of_key.values() if len(i) == len(m) == 1]


def _are_default(image: PurePosixPath, mask: PurePosixPath) -> bool:
    same = image.with_suffix("").parts[1:] == mask.with_suffix("").parts[1:]
    return image.parts[0] == "images" and mask.parts[0] == "masks" and same


def _patterns(pairs: Sequence[tuple[PurePosixPath, PurePosixPath]]) -> tuple[str, str]:
    """Return patterns of the images and of the masks that match these pairs."""
    images, masks = ([pair[kind] for pair in pairs] for kind in (0, 1))
    folders = _folder_pattern(images, masks), _folder_pattern(masks, images)
    if _wildcards(folders[0]) != _wildcards(folders[1]):
        folders = "**/", "**/"
    names = _name_patterns([(image.stem, mask.stem) for image, mask in pairs])
    return (
        f"{folders[0]}{names[0]}{_suffix(images)}",
        f"{folders[1]}{names[1]}{_suffix(masks)}",
    )


def _wildcards(pattern: str) -> int:
    return pattern.split("/").count("*")


def _folder_pattern(paths: Sequence[PurePosixPath], others: Sequence[PurePosixPath]) -> str:
    """Return the folders of paths: literally, `*` where both kinds vary alike, or else `**`."""
    if len({len(path.parts) for path in (*paths, *others)}) > 1:
        return "**/"
    parts = []
    for place in range(len(paths[0].parts) - 1):
        own = [path.parts[place] for path in paths]
        if len(set(own)) == 1:
            parts.append(own[0])
        elif own == [path.parts[place] for path in others]:
            parts.append("*")
        else:
            return "**/"
    return "".join(f"{part}/" for part in parts)


def _name_patterns(stems: Sequence[tuple[str, str]]) -> tuple[str, str]:
    """Return {name} with what the stems of images and of masks have before or behind it."""
    for common in (_begin, _end):
        name = common(*stems[0])
        if not name:
            continue
        image, mask = (stem.replace(name, "{name}", 1) for stem in stems[0])
        if all(_same_name(image, mask, *pair) for pair in stems):
            return image, mask
    return "{name}", "{name}"


def _begin(one: str, other: str) -> str:
    common = _common(one, other)
    return common if one == other else common.rstrip("_-. ")


def _end(one: str, other: str) -> str:
    return _common(one[::-1], other[::-1])[::-1].lstrip("_-. ")


def _common(one: str, other: str) -> str:
    """Return what two texts begin with."""
    pairs = takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))
    return "".join(letter for letter, _ in pairs)


def _same_name(image_pattern: str, mask_pattern: str, image: str, mask: str) -> bool:
    names = []
    for pattern, stem in ((image_pattern, image), (mask_pattern, mask)):
        before, behind = pattern.split("{name}")
        if not (stem.startswith(before) and stem.endswith(behind)):
            return False
        names.append(stem[len(before) : len(stem) - len(behind)])
    return names[0] == names[1] != ""


def _suffix(paths: Sequence[PurePosixPath]) -> str:
    suffixes = {path.suffix for path in paths}
    return suffixes.pop() if len(suffixes) == 1 else ""
