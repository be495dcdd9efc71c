"""The runs of the comparison: its axes, where the files of a run lie, and names for people."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from partialseg.core.params import load_section

DISPLAY_NAMES: Mapping[str, str] = {"unet": "UNet", "unetplusplus": "UNet++"}


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A cell of the comparison: all that its runs, one for each seed, have in common.

    An architecture, trained by a recipe on a fraction of the labels; split says which patches are
    for training, validation and test, labelling how the labels are drawn. fraction is spelt as in
    dvc.yaml, because it is part of file names.
    """

    split: str
    fraction: str
    labelling: str
    architecture: str
    recipe: str

    @property
    def label_fraction(self) -> float:
        """The fraction as a number."""
        return float(self.fraction)

    def identity(self) -> dict[str, str | float]:
        """Return its axes as the details and the table name them, the fraction as a number."""
        return {
            "split": self.split,
            "label_fraction": self.label_fraction,
            "labelling": self.labelling,
            "architecture": self.architecture,
            "recipe": self.recipe,
        }


AXES = tuple(field.name for field in fields(Cell))


@dataclass(frozen=True, kw_only=True)
class Run:
    """One training: a cell, and the seed of its labels, initial weights and training order."""

    cell: Cell
    seed: int

    @property
    def path(self) -> str:
        """The relative path of its folder and, with a suffix, of its metrics: 'main/…/unet-…'."""
        cell = self.cell
        name = f"{cell.architecture}-{cell.fraction}-{cell.recipe}-{self.seed}"
        return f"{cell.split}/{cell.labelling}/{name}"

    def identity(self) -> dict[str, str | float]:
        """Return its axes and seed as the details name them."""
        return self.cell.identity() | {"seed": self.seed}


def labels_folder(data: Path, item: Run) -> Path:
    """Return the folder of the labels of a run, as in dvc.yaml."""
    cell = item.cell
    return data / cell.split / "labels" / f"{cell.labelling}-{cell.fraction}-{item.seed}"


@dataclass(frozen=True, kw_only=True)
class RunFiles:
    """The files of the results of a run: headline scores, all details, some predictions."""

    scores: Path
    detail: Path
    predictions: Path


def run_files(runs: Path, metrics: Path, item: Run) -> RunFiles:
    """Return the files of the results of a run, as in dvc.yaml."""
    return RunFiles(
        scores=metrics / f"{item.path}.json",
        detail=metrics / "detail" / f"{item.path}.json",
        predictions=runs / item.path / "predictions.npz",
    )


def listed_runs(
    splits: Sequence[str],
    fractions: Sequence[str],
    labellings: Sequence[str],
    architectures: Sequence[str],
    recipes: Sequence[str],
    seeds: Sequence[int],
) -> list[Run]:
    """Return the runs of a table in its order: fractions by value, each spelling once.

    Raises:
        ValueError: a fraction is not a number.
    """
    ordered = sorted(set(fractions), key=_number)
    axes = splits, ordered, labellings, architectures, recipes
    return [
        Run(cell=Cell(**dict(zip(AXES, values, strict=True))), seed=seed)
        for *values, seed in itertools.product(*axes, seeds)
    ]


def _number(fraction: str) -> float:
    try:
        return float(fraction)
    except ValueError:
        raise ValueError(f"label fraction {fraction!r}: not a number") from None


def load_listed_runs(params_file: Path, fractions: Sequence[str]) -> list[Run]:
    """Return the runs at the fractions and those of the sweep, along the axes of a params file.

    Raises:
        ValueError: the file cannot be read, or an axis is missing or no list.
    """
    # Numbers as they are written, since DVC names files by that spelling.
    sweep = load_section(params_file, "sweep", list[int | float])
    return _runs_along(params_file, [*fractions, *map(str, sweep)], "labellings")


def load_strategy_runs(params_file: Path, fraction: str) -> list[Run]:
    """Return the runs of all strategies, of the rounds up to a label fraction.

    Raises:
        ValueError: the file cannot be read, an axis is missing or no list, or no round ends there.
    """
    # As they are written, since that is how DVC names files by them.
    rounds = load_section(params_file, "rounds", list[dict[str, int | float]])
    if any("fraction" not in item for item in rounds):
        raise ValueError(f"{params_file}: rounds: each needs a fraction, got {rounds}")
    fractions = [str(item["fraction"]) for item in rounds]
    if fraction not in fractions:
        raise ValueError(f"{params_file}: rounds: none ends at the label fraction {fraction}")
    return _runs_along(params_file, fractions[: fractions.index(fraction) + 1], "strategies")


def _runs_along(params_file: Path, fractions: Sequence[str], labellings: str) -> list[Run]:
    """Return the runs at the fractions, with the labellings that the file lists by that name."""
    return listed_runs(
        load_section(params_file, "splits", list[str]),
        fractions,
        load_section(params_file, labellings, list[str]),
        load_section(params_file, "architectures", list[str]),
        load_section(params_file, "recipes", list[str]),
        load_section(params_file, "seeds", list[int]),
    )


def is_main(cell: Cell, first: Cell) -> bool:
    """Whether a cell has the split and the labelling of the first cell listed.

    A figure or text that cannot show all cells is limited to these.
    """
    return (cell.split, cell.labelling) == (first.split, first.labelling)


def architecture_name(architecture: str) -> str:
    """Return the name of an architecture as in its paper; an unknown one is returned unchanged."""
    return DISPLAY_NAMES.get(architecture, architecture)


def percent(fraction: float) -> str:
    """Return a fraction as text: 0.005 is '0.5 %', 1.0 is '100 %'."""
    return f"{100 * fraction:g} %"


def share(value: float) -> str:
    """Return a measured share as text of three digits: 0.00123 is '0.123 %'."""
    return f"{100 * value:.3g} %"


def cell_names(cells: Sequence[Cell]) -> dict[Cell, str]:
    """Return names of cells that are shown together: 'UNet++ 10 %, points, tuned, main'.

    Labelling, recipe and split are left out where all cells have the same.
    """
    axes = ("labelling", "recipe", "split")
    several = [axis for axis in axes if len({getattr(cell, axis) for cell in cells}) > 1]
    return {
        cell: ", ".join(
            [
                f"{architecture_name(cell.architecture)} {percent(cell.label_fraction)}",
                *(getattr(cell, axis) for axis in several),
            ]
        )
        for cell in cells
    }
