"""The runs that params.yaml lists."""

from collections.abc import Sequence
from pathlib import Path

from partialseg.params import load_section
from partialseg.run import Run, listed_runs


def load_listed_runs(params_file: Path, fractions: Sequence[str]) -> list[Run]:
    """Return the runs at the fractions and those of the sweep, along the axes of a params file.

    Raises:
        ValueError: the file cannot be read, or an axis is missing or no list.
    """
    # As they are written, since that is how DVC names files by them.
    sweep = load_section(params_file, "sweep", list[int | float])
    return listed_runs(
        load_section(params_file, "splits", list[str]),
        [*fractions, *map(str, sweep)],
        load_section(params_file, "labellings", list[str]),
        load_section(params_file, "architectures", list[str]),
        load_section(params_file, "recipes", list[str]),
        load_section(params_file, "seeds", list[int]),
    )
