"""Which image belongs to which mask and labels: by equal names in folders, or by name patterns."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from partialseg.source.folders import find_rasters, left_out
from partialseg.source.raster import SUFFIXES

Unlabelled = Literal["refuse", "leave_out"]
NAME = "{name}"
ANY_SUFFIX = "|".join(re.escape(suffix) for suffix in SUFFIXES)


@dataclass(frozen=True, kw_only=True)
class Files:
    """The rasters of a source: of each kind by a key that an image shares with its mask.

    where says, for messages, where masks were looked for.
    """

    images: Mapping[str, Path]
    masks: Mapping[str, Path]
    labels: Mapping[str, Path]
    where: str

    @cached_property
    def keys_by_name(self) -> dict[str, str]:
        """The keys of the images by the names of their orthophotos.

        That is what follows the last '/' of the key. Where several keys have the same there, the
        rest belongs to the name, too: north/a and south/a are north_a and south_a.

        Raises:
            ValueError: two orthophotos have one name.
        """
        of_stem = Counter(key.rpartition("/")[2] for key in self.images)
        names: dict[str, str] = {}
        for key in self.images:
            stem = key.rpartition("/")[2]
            name = stem if of_stem[stem] == 1 else key.replace("/", "_")
            if name in names:
                raise ValueError(
                    f"{self.images[key]}: {self.images[names[name]]} has the same name, {name!r}"
                )
            names[name] = key
        return names

    def check_pairs(self) -> None:
        """Check that no image is without mask and labels, and none of these without an image.

        Raises:
            ValueError: one is.
        """
        known = self.masks.keys() | self.labels.keys()
        _check_none_alone(self.images, known, "mask", self.where)
        for files in (self.masks, self.labels):
            _check_none_alone(files, self.images.keys(), "image", "the images")


def _check_none_alone(files: Mapping[str, Path], others: Set[str], kind: str, where: str) -> None:
    alone = sorted(files.keys() - others)
    if alone:
        count = f" (and {len(alone) - 1} more)" if len(alone) > 1 else ""
        raise ValueError(f"{files[alone[0]]}: no {kind} of this name in {where}{count}")


def files_in_folders(images: Path, masks: Path, labels: Path | None) -> Files:
    """Return the rasters of these folders and their sub-folders; keys are paths without suffix.

    Prints how many files are left out.

    Raises:
        ValueError: a folder is missing, has no image or two files of one name.
    """
    found = {folder: _by_path(folder) for folder in (images, masks, labels) if folder}
    if not found[images]:
        raise ValueError(f"{images}: no image with a suffix of {', '.join(SUFFIXES)}")
    return Files(
        images=found[images],
        masks=found[masks],
        labels=found[labels] if labels else {},
        where=f"{masks} or {labels}" if labels else str(masks),
    )


def _by_path(folder: Path) -> dict[str, Path]:
    rasters, others = find_rasters(folder)
    if others:
        print(left_out(folder, others))
    files: dict[str, Path] = {}
    for file in rasters:
        key = file.relative_to(folder).with_suffix("").as_posix()
        if key in files:
            raise ValueError(f"{file}: {files[key].name} has the same name in this folder")
        files[key] = file
    return files


def files_by_patterns(
    folder: Path, images: str, masks: str, labels: str, unlabelled: Unlabelled
) -> Files:
    """Return the rasters in a folder whose paths match patterns; '' for labels: there are none.

    In a pattern {name} and `*` stand for a part of the name of a file or folder, `?` for a
    character, {a,b} for a or b, and `**/` for any folders. What these stand for is the same in an
    image and its mask, except for `**/`; joined by '_', with {name} last, it is the name of the
    orthophoto. A pattern that ends in no suffix of a raster takes all of them.

    Prints how many files match no pattern, and how many images without a mask are left out.

    Raises:
        ValueError: a pattern is wrong, no image matches, or two files have the same name.
    """
    rasters, others = find_rasters(folder)
    of_kinds: list[dict[str, Path]] = []
    for pattern in (images, masks, labels):
        matching = _matching(folder, rasters, pattern)
        taken = set(matching.values())
        rasters = [file for file in rasters if file not in taken]
        of_kinds.append(matching)
    of_images, of_masks, of_labels = of_kinds
    _check_wildcards(images, masks, labels)
    if not of_images:
        raise ValueError(f"{folder}: no image matches {images}")
    if others := [*rasters, *others]:
        print(left_out(folder, others, f"not matching {images} or {masks}"))
    alone = of_images.keys() - of_masks.keys() - of_labels.keys()
    if alone and unlabelled == "leave_out":
        print(f"{folder}: {len(alone)} of {len(of_images)} images are left out, without a mask")
        of_images = {key: file for key, file in of_images.items() if key not in alone}
    where = f"{folder} ({masks})"
    return Files(images=of_images, masks=of_masks, labels=of_labels, where=where)


def _matching(folder: Path, rasters: Sequence[Path], pattern: str) -> dict[str, Path]:
    files: dict[str, Path] = {}
    if not pattern:
        return files
    expression = _expression(pattern)
    for file in rasters:
        if match := expression.fullmatch(file.relative_to(folder).as_posix()):
            key = _key(match)
            if key in files:
                raise ValueError(f"{file}: {files[key]} matches {pattern!r} with the same name")
            files[key] = file
    return files


def _key(match: re.Match[str]) -> str:
    of_name = match.re.groupindex["name"]
    others = (group for group in range(1, match.re.groups + 1) if group != of_name)
    return "_".join(filter(None, [*(match[group] for group in others), match["name"]]))


def _check_wildcards(images: str, *others: str) -> None:
    wanted = _expression(images).groups
    for pattern in filter(None, others):
        if _expression(pattern).groups != wanted:
            raise ValueError(
                f"{pattern!r}: must have as many of *, ? and {{a,b}} as {images!r}, since an image "
                "and its mask are equal in them"
            )


def _expression(pattern: str) -> re.Pattern[str]:
    """Return a pattern as a regular expression with a group for each part of a key.

    Raises:
        ValueError: it has no {name}, or two.
    """
    if pattern.count(NAME) != 1:
        raise ValueError(f"{pattern!r}: a pattern of files needs {NAME}, once")
    text = "".join(_translated(pattern))
    if not pattern.lower().endswith(SUFFIXES):
        text += f"(?:{ANY_SUFFIX})"
    return re.compile(text, re.IGNORECASE)


def _translated(pattern: str) -> Iterator[str]:
    for token in re.findall(r"\*\*/|\{[^{}]*\}|.", pattern):
        match token:
            case "**/":
                yield "(?:[^/]+/)*"
            case "{name}":
                yield "(?P<name>[^/]+?)"
            case "*":
                yield "([^/]*)"
            case "?":
                yield "([^/])"
            case _ if len(token) > 1:
                yield f"({'|'.join(map(re.escape, token[1:-1].split(',')))})"
            case _:
                yield re.escape(token)
