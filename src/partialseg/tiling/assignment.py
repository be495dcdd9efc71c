"""Which split each cell belongs to, by the method that the section tile asks for."""

from collections.abc import Mapping
from pathlib import Path

from partialseg.source.index import Source
from partialseg.tiling import split
from partialseg.tiling.ground import ground_groups, tell_groups
from partialseg.tiling.layout import Layout
from partialseg.tiling.params import GROUND, NONE, HeldOut, Tile


def assign_splits(
    source: Source, layouts: Mapping[str, Layout], source_folder: Path, params: Tile
) -> split.Assignment:
    """Return the split of each cell by its name; official lists may leave cells out.

    Raises:
        ValueError: a list is missing or wrong, patterns contradict each other or the groups,
            shares leave nothing for training, or places are needed and unknown.
    """
    cells_of = {name: layout.names(name) for name, layout in layouts.items()}
    test = 0.0 if params.test == NONE else params.test
    shares = _share(params.val), _share(test)
    match params.split:
        case "official":
            return split.official(source_folder, cells_of, wanted_splits(params))
        case "random":
            cells = [cell for names in cells_of.values() for cell in names]
            return split.by_share(cells, params.split_seed, *shares)
        case "orthophoto":
            assigned: split.Assignment = {}
        case "pattern":
            patterns = {"val": _patterns(params.val), "test": _patterns(test)}
            assigned = split.by_pattern(list(cells_of), patterns)
    if params.groups == GROUND:
        group_of = ground_groups(source.orthophotos)
        tell_groups(group_of)
        assigned = split.spread(assigned, group_of)
    else:
        group_of = split.named_groups(list(cells_of), params.groups)
    rest = {name: group_of[name] for name in cells_of if name not in assigned}
    if any(shares):
        assigned |= split.by_group(rest, params.split_seed, *shares)
    else:
        assigned |= dict.fromkeys(rest, "train")
    return {cell: assigned[name] for name, names in cells_of.items() for cell in names}


def wanted_splits(params: Tile) -> tuple[str, ...]:
    """Return the splits that must not be empty."""
    return split.SPLITS[:2] if params.test == NONE else split.SPLITS


def _share(value: HeldOut) -> float:
    return value if isinstance(value, float) else 0.0


def _patterns(value: HeldOut) -> tuple[str, ...]:
    if isinstance(value, float):
        return ()
    return (value,) if isinstance(value, str) else value
