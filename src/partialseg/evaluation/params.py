"""The section evaluate of params.yaml: how runs are scored."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated

from pydantic import AfterValidator, NonNegativeInt, PositiveFloat, PositiveInt
from pydantic.dataclasses import dataclass

from partialseg.core.params import STRICT
from partialseg.engine.compute import Precision


def _ascending(values: tuple[float, ...]) -> tuple[float, ...]:
    if any(low >= high for low, high in pairwise(values)):
        raise ValueError("should be strictly ascending")
    return values


Ascending = Annotated[tuple[PositiveFloat, ...], AfterValidator(_ascending)]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Spatial:
    """How borders and objects are scored.

    boundary_ratio is the distance of Boundary IoU as a share of a patch's diagonal; tolerances are
    those of the boundary F1 score; objects is the class whose single objects are counted ('':
    none), and object_areas the limits of the ranges of their area, in m2, or in px where the pixel
    size is unknown.
    """

    boundary_ratio: PositiveFloat
    tolerances_px: Ascending
    tolerances_m: Ascending
    objects: str
    object_areas: Ascending

    def object_class(self, class_names: Sequence[str]) -> int | None:
        """Return the id of the class whose objects are counted, None for none.

        Raises:
            ValueError: there is no such class.
        """
        if not self.objects:
            return None
        if self.objects not in class_names:
            raise ValueError(
                f"objects: should be one of the classes {', '.join(class_names)}, or '' for none, "
                f"got {self.objects!r}"
            )
        return list(class_names).index(self.objects)


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Evaluate:
    """How runs are scored.

    The predictions of panel_patches test patches are saved for the figure, and for each class those
    of its `examples` best and worst ones; calibration_bins is the number of bins of the confidence,
    threads that of the threads on a CPU.
    """

    batch_size: PositiveInt
    precision: Precision
    threads: PositiveInt
    workers: NonNegativeInt
    panel_patches: PositiveInt
    examples: NonNegativeInt
    calibration_bins: PositiveInt
    spatial: Spatial
