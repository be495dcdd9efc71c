"""Which runs there are: the axes of the comparison."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Run:
    """Which run: an architecture, trained by a recipe on a fraction of the labels.

    fraction is spelt as in dvc.yaml, because it is a part of names of files.
    """

    architecture: str
    fraction: str
    recipe: str

    @property
    def label_fraction(self) -> float:
        """The fraction as a number."""
        return float(self.fraction)

    @property
    def folder(self) -> str:
        """The name of its folder and, with an ending, of its files: 'unet-0.1-tuned'."""
        return f"{self.architecture}-{self.fraction}-{self.recipe}"

    def identity(self) -> dict[str, str | float]:
        """Return what the details and the table say of it."""
        return {
            "label_fraction": self.label_fraction,
            "architecture": self.architecture,
            "recipe": self.recipe,
        }


def listed_runs(
    fractions: Sequence[str], architectures: Sequence[str], recipes: Sequence[str]
) -> list[Run]:
    """Return the runs of a table in its order; fractions are ordered by value, equal ones once."""
    ordered = sorted(set(fractions), key=float)
    return [
        Run(architecture=architecture, fraction=fraction, recipe=recipe)
        for fraction, architecture, recipe in itertools.product(ordered, architectures, recipes)
    ]
