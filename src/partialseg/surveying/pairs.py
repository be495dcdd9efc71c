"""Guess which files of a folder are images, which are their masks, and by which name patterns."""

import io
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path, PurePosixPath

from partialseg.source.folders import find_rasters
from partialseg.source.pairing import files_by_patterns, files_in_folders
from partialseg.source.raster import open_raster

# Parts of names, in small letters, that say what a file is.
OF_MASKS = frozenset(
    [
        *("mask", "masks", "label", "labels", "lbl", "gt", "gts", "truth", "ground", "groundtruth"),
        *("ann", "anns", "annotation", "annotations", "seg", "segmentation", "target", "targets"),
        *("maske", "masken", "reference", "lulc"),
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
    no raster. problem is a sentence where the patterns do not find these pairs.
    """

    images: str
    masks: str
    files: list[tuple[Path, Path]]
    unlabelled: list[Path]
    alone: list[Path]
    others: list[Path]
    problem: str = ""


def find_pairs(folder: Path) -> Pairs:
    """Return the pairs of a folder, by words as `mask` and `label` in paths.

    Where they tell nothing, images and masks are those in images/ and masks/, or rasters of three
    bands and of one.

    Raises:
        ValueError: there is no such folder, or no pair is found in it.
    """
    rasters, others = find_rasters(folder)
    paths = [PurePosixPath(file.relative_to(folder).as_posix()) for file in rasters]
    in_all = _of_all(paths)
    words = OF_MASKS - in_all  # what all paths say tells nothing
    masks = [path for path in paths if words & {*_words(path)} or path.stem.endswith(SHORT)]
    images = [path for path in paths if path not in set(masks)]
    pairs = (
        _paired(images, masks, _rest)
        or _paired(images, masks, _rest_of_name)
        or _paired(images, masks, _rest_without({*_of_all(images), *_of_all(masks)} - in_all))
        or _in_default_folders(images, masks)
    )
    if not pairs:
        images, masks = _by_bands(folder, paths)
        pairs = _paired(images, masks, _rest_of_name)
    if not pairs:
        raise ValueError(
            f"{folder}: no image with one mask among {len(rasters)} rasters. Masks are known by "
            f"words in their paths ({', '.join(sorted(OF_MASKS))}), or as rasters of one band; say "
            "where they are, as in --images 'rgb/{name}.tif' --masks 'classes/{name}_c.png'"
        )
    with_mask = {image for image, _ in pairs}
    with_image = {mask for _, mask in pairs}
    patterns = "", ""
    is_default = all(_are_default(*pair) for pair in pairs)
    if not is_default or any(path.parts[0] == "images" for path in {*images} - with_mask):
        patterns = _patterns(pairs)
    return Pairs(
        images=patterns[0],
        masks=patterns[1],
        files=[(folder / image, folder / mask) for image, mask in pairs],
        unlabelled=[folder / path for path in images if path not in with_mask],
        alone=[folder / path for path in masks if path not in with_image],
        others=others,
        problem=_problem(folder, patterns, pairs),
    )


def _by_bands(
    folder: Path, paths: Sequence[PurePosixPath]
) -> tuple[list[PurePosixPath], list[PurePosixPath]]:
    """Return the rasters of three bands or more, and those of one."""
    bands = {}
    for path in paths:
        try:
            with open_raster(folder / path) as raster:
                bands[path] = raster.count
        except ValueError:  # no pair, then
            continue
    images = [path for path, count in bands.items() if count >= 3]
    return images, [path for path, count in bands.items() if count == 1]


def _problem(
    folder: Path, patterns: tuple[str, str], pairs: Sequence[tuple[PurePosixPath, PurePosixPath]]
) -> str:
    """Return why download would not find these pairs by the patterns, '' if it would."""
    try:
        with redirect_stdout(io.StringIO()):  # what is left out is said by the survey
            if patterns[0]:
                found = files_by_patterns(folder, *patterns, "", "leave_out")
            else:
                found = files_in_folders(folder / "images", folder / "masks", None)
        found.check_pairs()
    except ValueError as error:
        return f"download will stop at this: {error}"
    of_patterns = {(image, found.masks.get(key)) for key, image in found.images.items()}
    missing = {(folder / image, folder / mask) for image, mask in pairs} - of_patterns
    if missing:
        image, mask = min(missing)
        return f"the patterns do not join {image} and {mask}; state --images and --masks"
    return ""


def _words(path: PurePosixPath) -> Words:
    text = path.with_suffix("").as_posix().removesuffix(SHORT).lower()
    return tuple(filter(None, re.split(r"[^a-z0-9]+", text)))


def _rest(path: PurePosixPath) -> Words:
    """Return the words of a path but for those that tell images from masks."""
    return tuple(word for word in _words(path) if word not in OF_MASKS | OF_IMAGES)


def _of_all(paths: Sequence[PurePosixPath]) -> set[str]:
    """Return the words that all of some paths have."""
    return set.intersection(*({*_words(path)} for path in paths)) if paths else set()


def _rest_without(words: set[str]) -> Callable[[PurePosixPath], Words]:
    """Return a function as _rest, which leaves out more words."""
    return lambda path: tuple(word for word in _rest(path) if word not in words)


def _rest_of_name(path: PurePosixPath) -> Words:
    return _rest(PurePosixPath(path.name))


def _in_default_folders(
    images: Iterable[PurePosixPath], masks: Iterable[PurePosixPath]
) -> list[tuple[PurePosixPath, PurePosixPath]]:
    """Return the pairs in images/ and masks/, where other folders have more masks of the images."""
    return _paired(
        [path for path in images if path.parts[0] == "images"],
        [path for path in masks if path.parts[0] == "masks"],
        lambda path: path.with_suffix("").parts[1:],
    )


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
    if (image.parts[0], mask.parts[0]) != ("images", "masks"):
        return False
    return image.with_suffix("").parts[1:] == mask.with_suffix("").parts[1:]


def _patterns(pairs: Sequence[tuple[PurePosixPath, PurePosixPath]]) -> tuple[str, str]:
    """Return patterns of the images and of the masks that match these pairs."""
    images, masks = ([pair[kind] for pair in pairs] for kind in (0, 1))
    folders = _folder_patterns(images, masks)
    names = _name_patterns([(image.stem, mask.stem) for image, mask in pairs])
    return (
        f"{folders[0]}{names[0]}{_suffix(images)}",
        f"{folders[1]}{names[1]}{_suffix(masks)}",
    )


def _folder_patterns(
    images: Sequence[PurePosixPath], masks: Sequence[PurePosixPath]
) -> tuple[str, str]:
    """Return the folders of images and masks: literally, or `*` where both vary alike.

    What follows where they vary differently is literal if it is the same for all of a kind, and
    otherwise `**`.
    """
    folders = [[path.parent.parts for path in kind] for kind in (images, masks)]
    begins = ["", ""]
    depth = min(len(parts) for of_kind in folders for parts in of_kind)
    place = 0
    while place < depth:
        columns = [[parts[place] for parts in of_kind] for of_kind in folders]
        if all(len(set(column)) == 1 for column in columns):
            begins = [f"{text}{column[0]}/" for text, column in zip(begins, columns, strict=True)]
        elif columns[0] == columns[1]:
            begins = [f"{text}*/" for text in begins]
        else:
            break
        place += 1
    ends = ({parts[place:] for parts in of_kind} for of_kind in folders)
    of_images, of_masks = (
        text + ("".join(f"{part}/" for part in end.pop()) if len(end) == 1 else "**/")
        for text, end in zip(begins, ends, strict=True)
    )
    return of_images, of_masks


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
