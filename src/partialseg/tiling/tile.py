"""Cut the orthophotos of a source into patches, each with the truth that its split asks for."""

import math
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from itertools import groupby, pairwise
from operator import attrgetter
from pathlib import Path

import numpy as np
from affine import Affine
from rasterio.io import DatasetReader
from rasterio.windows import Window

from partialseg.core.classes import NO_TRUTH
from partialseg.core.files import new_folder
from partialseg.source.bands import colours_of, declared, rgb_bands
from partialseg.source.coverage import EIGHT_BIT, covered, may_have_holes
from partialseg.source.index import Orthophoto, Source, check_unchanged, read_index
from partialseg.source.mask_code import MaskCode, UnknownValueError
from partialseg.source.raster import ground_size, open_raster, read_header, read_rgb
from partialseg.tiling import split
from partialseg.tiling.grid import NO_SPLIT, Cell, cell_name, full_cells
from partialseg.tiling.params import Tile
from partialseg.tiling.patches import (
    Imagery,
    Patch,
    PatchWriter,
    Summary,
    create_arrays,
    open_writer,
    write_manifest,
)
from partialseg.tiling.resampling import resampled_image, resampled_mask
from partialseg.tiling.truth import Kind, TruthRasters, open_truth, truth_kind, unknown_values

THREADS = min(4, os.cpu_count() or 1)  # each holds a row of cells; the disk serves hardly more
# Pixels of each class of a patch, then those without truth; at last those of its cell in the file
# where there is no image.
Counts = list[int]


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
        imagery=Imagery(names=_colours(source.orthophotos)),
    )
    code = source.legend.code()
    patches: list[Patch] = []
    with new_folder(out) as folder:
        holes: dict[str, float] = {}
        for orthophoto in source.orthophotos:
            check_unchanged(orthophoto)
            try:
                cut, holes[orthophoto.name] = cut_orthophoto(
                    orthophoto, code, assigned, params, folder
                )
            except UnknownValueError:
                raise ValueError(unknown_values(source.orthophotos, code)) from None
            patches += cut
        _check_splits(patches)
        write_manifest(folder, summary, patches)
    _tell_holes(holes)
    return patches


def _colours(orthophotos: Sequence[Orthophoto]) -> tuple[str, str, str] | None:
    """Return what the files say that their bands are, None if none does.

    Raises:
        ValueError: two of them say different things.
    """
    said: dict[tuple[str, str, str], Path] = {}
    for orthophoto in orthophotos:
        bands = read_header(orthophoto.image).declared
        colours = colours_of(bands, rgb_bands(bands))
        if colours:
            said.setdefault(colours, orthophoto.image)
    if len(said) > 1:
        (first, file), (second, other) = list(said.items())[:2]
        raise ValueError(
            f"{other}: its bands are {', '.join(second)}, and those of {file} are "
            f"{', '.join(first)}; one network can learn from one kind alone"
        )
    return next(iter(said), None)


def _tell_holes(holes: Mapping[str, float]) -> None:
    """Print on which share of their cells' pixels orthophotos have no image."""
    named = [name for name, share in holes.items() if share]
    if named:
        most = max(named, key=holes.__getitem__)
        print(
            f"{len(named)} of {len(holes)} orthophotos have pixels without an image, which have no "
            f"truth either; {most} has most: {holes[most]:.1%} of its cells"
        )


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
) -> tuple[list[Patch], float]:
    """Cut an orthophoto into the store `folder`; each of THREADS threads cuts some of the rows.

    Where it has no image, the patches are black and have no truth. Returns its patches, and the
    share of their pixels in the file for which that is so.

    Raises:
        UnknownValueError: a mask or labels hold an unknown value.
        ValueError: a file is damaged, or a mask is missing.
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
    holes = sum(count.pop() for count in counts) / (len(cells) * params.source_size**2)
    return _patches(orthophoto, cells, split_of, counts, params), holes


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
    data = None
    bands = rgb_bands(declared(image_raster))
    if may_have_holes(image_raster, bands):
        data = covered(image_raster, bands, image, row, EIGHT_BIT)
    masks = {kind: truth.read(row, kind) for kind in {kind_of[cell.number] for cell in cells}}
    ids = (*range(truth.code.classes), NO_TRUTH)
    counts = []
    for cell, column in zip(cells, range(0, row.width, side), strict=True):
        inside = slice(column, column + side)
        mask = masks[kind_of[cell.number]][:, inside]
        has_data = None if data is None else data[:, inside]
        if has_data is not None:
            mask = np.where(has_data, mask, np.uint8(NO_TRUTH))
        patch = resampled_mask(mask, size)
        writer.append(resampled_image(image[:, inside], has_data, size), patch)
        missing = 0 if has_data is None else int(np.count_nonzero(~has_data))
        counts.append([*(int(np.count_nonzero(patch == id_)) for id_ in ids), missing])
    return counts


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
