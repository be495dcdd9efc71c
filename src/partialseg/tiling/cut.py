"""Cut one orthophoto into patches, each with the truth that its split asks for."""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import groupby, pairwise
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.io import DatasetReader
from rasterio.windows import Window

from partialseg.core.classes import NO_TRUTH
from partialseg.source.index import Orthophoto
from partialseg.source.mask_code import MaskCode
from partialseg.source.raster import open_raster
from partialseg.source.reading import Reading
from partialseg.tiling import split
from partialseg.tiling.grid import NO_SPLIT, Cell, cell_name
from partialseg.tiling.layout import Layout
from partialseg.tiling.params import Tile
from partialseg.tiling.patches import Patch, PatchWriter, create_arrays, open_writer
from partialseg.tiling.resampling import resampled_image, resampled_mask
from partialseg.tiling.truth import Kind, TruthRasters, open_truth, truth_kind

THREADS = min(4, os.cpu_count() or 1)  # each holds a row of cells; the disk serves hardly more
# Pixels of each class of a patch, then those without truth; those of its cell in the file where
# there is no image; at last those that are wholly black or white and have a truth.
Counts = list[int]


@dataclass(frozen=True, kw_only=True)
class Shares:
    """Shares of an orthophoto's pixels: without an image, and black or white with a truth.

    The latter may be without an image, too, in a file that does not say so.
    """

    holes: float
    plain: float


@dataclass(frozen=True, kw_only=True)
class Cutter:
    """How orthophotos are cut: the code of their masks, the reading of images, the store."""

    code: MaskCode
    reading: Reading
    params: Tile
    folder: Path

    def cut(
        self, orthophoto: Orthophoto, layout: Layout, assigned: split.Assignment
    ) -> tuple[list[Patch], Shares]:
        """Cut an orthophoto into the store; each of THREADS threads cuts some of the rows.

        Where it has no image, the patches are black and have no truth. Returns its patches, and
        shares of their pixels.

        Raises:
            UnknownValueError: a mask or labels hold an unknown value.
            ValueError: a file is damaged, or a mask is missing.
        """
        rows = [tuple(row) for _, row in groupby(layout.cells, key=attrgetter("row"))]
        split_of = {
            cell.number: assigned.get(cell_name(orthophoto.name, cell.number), NO_SPLIT)
            for cell in layout.cells
        }
        kind_of = {
            number: truth_kind(orthophoto, name, self.params.train_truth)
            for number, name in split_of.items()
        }
        create_arrays(self.folder, orthophoto.name, len(layout.cells), self.params.size)
        with ExitStack() as opened, ThreadPoolExecutor(THREADS) as pool:
            parts = []
            for first, last in pairwise(len(rows) * part // THREADS for part in range(THREADS + 1)):
                place = first * len(rows[0])
                row_cutter = _RowCutter(
                    image=opened.enter_context(open_raster(orthophoto.image)),
                    truth=opened.enter_context(open_truth(orthophoto, self.code)),
                    writer=opened.enter_context(open_writer(self.folder, orthophoto.name, place)),
                    reading=self.reading,
                    kind_of=kind_of,
                    side=layout.side,
                    size=self.params.size,
                )
                parts.append(pool.submit(row_cutter.cut_all, rows[first:last]))
            counts = [count for part in parts for count in part.result()]
        pixels = sum(cell.window.width * cell.window.height for cell in layout.cells)
        plain = sum(count.pop() for count in counts) / (len(counts) * self.params.size**2)
        shares = Shares(holes=sum(count.pop() for count in counts) / pixels, plain=plain)
        return _patches(orthophoto, layout, split_of, counts, self.params), shares


@dataclass(frozen=True, kw_only=True)
class _RowCutter:
    """Cuts rows of cells of one orthophoto, with files that are open for it alone."""

    image: DatasetReader
    truth: TruthRasters
    writer: PatchWriter
    reading: Reading
    kind_of: Mapping[int, Kind]
    side: int
    size: int

    def cut_all(self, rows: Sequence[Sequence[Cell]]) -> list[Counts]:
        """Write the patches of these rows and count their pixels."""
        return [count for row in rows for count in self.cut(row)]

    def cut(self, cells: Sequence[Cell]) -> list[Counts]:
        """Write the patches of a row of cells and count their pixels.

        The row is read as a whole, since the strips or tiles of a file extend over many cells.
        """
        first, last = cells[0].window, cells[-1].window
        width = last.col_off + last.width
        row = Window(0, first.row_off, width, first.height)
        image, data = self.reading.read(self.image, row)
        kinds = {self.kind_of[cell.number] for cell in cells}
        masks = {kind: self.truth.read(row, kind) for kind in kinds}
        missing = [
            0 if data is None else int(np.count_nonzero(~_columns(data, cell.window)))
            for cell in cells
        ]
        padding = self.side - first.height, self.side * len(cells) - width
        if any(padding):
            data = np.ones(image.shape[:2], bool) if data is None else data
            image, data = _padded(image, padding, 0), _padded(data, padding, False)
            masks = {kind: _padded(mask, padding, NO_TRUTH) for kind, mask in masks.items()}
        ids = (*range(self.truth.code.classes), NO_TRUTH)
        counts = []
        for cell, holes in zip(cells, missing, strict=True):
            inside = slice(cell.window.col_off, cell.window.col_off + self.side)
            mask = masks[self.kind_of[cell.number]][:, inside]
            has_data = None if data is None else data[:, inside]
            if has_data is not None:
                mask = np.where(has_data, mask, np.uint8(NO_TRUTH))
            patch = resampled_mask(mask, self.size)
            pixels = resampled_image(image[:, inside], has_data, self.size)
            self.writer.append(pixels, patch)
            of_ids = (int(np.count_nonzero(patch == id_)) for id_ in ids)
            counts.append([*of_ids, holes, _plain(pixels, patch)])
        return counts


def _plain(pixels: NDArray[np.uint8], mask: NDArray[np.uint8]) -> int:
    """Return how many pixels are black or white in all bands, and have a truth."""
    first, second, third = np.moveaxis(pixels, -1, 0)
    is_plain = ((first | second | third) == 0) | ((first & second & third) == 255)
    return int(np.count_nonzero(is_plain & (mask != NO_TRUTH)))


def _columns(array: NDArray[np.bool_], window: Window) -> NDArray[np.bool_]:
    return array[:, window.col_off : window.col_off + window.width]


def _padded(array: NDArray[Any], padding: tuple[int, int], value: int) -> NDArray[Any]:
    """Return an array (H, W, ...) with rows below and columns at the right."""
    widths = [(0, side) for side in padding] + [(0, 0)] * (array.ndim - 2)
    return np.pad(array, widths, constant_values=value)


def _patches(
    orthophoto: Orthophoto,
    layout: Layout,
    split_of: Mapping[int, str],
    counts: Sequence[Counts],
    params: Tile,
) -> list[Patch]:
    scale = Affine.scale(layout.side / params.size)
    patches = []
    for index, (cell, (*of_classes, no_truth)) in enumerate(zip(layout.cells, counts, strict=True)):
        corner = Affine.translation(cell.window.col_off, cell.window.row_off)
        transform = Affine(*orthophoto.transform) @ corner @ scale
        patches.append(
            Patch(
                name=cell_name(orthophoto.name, cell.number),
                orthophoto=orthophoto.name,
                index=index,
                row=cell.row,
                column=cell.column,
                split=split_of[cell.number] if any(of_classes) else NO_SPLIT,
                crs=orthophoto.crs,
                transform=tuple(transform)[:6],
                gsd=layout.gsd,
                counts=tuple(of_classes),
                no_truth=no_truth,
            )
        )
    return patches
