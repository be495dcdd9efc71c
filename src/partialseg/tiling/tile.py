"""Cut the orthophotos of a source into patches, each with the truth that its split asks for."""

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import groupby, pairwise
from operator import attrgetter
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.io import DatasetReader
from rasterio.windows import Window

from partialseg.core.classes import NO_TRUTH
from partialseg.core.files import new_folder
from partialseg.source.index import Orthophoto, Source, check_unchanged, read_index
from partialseg.source.legend import MaskCode
from partialseg.source.raster import ground_size, open_raster, read_rgb
from partialseg.tiling import split
from partialseg.tiling.grid import NO_SPLIT, Cell, cell_name, full_cells
from partialseg.tiling.params import Tile, TrainTruth
from partialseg.tiling.patches import (
    Patch,
    PatchWriter,
    Summary,
    create_arrays,
    open_writer,
    write_manifest,
)

Kind = Literal["mask", "labels"]
THREADS = min(4, os.cpu_count() or 1)  # each holds a row of cells; the disk serves hardly more
Counts = list[int]  # pixels of each class of a patch, then those without truth


@dataclass(frozen=True, kw_only=True)
class TruthRasters:
    """The open mask and labels of an orthophoto, None where it has none."""

    rasters: Mapping[Kind, DatasetReader | None]
    code: MaskCode

    def read(self, window: Window, kind: Kind) -> NDArray[np.uint8]:
        """Return the class ids (H, W) of a window, all NO_TRUTH if there is no raster.

        Raises:
            ValueError: the raster holds an unknown value.
        """
        raster = self.rasters[kind]
        if raster is None:
            return np.full((window.height, window.width), NO_TRUTH, np.uint8)
        return self.code.decode(raster, window)


@contextmanager
def open_truth(orthophoto: Orthophoto, code: MaskCode) -> Iterator[TruthRasters]:
    """Open the mask and the labels of an orthophoto."""
    files: dict[Kind, Path | None] = {"mask": orthophoto.mask, "labels": orthophoto.labels}
    with ExitStack() as opened:
        yield TruthRasters(
            rasters={
                kind: opened.enter_context(open_raster(file)) if file else None
                for kind, file in files.items()
            },
            code=code,
        )


def truth_kind(orthophoto: Orthophoto, split_name: str, train_truth: TrainTruth) -> Kind:
    """Return whether the truth of a cell of this split is the mask or the drawn labels.

    Raises:
        ValueError: the cell needs a mask, but the orthophoto only has labels.
    """
    if split_name == "train" and train_truth == "labels":
        return "labels"
    if orthophoto.mask is None and split_name in split.SPLITS:
        held_out = f"it is held out for {split_name}"
        use = "train_truth is masks" if split_name == "train" else held_out
        raise ValueError(f"{orthophoto.image}: has labels but no mask, and {use}")
    return "mask"


def tile(source_folder: Path, out: Path, params: Tile) -> list[Patch]:
    """Cut every whole cell of every orthophoto into the patch store `out`.

    Raises:
        ValueError: an orthophoto is smaller than a cell, its files are damaged or hold an unknown
            class, a mask or all labels are missing, or a split is empty.
    """
    source = read_index(source_folder)
    _check_labels(source, source_folder, params)
    assigned = assign_splits(source, source_folder, params)
    summary = Summary(
        size=params.size,
        source_size=params.source_size,
        class_names=source.legend.names,
        palette=source.legend.palette,
    )
    code = source.legend.code()
    patches: list[Patch] = []
    with new_folder(out) as folder:
        for orthophoto in source.orthophotos:
            check_unchanged(orthophoto)
            patches += cut_orthophoto(orthophoto, code, assigned, params, folder)
        _check_splits(patches)
        write_manifest(folder, summary, patches)
    return patches


def assign_splits(source: Source, source_folder: Path, params: Tile) -> split.Assignment:
    """Return the split of each cell by its name; official lists may leave cells out."""
    cells_of = _cell_names(source.orthophotos, params.source_size)
    cells = [cell for names in cells_of.values() for cell in names]
    match params.split:
        case "official":
            return split.official(source_folder, cells)
        case "random":
            return split.by_share(cells, params.split_seed, float(params.val), float(params.test))
        case "orthophoto":
            of_stem = split.by_share(
                list(cells_of), params.split_seed, float(params.val), float(params.test)
            )
        case "pattern":
            of_stem = split.by_pattern(list(cells_of), str(params.val), str(params.test))
    return {cell: of_stem[stem] for stem, names in cells_of.items() for cell in names}


def _cell_names(orthophotos: Sequence[Orthophoto], side: int) -> dict[str, list[str]]:
    names: dict[str, list[str]] = {}
    for item in orthophotos:
        if min(item.width, item.height) < side:
            raise ValueError(
                f"{item.image}: {item.width} x {item.height} px is smaller than one cell of "
                f"{side} px (source_size)"
            )
        cells = full_cells(item.width, item.height, side)
        names[item.name] = [cell_name(item.name, cell.number) for cell in cells]
    return names


def cut_orthophoto(
    orthophoto: Orthophoto,
    code: MaskCode,
    assigned: split.Assignment,
    params: Tile,
    folder: Path,
) -> list[Patch]:
    """Cut an orthophoto into the store `folder`; each of THREADS threads cuts some of the rows.

    Raises:
        ValueError: a file is damaged, or a mask is missing or holds an unknown value.
    """
    cells = list(full_cells(orthophoto.width, orthophoto.height, params.source_size))
    rows = [tuple(row) for _, row in groupby(cells, key=attrgetter("row"))]
    split_of = {
        cell.number: assigned.get(cell_name(orthophoto.name, cell.number), NO_SPLIT)
        for cell in cells
    }
    kind_of = {
        number: truth_kind(orthophoto, name, params.train_truth)
        for number, name in split_of.items()
    }
    create_arrays(folder, orthophoto.name, len(cells), params.size)
    with ExitStack() as opened, ThreadPoolExecutor(THREADS) as pool:
        parts = []
        for first, last in pairwise(len(rows) * part // THREADS for part in range(THREADS + 1)):
            image_raster = opened.enter_context(open_raster(orthophoto.image))
            truth = opened.enter_context(open_truth(orthophoto, code))
            place = first * len(rows[0])
            writer = opened.enter_context(open_writer(folder, orthophoto.name, place))
            cut = partial(_cut_row, image_raster, truth, kind_of, writer, params.size)
            parts.append(pool.submit(_cut_rows, cut, rows[first:last]))
        counts = [count for part in parts for count in part.result()]
    return _patches(orthophoto, cells, split_of, counts, params)


def _cut_rows(
    cut: Callable[[Sequence[Cell]], list[Counts]], rows: Sequence[Sequence[Cell]]
) -> list[Counts]:
    return [count for row in rows for count in cut(row)]


def _cut_row(
    image_raster: DatasetReader,
    truth: TruthRasters,
    kind_of: Mapping[int, Kind],
    writer: PatchWriter,
    size: int,
    cells: Sequence[Cell],
) -> list[Counts]:
    """Write the patches of a row of cells and count their pixels.

    The row is read as a whole, since the strips or tiles of a file extend over many cells.
    """
    corner = cells[0].window
    side = corner.width
    row = Window(0, corner.row_off, side * len(cells), side)
    image = read_rgb(image_raster, row)
    masks = {kind: truth.read(row, kind) for kind in {kind_of[cell.number] for cell in cells}}
    ids = (*range(truth.code.classes), NO_TRUTH)
    counts = []
    for cell, column in zip(cells, range(0, row.width, side), strict=True):
        inside = slice(column, column + side)
        mask = masks[kind_of[cell.number]]
        patch = _write_resampled(writer, image[:, inside], mask[:, inside], size)
        counts.append([int(np.count_nonzero(patch == id_)) for id_ in ids])
    return counts


def _write_resampled(
    writer: PatchWriter, image: NDArray[np.uint8], mask: NDArray[np.uint8], size: int
) -> NDArray[np.uint8]:
    if len(mask) != size:
        image = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
        # EXACT takes the pixel under the centre, as INTER_AREA does; INTER_NEAREST is off by half.
        mask = cv2.resize(mask, (size, size), interpolation=cv2.INTER_NEAREST_EXACT)  # type: ignore[assignment]
    writer.append(image, mask)
    return mask


def _gsd(orthophoto: Orthophoto, params: Tile) -> float | None:
    """Return the size of a patch's pixel on the ground in metres, None where it is unknown."""
    transform = Affine(*orthophoto.transform)
    try:
        size = ground_size(orthophoto.crs, transform, orthophoto.width, orthophoto.height)
    except ValueError as error:  # training needs no georeference
        print(f"{orthophoto.image}: pixel size unknown: {error}")
        return None
    if size is None:
        return None
    return round(math.sqrt(math.prod(size)) * params.source_size / params.size, 6)


def _patches(
    orthophoto: Orthophoto,
    cells: Sequence[Cell],
    split_of: Mapping[int, str],
    counts: Sequence[Counts],
    params: Tile,
) -> list[Patch]:
    gsd = _gsd(orthophoto, params)
    scale = Affine.scale(params.source_size / params.size)
    patches = []
    for index, (cell, (*of_classes, no_truth)) in enumerate(zip(cells, counts, strict=True)):
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
                gsd=gsd,
                counts=tuple(of_classes),
                no_truth=no_truth,
            )
        )
    return patches


def _check_labels(source: Source, folder: Path, params: Tile) -> None:
    if params.train_truth == "labels" and not any(item.labels for item in source.orthophotos):
        raise ValueError(
            f"{folder}: train_truth is labels, but no orthophoto had any in labels/ "
            "when the download stage indexed it: dvc repro --force --single-item download@DATASET"
        )


def _check_splits(patches: Sequence[Patch]) -> None:
    sizes = {name: sum(patch.split == name for patch in patches) for name in split.SPLITS}
    if not all(sizes.values()):
        raise ValueError(
            f"tile: an empty split: {sizes} patches; change split, val, test or split_seed in the "
            "tile section"
        )
