import math

import pytest
import torch

from partialseg.training.loop import Health


def watch(*steps: tuple[float, float], scaled: bool = False) -> Health:
    health = Health(3, scaled, "lower it")
    for loss, norm in steps:
        health.add(torch.tensor(loss), torch.tensor(norm))
    health.finish()
    return health


def test_sound_steps_are_counted() -> None:
    health = watch((1.0, 2.0), (0.5, 0.0), (0.0, 1e30))
    assert (health.steps, health.skipped) == (3, 0)


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize(("value", "text"), [(math.nan, "nan"), (math.inf, "inf")])
def test_a_loss_that_is_not_finite_stops(value: float, text: str, scaled: bool) -> None:
    message = (
        rf"^epoch 3, step 3: the training loss is {text} \(the step before: 0\.25\); lower it$"
    )
    with pytest.raises(ValueError, match=message):
        watch((1.0, 1.0), (0.25, 1.0), (value, 1.0), scaled=scaled)


def test_a_first_loss_that_is_not_finite_has_none_before() -> None:
    with pytest.raises(ValueError, match=r"^epoch 3, step 1: the training loss is nan; lower it$"):
        watch((math.nan, math.nan))


def test_a_gradient_that_is_not_finite_stops() -> None:
    message = r"^epoch 3, step 2: the loss is 0\.5, but its gradient is not finite; lower it$"
    with pytest.raises(ValueError, match=message):
        watch((1.0, 1.0), (0.5, math.inf))


def test_a_step_is_looked_at_when_the_next_is_on_its_way() -> None:
    health = Health(1, False, "")
    health.add(torch.tensor(math.nan), torch.tensor(1.0))
    with pytest.raises(ValueError, match="step 1: the training loss is nan"):
        health.add(torch.tensor(1.0), torch.tensor(1.0))


def test_overflows_of_float16_are_counted() -> None:
    health = watch((1.0, math.inf), (1.0, 1.0), (1.0, math.nan), scaled=True)
    assert (health.steps, health.skipped) == (3, 2)


def test_an_epoch_of_overflows_alone_stops_if_it_has_many() -> None:
    assert watch(*[(1.0, math.inf)] * 19, scaled=True).skipped == 19
    message = r"^epoch 3, steps 1-20: every gradient overflowed float16 .* bfloat16 or float32$"
    with pytest.raises(ValueError, match=message):
        watch(*[(1.0, math.inf)] * 20, scaled=True)
