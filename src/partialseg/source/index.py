"""The index of a source, index.json: its legend, its orthophotos, and their masks and labels."""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Set
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

from pydantic import Field, TypeAdapter
from pydantic.dataclasses import dataclass

from partialseg.core.files import new_file
from partialseg.core.params import STRICT
from partialseg.source.alignment import check_alignment
from partialseg.source.bands import check_colours, rgb_bands
from partialseg.source.folders import find_rasters, left_out
from partialseg.source.legend import Legend
from partialseg.source.mask_code import MaskCode
from partialseg.source.mask_files import check_mask
from partialseg.source.raster import SUFFIXES, Header, open_raster, read_header
from partialseg.source.remarks import print_remarks

INDEX = "index.json"
File = Annotated[Path, Field(strict=False)]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Orthophoto:
    """One orthophoto: its files with their MD5, size in pixels and georeference.

    mask is the truth of all pixels, labels the annotation of a person, of some pixels. One of the
    two may be None.
    """

    name: str
    image: File
    mask: File | None
    labels: File | None
    image_md5: str
    mask_md5: str | None
    labels_md5: str | None
    width: int
    height: int
    crs: str
    transform: tuple[float, ...]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Source:
    """A source: its legend and its orthophotos, sorted by name."""

    legend: Legend
    orthophotos: tuple[Orthophoto, ...]


_SOURCE = TypeAdapter(Source)
_MADE_BY_VIEWERS = (".ovr", ".aux.xml")
_BLOCK = 1 << 20  # bytes


def write_index(
    folder: Path, images: Path, masks: Path, legend: Legend, labels: Path | None = None
) -> Source:
    """Check the orthophotos under images/, masks/ and labels/ and write folder/index.json.

    Sub-folders count, too: masks/north/a.png is the mask of images/north/a.tif. Paths inside
    `folder` are stored relative to it, others as absolute ones. Prints how many files are left out.

    Raises:
        ValueError: no image, an image with neither mask nor labels, one of these without image, an
            unreadable file or one to be shown turned, unequal sizes or georeferences, an image that
            is not 8-bit RGB, a mask that cannot hold classes, or two images of one name.
    """
    image_files, mask_files = _rasters(images), _rasters(masks)
    label_files = _rasters(labels) if labels else {}
    if not image_files:
        raise ValueError(f"{images}: no image with a suffix of {', '.join(SUFFIXES)}")
    known = mask_files.keys() | label_files.keys()
    _check_none_alone(image_files, known, "mask", f"{masks} or {labels}" if labels else str(masks))
    _check_none_alone(mask_files, image_files.keys(), "image", str(images))
    _check_none_alone(label_files, image_files.keys(), "image", str(images))
    code = legend.code()
    headers: dict[Path, Header] = {}
    orthophotos = []
    for name, key in sorted(_names(image_files).items()):
        image = image_files[key]
        headers[image] = read_header(image)
        truth = mask_files.get(key), label_files.get(key)
        orthophotos.append(_orthophoto(name, image, headers[image], truth, code))
    stored = [_with_paths(item, partial(_stored, folder=folder)) for item in orthophotos]
    source = Source(legend=legend, orthophotos=tuple(stored))
    with new_file(folder / INDEX) as file:
        file.write_bytes(_SOURCE.dump_json(source, indent=1))
    print_remarks(headers)
    return source


def read_index(folder: Path) -> Source:
    """Read what write_index wrote, with paths that can be opened.

    Raises:
        ValueError: the index is missing or damaged.
    """
    file = folder / INDEX
    try:
        source = _SOURCE.validate_json(file.read_bytes())
    except (OSError, ValueError) as error:
        raise ValueError(f"{file}: no usable index of a source: {error}") from error
    orthophotos = [_with_paths(item, folder.joinpath) for item in source.orthophotos]
    return replace(source, orthophotos=tuple(orthophotos))


def check_unchanged(orthophoto: Orthophoto) -> None:
    """Compare the files with the checksums of the index.

    Raises:
        ValueError: a file is missing or is not the one that was indexed.
    """
    for file, md5 in (
        (orthophoto.image, orthophoto.image_md5),
        (orthophoto.mask, orthophoto.mask_md5),
        (orthophoto.labels, orthophoto.labels_md5),
    ):
        if file is None:
            continue
        if not file.is_file() or _md5(file) != md5:
            raise ValueError(
                f"{file}: missing or changed since the download stage indexed it (MD5 {md5}); "
                "run that stage again: dvc repro --force --single-item download@DATASET"
            )


def _rasters(folder: Path) -> dict[str, Path]:
    """Return the rasters of a folder by their path in it, without the suffix."""
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


def _names(image_files: Mapping[str, Path]) -> dict[str, str]:
    """Return the keys of images by the names of their orthophotos.

    That is the name of the file. Where several sub-folders have a file of one name, they belong to
    the name, too: north/a and south/a are north_a and south_a.

    Raises:
        ValueError: two orthophotos have one name.
    """
    of_stem = Counter(key.rpartition("/")[2] for key in image_files)
    names: dict[str, str] = {}
    for key in image_files:
        stem = key.rpartition("/")[2]
        name = stem if of_stem[stem] == 1 else key.replace("/", "_")
        if name in names:
            raise ValueError(
                f"{image_files[key]}: {image_files[names[name]]} has the same name, {name!r}"
            )
        names[name] = key
    return names


def _check_none_alone(
    files: dict[str, Path], others: Set[str], other_kind: str, where: str
) -> None:
    alone = sorted(files.keys() - others)
    if alone:
        count = f" (and {len(alone) - 1} more)" if len(alone) > 1 else ""
        raise ValueError(f"{files[alone[0]]}: no {other_kind} of this name in {where}{count}")


def _orthophoto(
    name: str,
    image: Path,
    header: Header,
    truth: tuple[Path | None, Path | None],
    code: MaskCode,
) -> Orthophoto:
    mask, labels = truth
    _check_image(image, header)
    for file, kind in ((mask, "a mask"), (labels, "a raster of labels")):
        if file is not None:
            check_mask(file, kind, code)
            check_alignment(image, header, file, read_header(file))
    return Orthophoto(
        name=name,
        image=image,
        mask=mask,
        labels=labels,
        image_md5=_md5(image),
        mask_md5=_md5(mask) if mask else None,
        labels_md5=_md5(labels) if labels else None,
        width=header.width,
        height=header.height,
        crs=header.crs,
        transform=header.transform,
    )


def _check_image(image: Path, header: Header) -> None:
    if header.bands < 3:
        raise ValueError(f"{image}: an image needs 3 bands (RGB), got {header.bands}")
    if header.dtype != "uint8":
        raise ValueError(f"{image}: an image must be 8-bit, got {header.dtype}")
    check_colours(image, header.declared.kinds, rgb_bands(header.declared))


def _with_paths(orthophoto: Orthophoto, change: Callable[[Path], Path]) -> Orthophoto:
    return replace(
        orthophoto,
        image=change(orthophoto.image),
        mask=orthophoto.mask and change(orthophoto.mask),
        labels=orthophoto.labels and change(orthophoto.labels),
    )


def _stored(file: Path, folder: Path) -> Path:
    return file.relative_to(folder) if file.is_relative_to(folder) else file.resolve()


def _md5(file: Path) -> str:
    """Return the MD5 of a file and of those that its pixels depend on: a .msk, sources of a .vrt.

    Overviews and .aux.xml files are left out: a look at the file in QGIS makes new ones.
    """
    with open_raster(file) as raster:
        parts = [Path(part) for part in raster.files if not part.endswith(_MADE_BY_VIEWERS)]
    digest = hashlib.md5()
    for part in sorted(filter(Path.is_file, parts)):  # not the sources in archives of a VRT
        with part.open("rb") as stream:
            while block := stream.read(_BLOCK):
                digest.update(block)
    return digest.hexdigest()
