"""How benchmarks/seeds_needed.py predicts intervals."""

import numpy as np
import pytest

import seeds_needed
from partialseg.comparison.intervals import half_width
from seeds_needed import Parts


def test_the_parts_of_a_table_by_hand() -> None:
    # Seeds add -1 and 1, orthophotos -3, 0 and 3, and both together +-0.5 in two orthophotos.
    of_seeds, of_orthophotos = np.array([[-1.0], [1.0]]), np.array([-3.0, 0.0, 3.0])
    table = of_seeds + of_orthophotos + np.array([[0.5, 0, -0.5], [-0.5, 0, 0.5]])
    parts = seeds_needed.parts_of(table)
    # The rest has 4 squares of 0.25, and (2 - 1) * (3 - 1) degrees of freedom.
    assert parts.both == pytest.approx(0.5)
    assert parts.seed == pytest.approx(2 - 0.5 / 3)
    assert parts.orthophoto == pytest.approx(9 - 0.5 / 2)


def test_a_part_is_never_negative() -> None:
    parts = seeds_needed.parts_of(np.array([[1.0, -1.0], [-1.0, 1.0]]))
    assert parts == Parts(seed=0.0, orthophoto=0.0, both=4.0)


@pytest.mark.parametrize(
    ("of_seed", "of_orthophoto", "adding"), [(1, 1, 2), (1, 0, 1), (0, 1, 1), (0, 0, 0)]
)
def test_with_the_numbers_at_hand_the_width_is_that_of_the_table(
    of_seed: int, of_orthophoto: int, adding: int
) -> None:
    rng = np.random.default_rng(5)
    table = of_seed * rng.normal(size=(8, 1)) + of_orthophoto * rng.normal(size=(1, 18))
    both = rng.normal(size=(8, 18)) / 2
    table = table + both - both.mean(axis=0) - both.mean(axis=1, keepdims=True)
    parts = seeds_needed.parts_of(table)
    assert (parts.seed > 0) + (parts.orthophoto > 0) == adding
    assert seeds_needed.half_width(parts, 8, 18) == pytest.approx(half_width([table]))


def test_seeds_that_would_do() -> None:
    of_seeds = Parts(seed=0.01**2, orthophoto=0.0, both=0.0)
    # Student's quantiles: 2.5706 of 5 degrees of freedom, 2.4469 of 6; / 6**0.5 and / 7**0.5.
    assert seeds_needed.half_width(of_seeds, 6, 10) == pytest.approx(0.010494, abs=1e-6)
    assert seeds_needed.half_width(of_seeds, 7, 10) == pytest.approx(0.009249, abs=1e-6)
    assert seeds_needed.seeds_for(0.01, of_seeds, 10) == 7
    # Of orthophotos alone, more seeds change nothing: 0.02 / 10**0.5 times 2.2622.
    of_orthophotos = Parts(seed=0.0, orthophoto=0.02**2, both=0.0)
    assert seeds_needed.seeds_for(0.0142, of_orthophotos, 10) is None
    assert seeds_needed.seeds_for(0.0144, of_orthophotos, 10) == 2
