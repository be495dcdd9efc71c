"""The methods for the unlabelled pixels, as a learner calls them."""

import copy
import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from partialseg.engine.ranks import ALONE
from partialseg.models.unet import UNet
from partialseg.training.learner import Learner
from partialseg.training.methods.build import MethodName, build_method
from partialseg.training.methods.gated_crf import gated_crf
from partialseg.training.methods.method import Heads, Part, Stateless
from partialseg.training.methods.pseudo_labels import PseudoLabels
from small_run import CPU, METHODS, Lookup, red_image, train_params

# Red 0 is class 0 with probability 3/4, red 1 is class 1, red 2 is either.
TABLE = torch.tensor([[0.75, 0.25], [0.25, 0.75], [0.5, 0.5]]).log().tolist()
IMAGE = red_image([[0, 1], [2, 2]])
LABELS = torch.tensor([[0, -1], [-1, 1]])
SURE = [[math.log(0.9), math.log(0.1)], [math.log(0.9), math.log(0.1)], [0.0, 0.0]]


NO_LABELS = torch.full((2, 2), -1)


def part_of(
    network: nn.Module, scored: nn.Module, step: int = 0, labels: Tensor = LABELS, side: int = 1
) -> Part:
    """Return the part of an image, each of whose pixels is repeated to a square of that side."""

    def forward(images: Tensor) -> Heads:
        return (network(CPU.to_input(images)),)

    images = IMAGE[None].repeat_interleave(side, dim=2).repeat_interleave(side, dim=3)
    return Part(
        images=images,
        labels=labels[None],
        outputs=forward(images),
        network=forward,
        scored=scored,
        compute=CPU,
        step=step,
        steps=4,
        draw=1,
    )


def gradient(term: Tensor, network: Lookup) -> Tensor:
    (found,) = torch.autograd.grad(term, [network.table])
    return found


def test_pseudo_labels_wait_for_the_second_round() -> None:
    network = Lookup(TABLE)
    method = build_method("pseudo_labels", METHODS, network)
    assert method is not None
    for step in (0, 1):
        assert float(method.term(part_of(network, Lookup(SURE), step))) == 0
        assert method.state() == {"teacher": None}
    assert float(method.term(part_of(network, Lookup(SURE), 2)).detach()) > 0


def test_pseudo_labels_are_what_the_frozen_network_is_sure_of() -> None:
    """It is sure of class 0 for red 0 and 1; of them one pixel is unlabelled, red 1."""
    network = Lookup(TABLE)
    method = build_method("pseudo_labels", METHODS, network)
    assert method is not None
    term = method.term(part_of(network, Lookup(SURE), 2))
    assert float(term.detach()) == pytest.approx(0.75 * math.log(4) / 4)  # over all four pixels
    step = 0.75 * torch.tensor([[0.0, 0.0], [0.25 - 1, 0.75], [0.0, 0.0]]) / 4
    torch.testing.assert_close(gradient(term, network), step)
    # Frozen: what is scored later has no say.
    later = method.term(part_of(network, Lookup(TABLE), 3))
    torch.testing.assert_close(later, term)


@pytest.mark.parametrize("name", ["pseudo_labels", "consistency", "gated_crf"])
def test_nothing_is_learned_where_there_is_no_image(name: MethodName) -> None:
    network = Lookup(TABLE * 128)
    method = build_method(name, METHODS, network)
    assert method is not None
    labels = torch.full((6, 6), -1)
    part = part_of(network, Lookup(SURE * 128), 3, labels=labels, side=3)
    black = replace(part, images=torch.zeros_like(part.images))
    assert float(method.term(part).detach()) > 0
    assert float(method.term(black).detach()) == 0


def test_pseudo_labels_restored_have_the_frozen_network() -> None:
    network = Lookup(TABLE)
    first, second = (build_method("pseudo_labels", METHODS, network) for _ in range(2))
    assert first is not None and second is not None
    expected = first.term(part_of(network, Lookup(SURE), 2))
    second.restore(copy.deepcopy(first.state()))
    torch.testing.assert_close(second.term(part_of(network, Lookup(TABLE), 3)), expected)


def test_consistency_teaches_what_the_average_is_sure_of() -> None:
    """An average that is sure of class 0 moves every pixel, however distorted, towards it."""
    network = Lookup([[0.0, 0.0]] * 256)
    method = build_method("consistency", METHODS, network)
    assert method is not None
    teacher = Lookup([[math.log(0.9), math.log(0.1)]] * 256)
    # The weight of 0.25 has risen by half after one of four steps, and wholly after two.
    for step, weight in ((1, 0.125), (2, 0.25), (3, 0.25)):
        term = method.term(part_of(network, teacher, step, labels=NO_LABELS))
        assert float(term.detach()) == pytest.approx(weight * math.log(2))
        expected = [-weight / 2, weight / 2]
        assert gradient(term, network).sum(dim=0).tolist() == pytest.approx(expected)


def test_consistency_without_a_sure_teacher_is_0() -> None:
    network = Lookup([[0.0, 0.0]] * 256)
    method = build_method("consistency", METHODS, network)
    assert method is not None
    assert float(method.term(part_of(network, network, 3, labels=NO_LABELS)).detach()) == 0


def test_the_teacher_of_consistency_uses_its_running_statistics_and_keeps_them() -> None:
    teacher = UNet(3, 2, 2).train()
    before = {name: value.clone() for name, value in teacher.named_buffers()}
    method = build_method("consistency", METHODS, teacher)
    assert method is not None
    labels = torch.full((16, 16), -1)
    method.term(part_of(Lookup([[0.0, 0.0]] * 256), teacher, 3, labels=labels, side=8))
    assert before
    assert all(torch.equal(value, before[name]) for name, value in teacher.named_buffers())


def test_gated_crf_is_the_weighted_loss_of_the_predictions() -> None:
    network = Lookup(TABLE)
    method = build_method("gated_crf", METHODS, network)
    assert method is not None
    part = part_of(network, network, side=3)
    expected = 0.5 * gated_crf(part.outputs[0], part.images, METHODS.gated_crf)
    assert float(expected.detach()) > 0
    torch.testing.assert_close(method.term(part), expected)


@pytest.mark.parametrize("name", ["pseudo_labels", "consistency", "gated_crf"])
def test_a_method_of_weight_0_computes_nothing(name: MethodName) -> None:
    method = build_method(name, replace(METHODS, **{name: of_weight_0(name)}), Lookup(TABLE))
    assert method is not None
    part = replace(part_of(Lookup(TABLE), Lookup(SURE), 3), outputs=(), images=torch.empty(0))
    assert float(method.term(part)) == 0


def of_weight_0(name: str) -> Any:
    return replace(getattr(METHODS, name), weight=0.0)


def test_no_method_is_none() -> None:
    assert build_method("none", METHODS, Lookup(TABLE)) is None


def test_consistency_needs_an_average() -> None:
    with pytest.raises(ValueError, match=r"method consistency .*ema_decay must be above 0, got 0"):
        train_params(method="consistency")


def test_consistency_needs_two_patches_to_mix() -> None:
    changes = {"method": "consistency", "ema_decay": 0.5, "batch_size": 4}
    train_params(**changes, accumulation=2)
    message = r"\(cutmix 0.5\): batch_size 4 in 4 parts leaves one alone"
    with pytest.raises(ValueError, match=message):
        train_params(**changes, accumulation=2, processes=2)
    still = replace(METHODS, consistency=replace(METHODS.consistency, cutmix=0.0))
    train_params(**changes, accumulation=4, methods=still)


def test_pseudo_labels_need_their_second_round() -> None:
    with pytest.raises(ValueError, match=r"has to be reached: patience must be 0, got 3"):
        train_params(method="pseudo_labels", patience=3)


def steps_of(learner: Learner, numbers: range) -> None:
    for step in numbers:
        draw = torch.Generator().manual_seed(step)
        images = torch.randint(0, 256, (4, 3, 16, 16), dtype=torch.uint8, generator=draw)
        labels = torch.randint(-1, 2, (4, 16, 16), generator=draw).short()
        learner.step(images, labels, 0.01, step, 6)


def learner_of(**changes: Any) -> Learner:
    torch.manual_seed(0)
    sure = PseudoLabels(weight=1.0, threshold=0.0, first_round=0.5)  # random weights are never
    methods = replace(METHODS, pseudo_labels=sure)
    params = train_params(ema_decay=0.5, methods=methods, batch_size=4, select="last", **changes)
    return Learner(UNet(3, 2, 2), None, params, CPU, ALONE, 3)


def weights(learner: Learner) -> Tensor:
    return nn.utils.parameters_to_vector(learner.network.parameters()).detach()


@pytest.mark.slow
@pytest.mark.parametrize("method", ["pseudo_labels", "consistency", "gated_crf"])
@pytest.mark.parametrize("accumulation", [1, 2])
def test_a_restored_learner_goes_on_with_equal_bits(method: str, accumulation: int) -> None:
    changes = {"method": method, "accumulation": accumulation}
    whole, none = learner_of(**changes), learner_of(accumulation=accumulation)
    for learner in (whole, none):
        steps_of(learner, range(6))
    for stop in (2, 4):  # before and after the frozen network of pseudo-labels
        first, second = learner_of(**changes), learner_of(**changes)
        steps_of(first, range(stop))
        second.restore(copy.deepcopy(first.state()))
        steps_of(second, range(stop, 6))
        assert torch.equal(weights(second), weights(whole))
    assert not torch.equal(weights(whole), weights(none))


def test_a_batch_without_labels_still_teaches_a_method() -> None:
    learner = learner_of(method="gated_crf")
    before = weights(learner)
    images = torch.randint(0, 256, (2, 3, 16, 16), dtype=torch.uint8)
    loss, _ = learner.step(images, torch.full((2, 16, 16), -1, dtype=torch.int16), 0.01)
    assert float(loss) > 0
    assert not torch.equal(weights(learner), before)


@pytest.mark.parametrize("accumulation", [2, 3])
def test_a_method_counts_each_image_once_however_they_are_parted(accumulation: int) -> None:
    images = torch.randint(0, 3, (3, 3, 8, 8), dtype=torch.uint8)
    labels = torch.full((3, 8, 8), -1, dtype=torch.int16)
    losses, tables = [], []
    for parts in (1, accumulation):
        network = Lookup(TABLE)
        params = train_params(method="gated_crf", batch_size=3, accumulation=parts)
        loss, _ = Learner(network, None, params, CPU, ALONE, 3).step(images, labels, 0.01)
        losses.append(float(loss))
        tables.append(network.table.detach())
    assert losses[0] > 0
    assert losses[1] == pytest.approx(losses[0])
    torch.testing.assert_close(tables[1], tables[0])


class Recorder(Stateless):
    """A method that adds nothing and writes down the seeds of its draws."""

    def __init__(self) -> None:
        self.draws: list[int] = []

    def term(self, part: Part) -> Tensor:
        self.draws.append(part.draw)
        return part.zero()


def test_every_part_of_every_step_has_draws_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    recorders = []
    for seed in (3, 3, 4):
        recorder = Recorder()
        recorders.append(recorder)
        monkeypatch.setattr(
            "partialseg.training.learner.build_method", lambda *_, made=recorder: made
        )
        params = train_params(batch_size=4, accumulation=2)
        steps_of(Learner(UNet(3, 2, 2), None, params, CPU, ALONE, seed), range(3))
    first, again, other = (recorder.draws for recorder in recorders)
    assert again == first
    assert len({*first, *other}) == len(first) + len(other) == 12
