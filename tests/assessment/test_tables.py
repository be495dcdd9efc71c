import numpy as np
import pytest

from partialseg.assessment.assess import Assessment, Left
from partialseg.assessment.estimate import estimate
from partialseg.assessment.tables import text


@pytest.mark.parametrize(
    ("counts", "remarks"),
    [
        ([[40, 5], [5, 40]], []),
        ([[40, 5], [5, 20]], ["Fewer than 30 points, so rough intervals: b (25)."]),
        (
            [[60, 0], [4, 40]],
            [
                "Fewer than 5 right or wrong points, so intervals that are too short, of the class "
                "and of all that it is part of: a (0 wrong of 60), b (4 wrong of 44)."
            ],
        ),
        (
            [[40, 5], [40, 4]],
            [
                "Fewer than 5 right or wrong points, so intervals that are too short, of the class "
                "and of all that it is part of: b (40 wrong of 44)."
            ],
        ),
    ],
)
def test_samples_whose_intervals_are_rough_or_too_short_are_named(
    counts: list[list[int]], remarks: list[str]
) -> None:
    table = np.array(counts)
    shown = text(
        Assessment(
            class_names=("a", "b"),
            counts=table,
            accuracy=estimate(table, np.array([0.5, 0.5])),
            area_m2=None,
            pixel_ratio=1.0,
            left_out=Left(unlabelled=0, outside=0),
        )
    )
    assert shown.split("± are 95 % intervals.")[1].split("\n\n")[1:] == remarks
