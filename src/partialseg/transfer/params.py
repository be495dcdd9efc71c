"""The section transfer of params.yaml: what the classes of a data set are on another one."""

from collections.abc import Sequence
from pathlib import Path

from pydantic import PositiveFloat
from pydantic.dataclasses import dataclass

from partialseg.core.params import STRICT, load_section
from partialseg.tiling.params import NONE, Tile

COMMON = ("background", "building", "woodland", "water", "road")
IGNORE = "ignore"


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Transfer:
    """What the classes of a data set are called in common with other data sets.

    Each of its classes is listed under one common class, or under `ignore`: such a class has no
    counterpart. split is the entry of its `splits` whose test orthophotos the networks of other
    data sets are tested on. assumed_gsd is the pixel size in metres that is assumed for its files,
    where neither they nor the section download tell one.
    """

    split: str
    assumed_gsd: PositiveFloat | None = None
    background: tuple[str, ...] = ()
    building: tuple[str, ...] = ()
    woodland: tuple[str, ...] = ()
    water: tuple[str, ...] = ()
    road: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()

    def common_ids(self, class_names: Sequence[str]) -> tuple[int | None, ...]:
        """Return the place in COMMON of each class, None for one that is ignored.

        Raises:
            ValueError: a class is listed nowhere or twice, an unknown one is listed, or all are
                ignored.
        """
        listed = [(name, key) for key in (*COMMON, IGNORE) for name in getattr(self, key)]
        names = [name for name, _ in listed]
        for name in class_names:
            if names.count(name) != 1:
                raise ValueError(
                    f"each class must be listed once, under {', '.join(COMMON)} or {IGNORE}; "
                    f"{name!r} is listed {names.count(name)} times"
                )
        unknown = [name for name in names if name not in class_names]
        if unknown:
            raise ValueError(
                f"{unknown[0]!r} is no class of the data set ({', '.join(class_names)})"
            )
        key_of = dict(listed)
        ids = tuple(
            None if key_of[name] == IGNORE else COMMON.index(key_of[name]) for name in class_names
        )
        if not any(id_ is not None for id_ in ids):
            raise ValueError(f"all classes are listed under {IGNORE}")
        return ids


def load_transfer(
    file: Path, dataset: str, class_names: Sequence[str]
) -> tuple[Transfer, tuple[int | None, ...]]:
    """Return the section transfer of a data set in params.yaml, and the common_ids of its classes.

    Raises:
        ValueError: a key is unknown or missing, or a class is not listed once.
    """
    section = f"datasets.{dataset}.transfer"
    transfer = load_section(file, section, Transfer)
    try:
        return transfer, transfer.common_ids(class_names)
    except ValueError as error:
        raise ValueError(f"{file}: {section}: {error}") from error


def check_tile(tile: Tile) -> None:
    """Check that a split holds out whole orthophotos for the test.

    Patches are cut in a grid of their own, at the pixel size of another network, so the cells that
    a split names or draws do not exist there.

    Raises:
        ValueError: it does not.
    """
    if tile.test == NONE:
        raise ValueError(f"has no test split (test: {NONE})")
    if tile.test == 0.0 and tile.split != "official":
        raise ValueError(
            "holds out no orthophoto for the test (test: 0.0); with test: '*' and val: 0.0 all are"
        )
    if tile.split == "random":
        raise ValueError(
            "holds out cells (random), not whole orthophotos: choose another one as transfer.split"
        )
