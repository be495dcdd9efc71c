import copy
import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from partialseg.engine.compute import Compute
from partialseg.engine.ranks import ALONE
from partialseg.models.unet import UNet
from partialseg.training.learner import Learner
from small_run import CPU, Lookup, red_image, train_params

# Red 0 is class 0 with probability 3/4, red 1 is class 1.
TABLE = torch.tensor([[0.75, 0.25], [0.25, 0.75]]).log().tolist()
RIGHT, WRONG = math.log(4 / 3), math.log(4)  # loss of a pixel
Batch = tuple[Tensor, Tensor]
FIRST = (red_image([[0, 0], [1, 1]]), torch.tensor([[0, -1], [-1, 1]], dtype=torch.int16))
SECOND = (red_image([[1, 0], [0, 0]]), torch.tensor([[0, -1], [-1, -1]], dtype=torch.int16))
NONE = (FIRST[0], torch.full((2, 2), -1, dtype=torch.int16))


def batch_of(*patches: Batch) -> Batch:
    images, labels = zip(*patches, strict=True)
    return torch.stack(images), torch.stack(labels)


def learner_of(network: nn.Module, class_weights: Tensor | None = None, **changes: Any) -> Learner:
    learner = Learner(network, class_weights, train_params(**changes), CPU, ALONE, 3)
    # Plain gradient descent: its step is the gradient itself.
    learner.optimizer = torch.optim.SGD(network.parameters(), lr=1.0)
    return learner


def same_weights(first: nn.Module, second: nn.Module) -> bool:
    ours, theirs = first.state_dict(), second.state_dict()
    return all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_a_step_goes_down_the_gradient() -> None:
    network = Lookup(TABLE)
    loss, norm = learner_of(network).step(*batch_of(FIRST), 1.0)
    step = torch.tensor([[0.25, -0.25], [-0.25, 0.25]]) / 2  # (one-hot - softmax) / 2 labelled
    torch.testing.assert_close(network.table.data, torch.tensor(TABLE) + step)
    assert float(loss) == pytest.approx(RIGHT)
    assert float(norm) == pytest.approx(0.25)  # the root of 4 times 1/8 squared


def test_the_learning_rate_is_that_of_the_step() -> None:
    network = Lookup(TABLE)
    learner_of(network).step(*batch_of(FIRST), 0.5)
    step = torch.tensor([[0.25, -0.25], [-0.25, 0.25]]) / 4
    torch.testing.assert_close(network.table.data, torch.tensor(TABLE) + step)


def test_a_step_has_the_weights_of_the_classes() -> None:
    learner = learner_of(Lookup(TABLE), torch.tensor([3.0, 1.0]))
    loss, _ = learner.step(*batch_of(FIRST, SECOND), 0.0)
    assert float(loss) == pytest.approx((3 * RIGHT + RIGHT + 3 * WRONG) / 3)


def test_gradients_do_not_add_up_over_steps() -> None:
    one, two = learner_of(Lookup(TABLE)), learner_of(Lookup(TABLE))
    one.step(*batch_of(SECOND), 0.0)
    for learner in (one, two):
        learner.step(*batch_of(FIRST), 1.0)
    assert same_weights(one.network, two.network)


def test_a_batch_without_labels_changes_nothing() -> None:
    network = Lookup(TABLE)
    loss, norm = learner_of(network).step(*batch_of(NONE), 1.0)
    assert (float(loss), float(norm)) == (0.0, 0.0)
    assert torch.equal(network.table.data, torch.tensor(TABLE))


def test_a_step_is_in_training_mode() -> None:
    network = Lookup(TABLE).eval()
    learner_of(network).step(*batch_of(FIRST), 0.0)
    assert network.training


@pytest.mark.parametrize("accumulation", [2, 3, 4])
def test_parts_give_the_step_of_the_whole_batch(accumulation: int) -> None:
    """2, 1, 0 and 2 labelled pixels: a mean of the parts' losses would be another."""
    batch = batch_of(FIRST, SECOND, NONE, FIRST)
    whole, parts = Lookup(TABLE), Lookup(TABLE)
    loss, norm = learner_of(whole).step(*batch, 1.0)
    sizes: list[int] = []
    parts.register_forward_pre_hook(lambda _, inputs: sizes.append(len(inputs[0])))
    in_parts = learner_of(parts, batch_size=4, accumulation=accumulation)
    loss_of_parts, norm_of_parts = in_parts.step(*batch, 1.0)
    assert len(sizes) == accumulation and sum(sizes) == 4
    assert float(loss) == pytest.approx((4 * RIGHT + WRONG) / 5)
    torch.testing.assert_close(loss_of_parts, loss)
    torch.testing.assert_close(norm_of_parts, norm)
    torch.testing.assert_close(parts.table, whole.table)


def test_without_an_average_the_network_is_scored() -> None:
    learner = learner_of(Lookup(TABLE))
    assert learner.scored is learner.network


def test_the_scored_weights_are_the_moving_average() -> None:
    network = Lookup(TABLE)
    learner = learner_of(network, ema_decay=0.75)
    seen = []
    for patches in ([FIRST], [SECOND], [FIRST, SECOND]):
        learner.step(*batch_of(*patches), 1.0)
        seen.append(network.table.detach().clone())
    # The first weights start the average.
    expected = 0.75 * (0.75 * seen[0] + 0.25 * seen[1]) + 0.25 * seen[2]
    torch.testing.assert_close(learner.scored.table.data, expected)
    assert not torch.equal(network.table.data, expected)


def test_the_average_has_averaged_statistics_of_batchnorm() -> None:
    torch.manual_seed(0)
    learner = learner_of(UNet(3, 2, 2), ema_decay=0.5)
    means = []
    for _ in range(2):
        images = torch.randint(0, 256, (2, 3, 16, 16), dtype=torch.uint8)
        labels = torch.randint(0, 2, (2, 16, 16), dtype=torch.int16)
        learner.step(images, labels, 0.1)
        means.append(learner.network.stem[1].running_mean.clone())
    torch.testing.assert_close(learner.scored.stem[1].running_mean, (means[0] + means[1]) / 2)


def steps_of(learner: Learner, count: int, seed: int = 1) -> None:
    draw = torch.Generator().manual_seed(seed)
    for _ in range(count):
        images = torch.randint(0, 256, (2, 3, 16, 16), dtype=torch.uint8, generator=draw)
        labels = torch.randint(-1, 2, (2, 16, 16), dtype=torch.int16, generator=draw)
        learner.step(images, labels, 0.01)


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["adam", "adamw", "muon"])
@pytest.mark.parametrize("ema_decay", [0.0, 0.9])
def test_a_restored_learner_goes_on_as_if_never_stopped(optimizer: str, ema_decay: float) -> None:
    torch.manual_seed(0)
    changes = {"optimizer": optimizer, "ema_decay": ema_decay}
    network = UNet(3, 2, 2)
    never = Learner(network, None, train_params(**changes), CPU, ALONE, 3)
    steps_of(never, 2)
    state = copy.deepcopy(never.state())
    steps_of(never, 2, seed=2)
    torch.manual_seed(5)
    again = Learner(UNet(3, 2, 2), None, train_params(**changes), CPU, ALONE, 3)
    again.restore(state)
    steps_of(again, 2, seed=2)
    assert same_weights(again.network, never.network)
    assert same_weights(again.scored, never.scored)


def test_the_state_is_of_plain_types(tmp_path: Any) -> None:
    learner = Learner(UNet(3, 2, 2), None, train_params(ema_decay=0.9), CPU, ALONE, 3)
    steps_of(learner, 1)
    torch.save(learner.state(), tmp_path / "state.pt")
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    assert sorted(state) == ["average", "method", "network", "optimizer", "scaler"]


def test_the_network_is_compiled_where_the_parameter_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compiled: list[nn.Module] = []
    monkeypatch.setattr(nn.Module, "compile", lambda self: compiled.append(self))
    network = Lookup(TABLE)
    Learner(network, None, train_params(compile=True), CPU, ALONE, 3)
    assert compiled == [network]
    Learner(network, None, train_params(), CPU, ALONE, 3)
    assert len(compiled) == 1


def test_bfloat16_keeps_the_weights_in_float32() -> None:
    torch.manual_seed(0)
    compute = Compute(torch.device("cpu"), torch.bfloat16)
    learner = Learner(UNet(3, 2, 2), None, train_params(), compute, ALONE, 3)
    steps_of(learner, 1)
    assert all(weight.dtype == torch.float32 for weight in learner.network.parameters())


FLOAT16 = Compute(torch.device("cpu"), torch.float16)


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "muon"])
def test_a_step_that_overflows_float16_changes_no_weight_and_halves_the_scale(
    optimizer: str,
) -> None:
    torch.manual_seed(0)
    learner = Learner(UNet(3, 2, 2), None, train_params(optimizer=optimizer), FLOAT16, ALONE, 3)
    learner.scaler.load_state_dict(learner.scaler.state_dict() | {"scale": 2.0**40})
    before = {name: value.clone() for name, value in learner.network.named_parameters()}
    images = torch.randint(0, 256, (2, 3, 16, 16), dtype=torch.uint8)
    labels = torch.randint(0, 2, (2, 16, 16), dtype=torch.int16)
    loss, norm = learner.step(images, labels, 0.01)
    assert math.isfinite(float(loss)) and not math.isfinite(float(norm))
    assert learner.scaler.get_scale() == 2.0**39
    assert all(torch.equal(before[n], value) for n, value in learner.network.named_parameters())


def test_a_gradient_that_overflows_float16_in_the_head_alone_stops_muon_too() -> None:
    torch.manual_seed(0)
    learner = Learner(UNet(3, 2, 2), None, train_params(optimizer="muon"), FLOAT16, ALONE, 3)
    head = learner.network.head.weight
    head.register_hook(lambda gradient: torch.full_like(gradient, math.inf))
    before = {name: value.clone() for name, value in learner.network.named_parameters()}
    images = torch.randint(0, 256, (2, 3, 16, 16), dtype=torch.uint8)
    learner.step(images, torch.zeros(2, 16, 16).short(), 0.01)
    assert all(torch.equal(before[n], value) for n, value in learner.network.named_parameters())


def test_the_norm_is_that_of_the_unscaled_gradient_and_the_scale_is_restored() -> None:
    norms = []
    for scale in (1.0, 2.0**10):
        torch.manual_seed(0)
        learner = Learner(UNet(3, 2, 2), None, train_params(), FLOAT16, ALONE, 3)
        learner.scaler.load_state_dict(learner.scaler.state_dict() | {"scale": scale})
        images = torch.randint(0, 256, (2, 3, 16, 16), dtype=torch.uint8)
        norms.append(float(learner.step(images, torch.zeros(2, 16, 16).short(), 0.01)[1]))
    assert norms[0] == pytest.approx(norms[1], rel=0.05)
    again = Learner(UNet(3, 2, 2), None, train_params(), FLOAT16, ALONE, 3)
    again.restore(learner.state())
    assert again.scaler.get_scale() == 2.0**10
