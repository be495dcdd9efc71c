"""The top level of params.yaml: which experiment is run."""

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from partialseg.params import STRICT

Dataset = Literal["sample", "landcover_ai", "folder"]
Architecture = Literal["unet", "unetplusplus"]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Sections:
    """The parameters of a data set, by stage."""

    download: dict[str, object]
    tile: dict[str, object]
    train: dict[str, object]
    evaluate: dict[str, object]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Experiment:
    """A data set, the architectures that are compared, the headline label fraction, the seed.

    datasets holds the sections of the data sets; what is in them their stages check.
    """

    dataset: Dataset
    label_fraction: Annotated[float, Field(gt=0, le=1)]
    seed: Annotated[int, Field(ge=0, lt=2**32)]  # NumPy's global seed takes 32 bits
    architectures: Annotated[tuple[Architecture, ...], Field(min_length=1)]
    datasets: dict[Dataset, Sections]

    def __post_init__(self) -> None:
        if len(set(self.architectures)) != len(self.architectures):
            raise ValueError(f"architectures must differ, got {list(self.architectures)}")
        if self.dataset not in self.datasets:
            raise ValueError(f"dataset {self.dataset!r} has no section under datasets")
