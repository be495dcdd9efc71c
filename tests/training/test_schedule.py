import math

import pytest
import torch

from partialseg.training.learner import learning_rate_factor
from partialseg.training.params import Schedule


def factors(schedule: Schedule, warmup: float, steps: int) -> list[float]:
    return [learning_rate_factor(schedule, warmup, step, steps) for step in range(steps)]


def test_constant_is_one_throughout() -> None:
    assert factors("constant", 0.0, 5) == [1.0] * 5


def test_the_warm_up_is_linear_and_trains_from_the_first_step() -> None:
    assert factors("constant", 0.4, 10) == [0.25, 0.5, 0.75, *[1.0] * 7]
    # Half a step of warm-up is none; 2.5 steps end with the third.
    assert factors("constant", 0.05, 10) == [1.0] * 10
    assert factors("constant", 0.25, 10) == pytest.approx([0.4, 0.8, *[1.0] * 8])


def test_cosine_falls_from_one_towards_zero() -> None:
    root = math.sqrt(0.5)
    expected = [1, (1 + root) / 2, 0.5, (1 - root) / 2]
    assert factors("cosine", 0.0, 4) == pytest.approx(expected)
    assert factors("cosine", 0.5, 8) == pytest.approx([0.25, 0.5, 0.75, 1.0, *expected])


@pytest.mark.parametrize(("warmup", "steps"), [(0.3, 100), (0.1, 348), (0.5, 7), (0.25, 40)])
def test_one_cycle_is_that_of_torch(warmup: float, steps: int) -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    reference = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=1.0, total_steps=steps, pct_start=warmup, cycle_momentum=False
    )
    expected = []
    for _ in range(steps):
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        reference.step() if len(expected) < steps else None
    assert factors("one_cycle", warmup, steps) == pytest.approx(expected)


@pytest.mark.parametrize("warmup", [0.0, 0.01, 0.3, 0.99, 1.0])
@pytest.mark.parametrize("schedule", ["constant", "cosine", "one_cycle"])
@pytest.mark.parametrize("steps", [1, 2, 10])
def test_every_factor_is_above_zero_and_at_most_one(
    schedule: Schedule, warmup: float, steps: int
) -> None:
    assert all(0 < factor <= 1 for factor in factors(schedule, warmup, steps))
