import pytest
import torch
from torch import nn

from partialseg.mapping.folding import PixelProduct, fold_batchnorm, heads_as_products
from partialseg.models.build import build_network


def test_a_folded_convolution_has_the_weights_that_are_computed_by_hand() -> None:
    """2 x + 1, then (y - 5) / 4 * 8 + 3 (variance 16 - eps): together 4 x - 5."""
    convolution, norm = nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1)
    network = nn.Sequential(convolution, norm, nn.ReLU()).eval()
    with torch.no_grad():
        convolution.weight.fill_(2)
        convolution.bias.fill_(1)  # type: ignore[union-attr]
        norm.running_mean.fill_(5)  # type: ignore[union-attr]
        norm.running_var.fill_(16 - norm.eps)  # type: ignore[union-attr]
        norm.weight.fill_(8)
        norm.bias.fill_(3)
    fold_batchnorm(network)
    assert [type(module) for module in network] == [nn.Conv2d, nn.Identity, nn.ReLU]
    assert network[0].weight.item() == pytest.approx(4)
    assert network[0].bias.item() == pytest.approx(-5)


def test_a_norm_that_follows_no_convolution_stays() -> None:
    network = nn.Sequential(nn.Conv2d(1, 1, 1), nn.ReLU(), nn.BatchNorm2d(1)).eval()
    fold_batchnorm(network)
    assert [type(module) for module in network] == [nn.Conv2d, nn.ReLU, nn.BatchNorm2d]


@pytest.mark.parametrize("architecture", ["unet", "unetplusplus"])
def test_a_network_without_its_norms_computes_the_same(architecture: str) -> None:
    torch.manual_seed(3)
    network = build_network(architecture, 3, 4, 2).train()
    for _ in range(5):
        network(3 * torch.randn(2, 3, 32, 32) + 1)
    images = torch.randn(2, 3, 48, 32)
    expected = network.eval()(images)
    fold_batchnorm(network)
    assert not [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    assert expected.std() > 0.01
    torch.testing.assert_close(network(images), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("architecture", ["unet", "unetplusplus"])
def test_the_head_is_a_product_that_computes_the_same(architecture: str) -> None:
    torch.manual_seed(3)
    network = build_network(architecture, 3, 4, 2).eval()
    images = torch.randn(2, 3, 48, 32)
    expected = network(images)
    heads_as_products(network)
    kinds = [type(module) for module in network.modules()]
    assert kinds.count(PixelProduct) == 1
    torch.testing.assert_close(network(images), expected, atol=1e-5, rtol=1e-5)


def test_a_product_by_hand() -> None:
    """Two features, 3 and 5: 3 + 2 * 5 + 10 and 0 - 5 + 20."""
    convolution = nn.Conv2d(2, 2, 1)
    with torch.no_grad():
        convolution.weight.copy_(torch.tensor([[1.0, 2.0], [0.0, -1.0]])[..., None, None])
        convolution.bias.copy_(torch.tensor([10.0, 20.0]))  # type: ignore[union-attr]
    features = torch.tensor([3.0, 5.0]).reshape(1, 2, 1, 1)
    assert PixelProduct(convolution)(features).flatten().tolist() == [23, 15]
