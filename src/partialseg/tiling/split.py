"""Split cells or orthophotos into those for training, validation and test."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePath
from typing import Literal

SPLITS = ("train", "val", "test")
SplitMethod = Literal["official", "orthophoto", "random", "pattern"]
Assignment = dict[str, str]  # the split of each cell or orthophoto, by its name


def official(lists: Path, names: Mapping[str, Sequence[str]], splits: Sequence[str]) -> Assignment:
    """Assign cell names by the lists train.txt, val.txt and test.txt in the folder `lists`.

    A list names cells, or orthophotos for all cells of theirs, as files or without a suffix. names
    are those of the cells by orthophoto. Cells that no list holds are left out.

    Raises:
        ValueError: a list is missing, names an unknown cell, or two lists name the same one.
    """
    known = {name: list(cells) for name, cells in names.items()}
    known |= {cell: [cell] for cells in names.values() for cell in cells}
    assigned: Assignment = {}
    for split in splits:
        file = lists / f"{split}.txt"
        if not file.is_file():
            raise ValueError(f"{file}: missing; the split 'official' needs the lists of the source")
        for name in filter(None, map(str.strip, file.read_text("utf-8").splitlines())):
            cells = known.get(name) or known.get(PurePath(name).stem)
            if cells is None:
                raise ValueError(
                    f"{file}: no full cell is named {name!r}, and no orthophoto; lists name both, "
                    "cells of source_size px (those of LandCover.ai: 512)"
                )
            for cell in cells:
                if cell in assigned:
                    raise ValueError(
                        f"{file}: {name!r} is listed twice (also for {assigned[cell]})"
                    )
                assigned[cell] = split
    return assigned


def by_share(names: Sequence[str], seed: int, val: float, test: float) -> Assignment:
    """Assign shares of the names at random: round(share * count) each, at least one if share > 0.

    The names are ordered by SHA-256 over (seed, name): the order is the same on any machine, and a
    further name does not change that of the others.

    Raises:
        ValueError: nothing is left for training.
    """
    order = sorted(names, key=lambda name: hashlib.sha256(f"{seed}/{name}".encode()).digest())
    count_val, count_test = (
        max(1, round(share * len(order))) if share else 0 for share in (val, test)
    )
    if count_val + count_test >= len(order):
        raise ValueError(
            f"split: of {len(order)} items {count_val} go to val and {count_test} to test "
            f"(shares {val} and {test}), so none is left for train"
        )
    chosen = dict.fromkeys(order[:count_val], "val")
    chosen |= dict.fromkeys(order[count_val : count_val + count_test], "test")
    return {name: chosen.get(name, "train") for name in names}


def named_groups(names: Sequence[str], groups: str) -> dict[str, str]:
    """Return the group of each name: what the regular expression `groups` finds in it.

    A name in which it finds nothing is a group of its own.
    """
    return {name: _group(name, groups) for name in names}


def by_group(group_of: Mapping[str, str], seed: int, val: float, test: float) -> Assignment:
    """Assign names by shares of their groups, which stay together.

    Raises:
        ValueError: nothing is left for training.
    """
    of_group = by_share(list(dict.fromkeys(group_of.values())), seed, val, test)
    return {name: of_group[group] for name, group in group_of.items()}


def _group(name: str, groups: str) -> str:
    found = re.search(groups, name) if groups else None
    return found[0] if found and found[0] else name


def spread(assigned: Assignment, group_of: Mapping[str, str]) -> Assignment:
    """Assign the rest of each group to the split of those of its names that have one.

    Raises:
        ValueError: names of one group have different splits.
    """
    first_of: dict[str, str] = {}
    for name in assigned:
        first = first_of.setdefault(group_of[name], name)
        if assigned[first] != assigned[name]:
            raise ValueError(
                f"split: {first!r} ({assigned[first]}) and {name!r} ({assigned[name]}) are in one "
                "group (groups), as they share ground, directly or through others"
            )
    return {name: assigned[first_of[of]] for name, of in group_of.items() if of in first_of}


def by_pattern(names: Sequence[str], patterns: Mapping[str, Sequence[str]]) -> Assignment:
    """Assign orthophoto names by shell patterns (`Tile_6_*`) of each split.

    Names that match none are left out.

    Raises:
        ValueError: a name matches patterns of two splits.
    """
    assigned: Assignment = {}
    for split, of_split in patterns.items():
        for pattern in of_split:
            for name in names:
                if not fnmatchcase(name, pattern):
                    continue
                if assigned.get(name, split) != split:
                    raise ValueError(
                        f"split: {name!r} matches both {assigned[name]} "
                        f"{_shown(patterns[assigned[name]])} and {split} {pattern!r}"
                    )
                assigned[name] = split
    return assigned


def _shown(patterns: Sequence[str]) -> str:
    return ", ".join(map(repr, patterns))
