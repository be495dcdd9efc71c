"""The test patches of a data set, cut at the pixel size of another data set's network."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rasterio.windows import Window

from partialseg.source.index import Orthophoto, Source, check_unchanged, read_index
from partialseg.source.mask_code import UnknownValueError
from partialseg.tiling import split
from partialseg.tiling.assignment import assign_splits, wanted_splits
from partialseg.tiling.cut import Cutter
from partialseg.tiling.grid import Cell
from partialseg.tiling.imagery import imagery_of
from partialseg.tiling.layout import Layout
from partialseg.tiling.params import Tile
from partialseg.tiling.patches import Patch, PatchStore, Summary, write_manifest
from partialseg.tiling.tile import SEVERAL
from partialseg.tiling.truth import unknown_values
from partialseg.transfer.params import Transfer, check_tile
from partialseg.transfer.pixel_size import Files, PixelSizes, layouts_at

TEST = "test"


@dataclass(frozen=True, kw_only=True)
class OtherSet:
    """A data set that networks of another one are tested on: its source and its sections."""

    dataset: str
    source: Path
    tile: Tile
    transfer: Transfer


@dataclass(frozen=True, kw_only=True)
class CutPatches:
    """A store with the test patches of a data set; of so many orthophotos the size is assumed."""

    store: PatchStore
    assumed: int


def cut_test_patches(other: OtherSet, sizes: PixelSizes, size: int, folder: Path) -> CutPatches:
    """Cut the test orthophotos of a data set into patches of `size` px, into a store.

    Their pixels have the size of a network's, whatever the section tile says; partial cells are
    padded, so that small orthophotos count, too.

    Raises:
        ValueError: no orthophoto is for the test, a pixel size is unknown, or a file is damaged.
    """
    source = read_index(other.source)
    orthophotos = held_out_orthophotos(source, other)
    source = replace(source, orthophotos=tuple(orthophotos))
    files = Files(
        dataset=other.dataset,
        stated_gsd=source.reading.gsd,
        assumed_gsd=other.transfer.assumed_gsd,
    )
    layouts, assumed = layouts_at(orthophotos, files, sizes, size, other.tile)
    how = replace(other.tile, source_size=size, gsd=None, size=size, train_truth="masks")
    summary = Summary(
        size=size,
        source_size=SEVERAL,
        class_names=source.legend.names,
        palette=source.legend.palette,
        imagery=imagery_of(source),
    )
    cutter = Cutter(code=source.legend.code(), reading=source.reading, params=how, folder=folder)
    write_manifest(folder, summary, _cut(cutter, source, layouts))
    return CutPatches(store=PatchStore(folder), assumed=assumed)


def _cut(cutter: Cutter, source: Source, layouts: dict[str, Layout]) -> list[Patch]:
    patches: list[Patch] = []
    for item in source.orthophotos:
        check_unchanged(item)
        layout = layouts[item.name]
        try:
            cut, _ = cutter.cut(item, layout, dict.fromkeys(layout.names(item.name), TEST))
        except UnknownValueError:
            raise ValueError(unknown_values(source.orthophotos, cutter.code)) from None
        patches += cut
    return patches


def held_out_orthophotos(source: Source, other: OtherSet) -> Sequence[Orthophoto]:
    """Return the orthophotos that the split of the section transfer holds out for the test.

    Raises:
        ValueError: the split holds out cells, or nothing for the test.
    """
    where = f"datasets.{other.dataset}.splits.{other.transfer.split}"
    names = [item.name for item in source.orthophotos]
    try:
        check_tile(other.tile)
        if other.tile.split == "official":
            lists = {name: [name] for name in names}
            assigned = split.official(other.source, lists, wanted_splits(other.tile))
        else:
            whole = {name: _one_cell() for name in names}
            of_cells = assign_splits(source, whole, other.source, other.tile)
            assigned = {name: of_cells[whole[name].names(name)[0]] for name in names}
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error
    found = [item for item in source.orthophotos if assigned.get(item.name) == TEST]
    if not found:
        raise ValueError(f"{where}: holds out no orthophoto for the test")
    return found


def _one_cell() -> Layout:
    """Return a layout in which an orthophoto is one cell, as splits of whole ones need it."""
    cell = Cell(number=0, row=0, column=0, window=Window(0, 0, 1, 1))
    return Layout(side=1, gsd=None, cells=(cell,), share=1.0)
