"""The index of a source, index.json: its legend, its orthophotos, and their masks and labels."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

from pydantic import Field, TypeAdapter
from pydantic.dataclasses import dataclass

from partialseg.core.files import new_file
from partialseg.core.params import STRICT
from partialseg.source.alignment import check_alignment
from partialseg.source.alpha import check_named_alpha
from partialseg.source.bands import (
    check_colours,
    check_depth,
    check_positive,
    rgb_bands,
    too_few_bands,
)
from partialseg.source.legend import Legend
from partialseg.source.mask_code import MaskCode
from partialseg.source.mask_files import check_mask
from partialseg.source.pairing import Files, files_in_folders
from partialseg.source.raster import Header, open_raster, read_header
from partialseg.source.reading import Reading, check_types
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
    """A source: its legend, its orthophotos, sorted by name, and how their images are read."""

    legend: Legend
    orthophotos: tuple[Orthophoto, ...]
    reading: Reading = Reading()


_SOURCE = TypeAdapter(Source)
_MADE_BY_VIEWERS = (".ovr", ".aux.xml")
_BLOCK = 1 << 20  # bytes


def write_index(
    folder: Path, images: Path, masks: Path, legend: Legend, labels: Path | None = None
) -> Source:
    """Index the orthophotos under images/, masks/ and labels/, as index_files() does.

    Sub-folders count, too: masks/north/a.png is the mask of images/north/a.tif. Prints how many
    files are left out.

    Raises:
        ValueError: a folder has no image or two files of one name, or as index_files().
    """
    return index_files(folder, files_in_folders(images, masks, labels), legend, Reading())


def index_files(folder: Path, files: Files, legend: Legend, reading: Reading) -> Source:
    """Check the files of a source and write folder/index.json.

    Paths inside `folder` are stored relative to it, others as absolute ones.

    Raises:
        ValueError: no image, an image with neither mask nor labels, one of these without image, an
            unreadable file or one to be shown turned, unequal sizes or georeferences, an image that
            cannot be read so, a mask that cannot hold classes, or two images of one name.
    """
    files.check_pairs()
    code = legend.code()
    headers: dict[Path, Header] = {}
    orthophotos = []
    for name, key in sorted(files.keys_by_name.items()):
        image = files.images[key]
        headers[image] = read_header(image)
        _check_image(image, headers[image], reading)
        truth = files.masks.get(key), files.labels.get(key)
        orthophotos.append(_orthophoto(name, image, headers[image], truth, code))
    print_remarks(headers, reading)
    stored = [_with_paths(item, partial(_stored, folder=folder)) for item in orthophotos]
    source = Source(legend=legend, orthophotos=tuple(stored), reading=reading)
    # Left out where images are read as they are: so the index of a source stays what it was.
    unused = {"reading"} if reading == Reading() else None
    with new_file(folder / INDEX) as file:
        file.write_bytes(_SOURCE.dump_json(source, indent=1, exclude=unused))
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


def _orthophoto(
    name: str,
    image: Path,
    header: Header,
    truth: tuple[Path | None, Path | None],
    code: MaskCode,
) -> Orthophoto:
    mask, labels = truth
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


def _check_image(image: Path, header: Header, reading: Reading) -> None:
    bands = reading.bands or rgb_bands(header.declared)
    if header.bands < max(bands):
        if reading.bands:
            needed = f"the bands {', '.join(map(str, bands))}"
            raise ValueError(f"{image}: an image needs {needed}, got {header.bands}")
        advice = too_few_bands(header.declared, "bands: [1, 1, 1] in the section download")
        raise ValueError(f"{image}: an image needs 3 bands (RGB), got {header.bands}; {advice}")
    check_types(image, [header.dtypes[band - 1] for band in bands], reading.stretch)
    check_colours(image, header.declared.kinds, bands, chosen=reading.bands is not None)
    check_named_alpha(image, header.declared.kinds, bands)
    check_positive(image, header.declared)
    check_depth(image, header.declared, reading.stretch)


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
