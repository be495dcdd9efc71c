"""Split cells or orthophotos into those for training, validation and test."""

import hashlib
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

SPLITS = ("train", "val", "test")
SplitMethod = Literal["official", "orthophoto", "random", "pattern"]
Assignment = dict[str, str]  # the split of each cell or orthophoto, by its name


def official(lists: Path, names: Sequence[str]) -> Assignment:
    """Assign cell names by the lists train.txt, val.txt and test.txt in the folder `lists`.

    Names that no list holds are left out.

    Raises:
        ValueError: a list is missing, names an unknown cell, or two lists name the same one.
    """
    known = set(names)
    assigned: Assignment = {}
    for split in SPLITS:
        file = lists / f"{split}.txt"
        if not file.is_file():
            raise ValueError(f"{file}: missing; the split 'official' needs the lists of the source")
        for name in filter(None, map(str.strip, file.read_text("utf-8").splitlines())):
            if name not in known:
                raise ValueError(
                    f"{file}: no full cell is named {name!r}; lists name cells of source_size px "
                    "(those of LandCover.ai: 512)"
                )
            if name in assigned:
                raise ValueError(f"{file}: {name!r} is listed twice (also for {assigned[name]})")
            assigned[name] = split
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


def by_pattern(names: Sequence[str], val: str, test: str) -> Assignment:
    """Assign orthophoto names by shell patterns (`Tile_6_*`); what matches neither is for training.

    Raises:
        ValueError: a name matches both patterns.
    """
    assigned: Assignment = {}
    for name in names:
        in_val, in_test = fnmatchcase(name, val), fnmatchcase(name, test)
        if in_val and in_test:
            raise ValueError(f"split: {name!r} matches both val {val!r} and test {test!r}")
        assigned[name] = "val" if in_val else "test" if in_test else "train"
    return assigned
