"""Cut the orthophotos of a source into patches, in the splits of an experiment."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from partialseg.core.files import new_folder
from partialseg.source.index import Source, check_unchanged, read_index
from partialseg.source.mask_code import UnknownValueError
from partialseg.tiling import split
from partialseg.tiling.assignment import assign_splits, wanted_splits
from partialseg.tiling.cut import Cutter, Shares
from partialseg.tiling.imagery import imagery_of
from partialseg.tiling.layout import Layout, layout_of
from partialseg.tiling.params import Tile
from partialseg.tiling.patches import Patch, Summary, write_manifest
from partialseg.tiling.truth import unknown_values

MANY_PLAIN = 0.05  # share of an orthophoto; less may be shade, white roofs or a stretch
SEVERAL = 0  # as source_size of a store whose orthophotos have cells of different sides


def tile(source_folder: Path, out: Path, params: Tile) -> list[Patch]:
    """Cut the cells of every orthophoto into the patch store `out`.

    Raises:
        ValueError: an orthophoto is smaller than a cell, its files are damaged or hold an unknown
            class, a mask or all labels are missing, or a split is empty.
    """
    source = read_index(source_folder)
    _check_labels(source, source_folder, params)
    layouts = {
        item.name: layout_of(item, source.reading.gsd, params) for item in source.orthophotos
    }
    assigned = assign_splits(source, layouts, source_folder, params)
    sides = {layout.side for layout in layouts.values()}
    summary = Summary(
        size=params.size,
        source_size=sides.pop() if len(sides) == 1 else SEVERAL,
        class_names=source.legend.names,
        palette=source.legend.palette,
        imagery=imagery_of(source),
    )
    code = source.legend.code()
    patches: list[Patch] = []
    with new_folder(out) as folder:
        cutter = Cutter(code=code, reading=source.reading, params=params, folder=folder)
        shares: dict[str, Shares] = {}
        for orthophoto in source.orthophotos:
            check_unchanged(orthophoto)
            try:
                cut, shares[orthophoto.name] = cutter.cut(
                    orthophoto, layouts[orthophoto.name], assigned
                )
            except UnknownValueError:
                raise ValueError(unknown_values(source.orthophotos, code)) from None
            patches += cut
        _check_splits(patches, wanted_splits(params))
        write_manifest(folder, summary, patches)
    _tell_holes({name: item.holes for name, item in shares.items()})
    _tell_plain({name: item.plain for name, item in shares.items()})
    _tell_dropped(layouts)
    return patches


def _tell_holes(holes: Mapping[str, float]) -> None:
    """Print on which share of their cells' pixels orthophotos have no image."""
    named = [name for name, share in holes.items() if share]
    if named:
        most = max(named, key=holes.__getitem__)
        print(
            f"{len(named)} of {len(holes)} orthophotos have pixels without an image, which have no "
            f"truth either; {most} has most: {holes[most]:.1%} of its cells"
        )


def _tell_plain(plain: Mapping[str, float]) -> None:
    """Print which share of the cells is black or white, if it is so large that it may be none."""
    named = [name for name, share in plain.items() if share >= MANY_PLAIN]
    if named:
        most = max(named, key=plain.__getitem__)
        print(
            f"{len(named)} of {len(plain)} orthophotos have a truth where they are wholly black or "
            f"white; {most} has most: {plain[most]:.1%} of its cells. If there is no image, the "
            "file must say so (rio edit-info --nodata 0 FILE), or this is learnt and scored"
        )


def _tell_dropped(layouts: Mapping[str, Layout]) -> None:
    """Print which share of the orthophotos lies in partial cells, which are not cut."""
    dropped = {name: 1 - layout.share for name, layout in layouts.items() if layout.share < 1}
    if dropped:
        most = max(dropped, key=dropped.__getitem__)
        print(
            f"{len(dropped)} of {len(layouts)} orthophotos lie partly in cells that their right or "
            f"lower border cuts, which are left out (partial_cells: pad keeps them); {most} loses "
            f"most: {dropped[most]:.1%}"
        )


def _check_labels(source: Source, folder: Path, params: Tile) -> None:
    if params.train_truth == "labels" and not any(item.labels for item in source.orthophotos):
        raise ValueError(
            f"{folder}: train_truth is labels, but no orthophoto had any in labels/ "
            "when the download stage indexed it: dvc repro --force --single-item download@DATASET"
        )


def _check_splits(patches: Sequence[Patch], wanted: Sequence[str]) -> None:
    sizes = {name: sum(patch.split == name for patch in patches) for name in split.SPLITS}
    if not all(sizes[name] for name in wanted):
        raise ValueError(
            f"tile: an empty split: {sizes} patches; change split, val, test or split_seed in the "
            "tile section"
        )
