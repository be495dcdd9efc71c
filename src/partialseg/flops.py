"""What a forward pass costs."""

import copy

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


def forward_gflop(network: nn.Module, size: int) -> float:
    """Return the 10^9 floating-point operations of one image of size x size px.

    A multiplication and an addition count as two; convolutions alone are counted, as torch does.
    """
    shapes = copy.deepcopy(network).to("meta")  # there nothing is computed
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        shapes(torch.empty(1, 3, size, size, device="meta"))
    return counter.get_total_flops() / 1e9
