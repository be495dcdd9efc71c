"""The top level of params.yaml: which experiment is run."""

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from partialseg.params import STRICT

Dataset = Literal["sample", "landcover_ai", "folder"]
Architecture = Literal["unet", "unetplusplus"]
Recipe = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]  # a part of names of files


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Sections:
    """The parameters of a data set, by stage."""

    download: dict[str, object]
    tile: dict[str, object]
    train: dict[str, object]
    recipes: dict[Recipe, dict[str, object]]
    evaluate: dict[str, object]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Experiment:
    """A data set, the architectures and recipes compared, the headline label fraction, the seed.

    datasets holds the sections of the data sets; what is in them their stages check.
    """

    dataset: Dataset
    label_fraction: Annotated[float, Field(gt=0, le=1)]
    seed: Annotated[int, Field(ge=0, lt=2**32)]  # NumPy's global seed takes 32 bits
    architectures: Annotated[tuple[Architecture, ...], Field(min_length=1)]
    recipes: Annotated[tuple[Recipe, ...], Field(min_length=1)]
    datasets: dict[Dataset, Sections]

    def __post_init__(self) -> None:
        for axis in ("architectures", "recipes"):
            values = getattr(self, axis)
            if len(set(values)) != len(values):
                raise ValueError(f"{axis} must differ, got {list(values)}")
        if self.dataset not in self.datasets:
            raise ValueError(f"dataset {self.dataset!r} has no section under datasets")
        known = self.datasets[self.dataset].recipes
        for recipe in self.recipes:
            if recipe not in known:
                raise ValueError(
                    f"recipes: {recipe!r} is not in datasets.{self.dataset}.recipes "
                    f"({', '.join(known)})"
                )
