"""The top level of params.yaml, which says what experiment is run."""

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field
from pydantic.dataclasses import dataclass

from partialseg.core.params import STRICT

Architecture = Literal["unet", "unetplusplus"]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]  # becomes part of file names


def _spelled(value: object) -> object:
    if value == 1 and isinstance(value, int):
        raise ValueError("write 1.0, since DVC names runs and files by the spelling")
    return value


Fraction = Annotated[float, Field(gt=0, le=1), BeforeValidator(_spelled)]


Seed = Annotated[int, Field(ge=0, lt=2**32)]  # NumPy's global seed takes 32 bits


AXES = (
    "sweep",
    "seeds",
    "splits",
    "labellings",
    "architectures",
    "recipes",
    "strategies",
    "tested_on",
)


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Sections:
    """The parameters of a data set, by stage."""

    download: dict[str, object]
    tile: dict[str, object]
    splits: dict[Name, dict[str, object]]
    label: dict[str, object]
    labellings: dict[Name, dict[str, object]]
    acquire: dict[str, object]
    strategies: dict[Name, dict[str, object]]
    train: dict[str, object]
    recipes: dict[Name, dict[str, object]]
    evaluate: dict[str, object]
    transfer: Annotated[dict[str, object], Field(default_factory=dict)]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Round:
    """A round of active learning, which buys labels from the fraction `after` up to `fraction`."""

    after: Fraction
    fraction: Fraction

    def __post_init__(self) -> None:
        if self.fraction <= self.after:
            raise ValueError(
                f"fraction must be larger than after, got {self.fraction} after {self.after}"
            )


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Experiment:
    """A data set, its label fractions (the headline, a sweep), and the axes of the comparison.

    strategies and rounds are those of active learning; it is off where both are empty. tested_on
    lists other data sets that the networks are tested on.
    datasets holds the sections of the data sets, whose content sections.py checks.
    """

    dataset: Name
    label_fraction: Fraction
    sweep: tuple[Fraction, ...]
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)]
    splits: Annotated[tuple[Name, ...], Field(min_length=1)]
    labellings: Annotated[tuple[Name, ...], Field(min_length=1)]
    architectures: Annotated[tuple[Architecture, ...], Field(min_length=1)]
    recipes: Annotated[tuple[Name, ...], Field(min_length=1)]
    strategies: tuple[Name, ...]
    rounds: tuple[Round, ...]
    tested_on: tuple[Name, ...]
    datasets: dict[Name, Sections]

    def __post_init__(self) -> None:
        for axis in AXES:
            values = getattr(self, axis)
            if len(set(values)) != len(values):
                raise ValueError(f"{axis} must differ, got {list(values)}")
        again = {self.label_fraction} & {*self.sweep}
        if again:
            raise ValueError(f"sweep holds the label_fraction, {again.pop()}, again")
        if self.dataset not in self.datasets:
            known = ", ".join(self.datasets)
            raise ValueError(f"dataset {self.dataset!r} has no section under datasets ({known})")
        for name in self.tested_on:
            if name == self.dataset or name not in self.datasets:
                known = ", ".join(other for other in self.datasets if other != self.dataset)
                raise ValueError(
                    f"tested_on: should be data sets other than {self.dataset} ({known}), got "
                    f"{name!r}"
                )
        for axis in ("splits", "labellings", "recipes", "strategies"):
            known = getattr(self.datasets[self.dataset], axis)
            for name in getattr(self, axis):
                if name not in known:
                    raise ValueError(
                        f"{axis}: {name!r} is not in datasets.{self.dataset}.{axis} "
                        f"({', '.join(known)})"
                    )
        self._check_drawn(self.datasets[self.dataset])
        self._check_rounds()

    def _check_drawn(self, sections: Sections) -> None:
        """Check that annotations by a person are used only by the splits whose truth they are.

        Strategies ask for further labels, which only masks can give.
        """
        drawn = [
            name
            for name in self.labellings
            if (sections.label | sections.labellings[name]).get("pattern") == "drawn"
        ]
        for split in self.splits:
            truth = (sections.tile | sections.splits[split]).get("train_truth")
            if drawn and truth != "labels":
                raise ValueError(
                    f"labellings: {drawn[0]!r} needs splits whose train_truth is labels, and that "
                    f"of {split!r} is {truth}"
                )
            if self.strategies and truth == "labels":
                raise ValueError(
                    f"strategies: they buy labels of masks, and train_truth of {split!r} is labels"
                )

    def _check_rounds(self) -> None:
        if bool(self.strategies) != bool(self.rounds):
            raise ValueError(
                "strategies and rounds belong together, got "
                f"{len(self.strategies)} strategies and {len(self.rounds)} rounds"
            )
        for name in self.strategies:
            if name in self.labellings:
                raise ValueError(
                    f"strategies: {name!r} is in labellings, too, and files are named by both"
                )
        for before, item in pairwise(self.rounds):
            if item.after != before.fraction:
                raise ValueError(
                    f"rounds: the round up to {item.fraction} is after {item.after}, "
                    f"but the one before ends at {before.fraction}"
                )
