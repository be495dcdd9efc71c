import pytest
import torch
from torch import nn

from partialseg.evaluation.model_card import forward_gflop
from partialseg.models.build import build_network


def test_a_convolution_by_hand() -> None:
    # 8 x 8 pixels, 5 outputs of 3 x 3 x 3 products each, a multiplication and an addition
    network = nn.Conv2d(3, 5, 3, padding=1)
    assert forward_gflop(network, 8) == pytest.approx(64 * 5 * 27 * 2 / 1e9, rel=1e-12)


def test_the_network_stays_as_it_was() -> None:
    network = build_network("unet", 3, 4, 2, False)
    before = [weight.clone() for weight in network.parameters()]
    forward_gflop(network, 32)
    assert all(torch.equal(*pair) for pair in zip(before, network.parameters(), strict=True))


@pytest.mark.slow
def test_unetplusplus_of_the_report_costs_two_and_a_half_unets() -> None:
    unet, nested = (
        forward_gflop(build_network(name, 3, 5, 8, False), 384) for name in ("unet", "unetplusplus")
    )
    assert nested / unet == pytest.approx(2.5, abs=0.1)
