"""Blocks whose activations are computed again in the backward pass."""

import copy

import pytest
import torch
from torch import Tensor, nn

from partialseg.engine.ranks import ALONE
from partialseg.models.blocks import recompute_activations
from partialseg.models.build import ARCHITECTURES, build_network
from partialseg.training.learner import Learner
from small_run import CPU, train_params

architectures = pytest.mark.parametrize("architecture", ARCHITECTURES)


def pair(architecture: str) -> tuple[nn.Module, nn.Module]:
    """Return two equal networks, the second of which computes its activations again."""
    torch.manual_seed(0)
    plain = build_network(architecture, 3, 5, 4, deep_supervision=True)
    recomputed = copy.deepcopy(plain)
    recompute_activations(recomputed)
    return plain, recomputed


def loss_of(network: nn.Module) -> Tensor:
    outputs = network(torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1)))
    heads = outputs if isinstance(outputs, tuple) else (outputs,)
    return torch.stack([head.square().mean() for head in heads]).sum()


def bytes_kept(network: nn.Module) -> int:
    """Return the bytes that autograd keeps for the backward pass of a step."""
    kept = 0

    def count(tensor: Tensor) -> Tensor:
        nonlocal kept
        kept += tensor.numel() * tensor.element_size()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        loss_of(network)
    return kept


@pytest.mark.slow
@architectures
def test_losses_gradients_and_statistics_are_equal_to_the_last_bit(architecture: str) -> None:
    plain, recomputed = pair(architecture)
    for _ in range(2):
        losses = [loss_of(network) for network in (plain, recomputed)]
        for loss in losses:
            loss.backward()
        assert torch.equal(*losses)
    for ours, theirs in zip(recomputed.parameters(), plain.parameters(), strict=True):
        assert ours.grad is not None and theirs.grad is not None
        assert torch.equal(ours.grad, theirs.grad)
    state = plain.state_dict()
    for name, ours in recomputed.state_dict().items():
        assert torch.equal(ours, state[name]), name
    assert {int(v) for k, v in state.items() if k.endswith("num_batches_tracked")} == {2}


@architectures
def test_less_than_half_is_kept(architecture: str) -> None:
    plain, recomputed = pair(architecture)
    assert bytes_kept(recomputed) < 0.5 * bytes_kept(plain)


@architectures
def test_evaluation_keeps_activations_as_before(architecture: str) -> None:
    plain, recomputed = (network.eval() for network in pair(architecture))
    assert bytes_kept(recomputed) == bytes_kept(plain)


def test_the_parameter_reaches_the_blocks() -> None:
    for checkpointing in (False, True):
        plain, _ = pair("unet")
        params = train_params(checkpointing=checkpointing, ema_decay=0.5)
        network = Learner(plain, None, params, CPU, ALONE, 3).network
        assert {b.recomputed for b in network.modules() if hasattr(b, "recomputed")} == {
            checkpointing
        }
