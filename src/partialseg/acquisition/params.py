"""The section acquire of params.yaml."""

from typing import Literal

from pydantic import NonNegativeInt, PositiveInt
from pydantic.dataclasses import dataclass

from partialseg.core.params import STRICT
from partialseg.engine.compute import Precision

Strategy = Literal["random", "class_balanced", "entropy", "margin", "core_set"]
Unit = Literal["pixel", "region"]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Acquire:
    """How the pixels to label next are chosen: by which strategy, one by one or by windows.

    region is the side of a window in px. batch_size, precision, threads (on a CPU) and workers
    concern the prediction of the training patches, which all strategies but 'random' choose by.
    """

    strategy: Strategy
    unit: Unit
    region: PositiveInt
    batch_size: PositiveInt
    precision: Precision
    threads: PositiveInt
    workers: NonNegativeInt
