import pytest

from partialseg.mapping.orthophoto import nearest
from partialseg.tiling.patches import distinct


def test_close_distances_are_one() -> None:
    """LandCover.ai: 0.25 m and 0.5 m, each stretched a little by the projection."""
    assert distinct([0.5, 0.2502, None, 0.2499, 0.2501, 0.5004]) == [0.2501, 0.5004]


def test_the_tolerance_counts_from_the_smallest_of_a_group() -> None:
    assert distinct([1.0, 1.019, 1.021]) == [1.019, 1.021]


def test_nothing_known_gives_nothing() -> None:
    assert distinct([None, None]) == []


@pytest.mark.parametrize(
    ("distance", "chosen"), [(0.1, 0.3), (0.3, 0.3), (0.42, 0.3), (0.43, 0.6), (5.0, 0.6)]
)
def test_the_nearest_is_the_one_of_the_smaller_ratio(distance: float, chosen: float) -> None:
    """Half-way between 0.3 and 0.6 is their geometric mean, 0.4243."""
    assert nearest([0.3, 0.6], distance) == chosen
