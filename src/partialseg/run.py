"""Which runs there are: the axes of the comparison."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, fields


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A cell of the comparison: all that its runs, one a seed, have in common.

    An architecture, trained by a recipe on a fraction of the labels, where split says which
    patches are for training, validation and test, and labelling how the labels are drawn. fraction
    is spelt as in dvc.yaml, because it is a part of names of files.
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
        """Return what the details and the table say of it."""
        return {
            "split": self.split,
            "label_fraction": self.label_fraction,
            "labelling": self.labelling,
            "architecture": self.architecture,
            "recipe": self.recipe,
        }


def is_main(cell: Cell, first: Cell) -> bool:
    """Whether a cell has the split and the labelling of the first one listed.

    What has no room for all cells shows those.
    """
    return (cell.split, cell.labelling) == (first.split, first.labelling)


AXES = tuple(field.name for field in fields(Cell))


@dataclass(frozen=True, kw_only=True)
class Run:
    """One training: a cell, and the seed of its label masks, weights and training order."""

    cell: Cell
    seed: int

    @property
    def path(self) -> str:
        """The relative path of its folder and, with an ending, of its files: 'main/…/unet-…'."""
        cell = self.cell
        name = f"{cell.architecture}-{cell.fraction}-{cell.recipe}-{self.seed}"
        return f"{cell.split}/{cell.labelling}/{name}"

    def identity(self) -> dict[str, str | float]:
        """Return what the details say of it."""
        return self.cell.identity() | {"seed": self.seed}


def listed_runs(
    splits: Sequence[str],
    fractions: Sequence[str],
    labellings: Sequence[str],
    architectures: Sequence[str],
    recipes: Sequence[str],
    seeds: Sequence[int],
) -> list[Run]:
    """Return the runs of a table in its order; fractions are ordered by value, equal ones once."""
    ordered = sorted(set(fractions), key=float)
    axes = splits, ordered, labellings, architectures, recipes
    return [
        Run(cell=Cell(**dict(zip(AXES, values, strict=True))), seed=seed)
        for *values, seed in itertools.product(*axes, seeds)
    ]
