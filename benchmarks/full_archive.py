"""An archive in the layout of LandCover.ai's and of its size, or of a share of it."""

import hashlib
import os
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "src"))  # nothing is installed: the stages find partialseg so too

from partialseg.datasets.sample.download import CRS, NORTH, SHEET, WEST, cell_names
from partialseg.datasets.sample.render import render_orthophoto
from partialseg.source.projections import use_own_projections

CELL = 512  # px
CELLS, HELD_OUT = 10_674, 1_602  # of the real archive: all, and those of each of val and test
LEVELS = 0xE0  # keeps 3 bits of a colour, so that the archive has the real one's 1 to 2 GB
LAYOUTS = (
    {"tiled": False},
    {"tiled": True, "blockxsize": 256, "blockysize": 256, "compress": "deflate", "zlevel": 1},
)


@dataclass(frozen=True, kw_only=True)
class Kind:
    """Orthophotos of one pixel size: how many, their rows and columns of whole cells, metres."""

    count: int
    rows: int
    columns: int
    gsd: float


# 33 x 17 x 18 and 8 x 8 x 9 cells are the 10,674 of the real archive.
KINDS = (
    Kind(count=33, rows=17, columns=18, gsd=0.25),
    Kind(count=8, rows=8, columns=9, gsd=0.5),
)


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """An orthophoto to be written; number is its place in the archive."""

    number: int
    height: int
    width: int
    gsd: float

    @property
    def name(self) -> str:
        """The name of its files, of the same form as the real ones."""
        return f"N-33-{self.number + 60}-D-c-4-2"

    @property
    def transform(self) -> Affine:
        """Its place on the ground: north up, each in a square of its own."""
        return Affine(self.gsd, 0, WEST + self.number * SHEET, 0, -self.gsd, NORTH)


def sheets(share: float, cell: int = CELL) -> list[Sheet]:
    """Return the orthophotos of a share of the archive, at least one of each pixel size."""
    rng = np.random.default_rng(1)
    made: list[Sheet] = []
    for kind in KINDS:
        for _ in range(max(1, round(kind.count * share))):
            over = rng.integers(0, cell, 2)  # px beyond the whole cells
            height, width = kind.rows * cell + over[0], kind.columns * cell + over[1]
            made.append(Sheet(number=len(made), height=int(height), width=int(width), gsd=kind.gsd))
    return made


def pictures(
    all_sheets: list[Sheet], pieces: int, side: int
) -> Iterator[tuple[Sheet, NDArray[np.uint8], NDArray[np.uint8]]]:
    """Yield sheets with image (H, W, 3) and class ids (H, W), mirrored from a few rendered ones."""
    rendered = [render_orthophoto(7, f"piece-{number}", side, side) for number in range(pieces)]
    for sheet in all_sheets:
        image, ids = rendered[sheet.number % pieces]
        shift = sheet.number * 97
        fill = ((0, max(0, sheet.height - side)), (0, max(0, sheet.width - side)))
        image = np.pad(np.roll(image & np.uint8(LEVELS), shift, 1), (*fill, (0, 0)), "symmetric")
        ids = np.pad(np.roll(ids, shift, 1), fill, "symmetric")
        yield sheet, image[: sheet.height, : sheet.width], ids[: sheet.height, : sheet.width]


def write_raster(file: Path, pixels: NDArray[np.uint8], sheet: Sheet, layout: int) -> None:
    """Write pixels (H, W, bands) as a GeoTIFF in one of the LAYOUTS."""
    with rasterio.open(
        file,
        "w",
        driver="GTiff",
        dtype="uint8",
        width=sheet.width,
        height=sheet.height,
        count=pixels.shape[-1],
        interleave="pixel",
        crs=CRS,
        transform=sheet.transform,
        **LAYOUTS[layout],
    ) as raster:
        raster.write(np.moveaxis(pixels, -1, 0))


def lists(names: list[str]) -> dict[str, list[str]]:
    """Share cells out at random over train, val and test as the real lists do."""
    order = np.random.default_rng(2).permutation(len(names))
    held_out = round(len(names) * HELD_OUT / CELLS)
    parts = {
        "val": order[:held_out],
        "test": order[held_out : 2 * held_out],
        "train": order[2 * held_out :],
    }
    return {name: sorted(names[index] for index in part) for name, part in parts.items()}


def write_archive(
    file: Path, share: float, *, cell: int = CELL, pieces: int = 4, side: int = 2048
) -> str:
    """Write a zip of a share of the archive; return its MD5.

    Images and masks are strips or deflated tiles in turns, masks have one band or three equal ones.
    """
    use_own_projections()
    all_sheets = sheets(share, cell)
    names: list[str] = []
    with (
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed,
        tempfile.TemporaryDirectory(dir=file.parent) as folder,
    ):
        raster = Path(folder) / "raster.tif"
        for sheet, image, ids in pictures(all_sheets, pieces, side):
            bands = 3 if sheet.number // 2 % 2 else 1
            layout = sheet.number % 2
            for place, pixels in (("images", image), ("masks", np.dstack([ids] * bands))):
                write_raster(raster, pixels, sheet, layout)
                stored = zipfile.ZIP_STORED if layout else zipfile.ZIP_DEFLATED
                packed.write(raster, f"{place}/{sheet.name}.tif", compress_type=stored)
                os.remove(raster)
            names += cell_names(sheet.name, sheet.height, sheet.width, cell)
        for name, part in lists(names).items():
            packed.writestr(f"{name}.txt", "".join(f"{item}\n" for item in part))
        packed.writestr("split.py", "# The official script cuts the orthophotos into cells.\n")
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "md5").hexdigest()
