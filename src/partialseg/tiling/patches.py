"""The patch store: images/, masks/ (one .npy an orthophoto), manifest.csv and patches.json."""

import csv
import math
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray
from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass as checked_dataclass

from partialseg.core.classes import NO_TRUTH, PIXELS_OF, Colour
from partialseg.core.params import STRICT

MANIFEST = "manifest.csv"
SUMMARY = "patches.json"
_FIELDS = ("name", "orthophoto", "index", "row", "column", "split", "crs", "transform", "gsd")
_NO_TRUTH_COUNT = "pixels without truth"
GSD_TOLERANCE = 0.02  # relative: map projections alone distort by tenths of a %


Range = tuple[float, float]


@checked_dataclass(frozen=True, kw_only=True, config=STRICT)
class Imagery:
    """Which bands are shown as red, green and blue, and how their values become 0..255.

    bands are their numbers, from 1 (None: those that each file declares, else its first three);
    names say what they are (None: unknown). stretch has, for each of them, the values that become 0
    and 255 (None: 8-bit values as they are).
    """

    bands: tuple[int, int, int] | None = None
    names: tuple[str, str, str] | None = None
    stretch: tuple[Range, Range, Range] | None = None


@checked_dataclass(frozen=True, kw_only=True, config=STRICT)
class Summary:
    """What all patches of a store have in common: their side in pixels, classes and imagery.

    They were cut as cells of source_size px and resampled to size px.
    """

    size: int
    source_size: int
    class_names: tuple[str, ...]
    palette: tuple[Colour, ...]
    imagery: Imagery


@dataclass(frozen=True, kw_only=True)
class Patch:
    """A row of the manifest.

    index is the patch's place in the .npy files of its orthophoto; counts are the pixels of each
    class, no_truth those without truth; transform is rasterio's a, b, c, d, e, f of the stored
    pixels, and gsd their size on the ground in metres (None: unknown).
    """

    name: str
    orthophoto: str
    index: int
    row: int
    column: int
    split: str
    crs: str
    transform: tuple[float, ...]
    gsd: float | None
    counts: tuple[int, ...]
    no_truth: int


_SUMMARY = TypeAdapter(Summary)


class PatchWriter:
    """Appends patches of one orthophoto, one at a time, to its two .npy files."""

    def __init__(self, image_stream: IO[bytes], mask_stream: IO[bytes], first: int) -> None:
        self._streams = image_stream, mask_stream
        self._shapes = tuple(_skip_to(stream, first) for stream in self._streams)

    def append(self, image: NDArray[np.uint8], mask: NDArray[np.uint8]) -> None:
        """Append an image (size, size, 3) and its mask (size, size)."""
        for stream, shape, array in zip(self._streams, self._shapes, (image, mask), strict=True):
            assert array.shape == shape and array.dtype == np.uint8, (array.shape, array.dtype)
            stream.write(np.ascontiguousarray(array).data)


def create_arrays(folder: Path, orthophoto: str, count: int, size: int) -> None:
    """Create the files of one orthophoto in a store, for `count` patches of `size` px."""
    shapes = (count, size, size, 3), (count, size, size)
    for file, shape in zip(_files(folder, orthophoto), shapes, strict=True):
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("wb") as stream:
            header = {"descr": "|u1", "fortran_order": False, "shape": shape}
            npy.write_array_header_1_0(stream, header)


@contextmanager
def open_writer(folder: Path, orthophoto: str, first: int = 0) -> Iterator[PatchWriter]:
    """Open the files that create_arrays made, to write the patches from `first` on.

    Several writers may write to different places of the same files at once.
    """
    image_file, mask_file = _files(folder, orthophoto)
    with image_file.open("r+b") as image_stream, mask_file.open("r+b") as mask_stream:
        yield PatchWriter(image_stream, mask_stream, first)


def _skip_to(stream: IO[bytes], first: int) -> tuple[int, ...]:
    """Seek the place of a patch in a .npy file; return the shape of a patch."""
    npy.read_magic(stream)
    shape = npy.read_array_header_1_0(stream)[0][1:]
    stream.seek(first * math.prod(shape), os.SEEK_CUR)
    return shape


def write_manifest(folder: Path, summary: Summary, patches: Sequence[Patch]) -> None:
    """Write manifest.csv and patches.json of a store."""
    counts = [PIXELS_OF + name for name in summary.class_names]
    with (folder / MANIFEST).open("w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream, lineterminator="\n")
        rows.writerow([*_FIELDS, *counts, _NO_TRUTH_COUNT])
        for patch in patches:
            place = patch.name, patch.orthophoto, patch.index, patch.row, patch.column
            transform = " ".join(map(repr, patch.transform))
            gsd = "" if patch.gsd is None else repr(patch.gsd)
            fields = *place, patch.split, patch.crs, transform, gsd
            rows.writerow([*fields, *patch.counts, patch.no_truth])
    (folder / SUMMARY).write_bytes(_SUMMARY.dump_json(summary, indent=1))


class PatchStore:
    """Reads a store that the tile stage wrote.

    Raises:
        ValueError: the folder is no store, or a file of it is damaged.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            self.summary = _SUMMARY.validate_json((folder / SUMMARY).read_bytes())
            with (folder / MANIFEST).open(newline="", encoding="utf-8") as stream:
                self.patches = [_patch(row) for row in csv.DictReader(stream)]
        except (OSError, ValueError, KeyError) as error:
            raise ValueError(f"{folder}: no usable patch store: {error}") from error
        self._arrays: dict[str, tuple[NDArray[np.uint8], NDArray[np.uint8]]] = {}
        for orthophoto in self._count_of:  # so that damage shows here, not in a loader's worker
            self._open(orthophoto)

    def of_split(self, split: str) -> list[Patch]:
        """Return the patches of 'train', 'val' or 'test', in the order of the manifest."""
        return [patch for patch in self.patches if patch.split == split]

    def image(self, patch: Patch) -> NDArray[np.uint8]:
        """Return the image (size, size, 3) of a patch as a read-only view of its file."""
        return self._open(patch.orthophoto)[0][patch.index]

    def truth(self, patch: Patch) -> NDArray[np.uint8]:
        """Return the class ids (size, size) of a patch, NO_TRUTH where there is none."""
        return self._open(patch.orthophoto)[1][patch.index]

    def check_truth(self) -> None:
        """Check every pixel of the masks; this takes a second for ten thousand patches.

        Raises:
            ValueError: a mask holds an id that is no class.
        """
        classes = len(self.summary.class_names)
        for orthophoto in self._count_of:
            for index, mask in enumerate(self._open(orthophoto)[1]):
                wrong = (mask >= classes) & (mask != NO_TRUTH)
                if wrong.any():
                    file = _files(self.folder, orthophoto)[1]
                    raise ValueError(
                        f"{file}: damaged: patch {index} holds the class id {mask[wrong][0]}, "
                        f"allowed are 0..{classes - 1} and {NO_TRUTH}"
                    )

    def _open(self, orthophoto: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        if orthophoto not in self._arrays:
            image_file, mask_file = _files(self.folder, orthophoto)
            square = (self.summary.size, self.summary.size)
            count = self._count_of[orthophoto]
            self._arrays[orthophoto] = (
                _open_array(image_file, (count, *square, 3)),
                _open_array(mask_file, (count, *square)),
            )
        return self._arrays[orthophoto]

    @cached_property
    def _count_of(self) -> dict[str, int]:
        return Counter(patch.orthophoto for patch in self.patches)

    def __getstate__(self) -> dict[str, object]:
        # A loader's worker opens the files itself: pickling a memory map would copy it.
        return self.__dict__ | {"_arrays": {}}


def _open_array(file: Path, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    try:
        array = np.load(file, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ValueError(f"{file}: damaged or missing patch file: {error}") from error
    if array.shape != shape or array.dtype != np.uint8:
        raise ValueError(f"{file}: expected uint8 {shape}, got {array.dtype} {array.shape}")
    return array


def _files(folder: Path, orthophoto: str) -> tuple[Path, Path]:
    return folder / "images" / f"{orthophoto}.npy", folder / "masks" / f"{orthophoto}.npy"


def _patch(row: dict[str, str]) -> Patch:
    return Patch(
        name=row["name"],
        orthophoto=row["orthophoto"],
        index=int(row["index"]),
        row=int(row["row"]),
        column=int(row["column"]),
        split=row["split"],
        crs=row["crs"],
        transform=tuple(float(value) for value in row["transform"].split()),
        gsd=float(row["gsd"]) if row["gsd"] else None,
        counts=tuple(int(row[key]) for key in row if key.startswith(PIXELS_OF)),
        no_truth=int(row[_NO_TRUTH_COUNT]),
    )


def distinct(distances: Iterable[float | None]) -> list[float]:
    """Return the distinct ground sampling distances, ascending; None is left out.

    Those within GSD_TOLERANCE of the smallest count as one, given by their median.
    """
    groups: list[list[float]] = []
    for distance in sorted(item for item in distances if item is not None):
        if groups and distance <= groups[-1][0] * (1 + GSD_TOLERANCE):
            groups[-1].append(distance)
        else:
            groups.append([distance])
    return [group[len(group) // 2] for group in groups]
