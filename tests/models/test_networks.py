import inspect
from itertools import pairwise
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from partialseg.models.blocks import level_widths
from partialseg.models.build import ARCHITECTURES, build_network, count_parameters
from partialseg.models.unet import UNet
from partialseg.models.unetplusplus import UNetPlusPlus

SIDES = (16, 17, 48, 100)
NODES = [(i, j) for i in range(5) for j in range(5 - i)]  # X(i, j) of the UNet++ paper

architectures = pytest.mark.parametrize("architecture", ARCHITECTURES)


def small(architecture: str, deep_supervision: bool = False, seed: int = 0) -> nn.Module:
    """Return a network of 4 channels and 5 classes with running statistics of its own."""
    torch.manual_seed(seed)
    network = build_network(architecture, 3, 5, 4, deep_supervision)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-0.1, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    return network


def images_of(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


class Spy:
    """Remembers what goes into and comes out of the named modules of a network."""

    def __init__(self, network: nn.Module) -> None:
        self.inputs: dict[str, Tensor] = {}
        self.outputs: dict[str, Tensor] = {}
        for name, module in network.named_modules():
            module.register_forward_hook(self._hook(name))

    def _hook(self, name: str) -> Any:
        def remember(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            self.inputs[name], self.outputs[name] = inputs[0], output

        return remember


# Both architectures


def test_signatures_are_the_fixed_ones() -> None:
    assert [*inspect.signature(UNet).parameters] == ["in_channels", "num_classes", "base_channels"]
    plusplus = inspect.signature(UNetPlusPlus).parameters
    assert [*plusplus] == ["in_channels", "num_classes", "base_channels", "deep_supervision"]
    assert plusplus["deep_supervision"].default is False


def test_the_five_levels_double_their_width() -> None:
    assert level_widths(64) == (64, 128, 256, 512, 1024)
    assert level_widths(3) == (3, 6, 12, 24, 48)


@pytest.mark.slow
@architectures
@pytest.mark.parametrize("height", SIDES)
@pytest.mark.parametrize("width", SIDES)
def test_logits_have_the_size_of_the_images(architecture: str, height: int, width: int) -> None:
    network = small(architecture).eval()
    with torch.no_grad():
        assert network(images_of(2, 3, height, width)).shape == (2, 5, height, width)


@architectures
def test_any_number_of_channels_goes_in(architecture: str) -> None:
    network = build_network(architecture, 4, 2, 2)
    assert network(images_of(2, 4, 32, 16)).shape == (2, 2, 32, 16)


@architectures
@pytest.mark.parametrize(("height", "width"), [(15, 40), (40, 15), (1, 1)])
def test_images_below_16_px_are_refused(architecture: str, height: int, width: int) -> None:
    message = f"image of {height} x {width} px: a side must be at least 16 px"
    with pytest.raises(ValueError, match=message):
        small(architecture)(images_of(1, 3, height, width))


@architectures
@pytest.mark.parametrize(("height", "width"), [(17, 32), (32, 23), (30, 41)])
def test_other_sizes_are_padded_by_repeating_the_edge_and_cropped(
    architecture: str, height: int, width: int
) -> None:
    network = small(architecture).eval()
    images = images_of(2, 3, height, width)
    padded = F.pad(images, (0, -width % 16, 0, -height % 16), mode="replicate")
    with torch.no_grad():
        assert torch.equal(network(images), network(padded)[..., :height, :width])


@pytest.mark.slow
@architectures
@pytest.mark.parametrize("deep_supervision", [False, True])
def test_every_parameter_gets_a_gradient(architecture: str, deep_supervision: bool) -> None:
    network = small(architecture, deep_supervision).train()
    logits = network(images_of(4, 3, 32, 48))
    heads = logits if isinstance(logits, tuple) else (logits,)
    sum((head * images_of(*head.shape, seed=2)).sum() for head in heads).backward()
    for name, weight in network.named_parameters():
        assert weight.grad is not None and weight.grad.isfinite().all(), name
        assert weight.grad.abs().sum() > 0, name


@architectures
def test_equal_seeds_give_equal_networks(architecture: str) -> None:
    first, again, other = (small(architecture, seed=seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


@architectures
def test_in_evaluation_a_result_does_not_depend_on_its_batch(architecture: str) -> None:
    network = small(architecture).eval()
    images = images_of(3, 3, 32, 32)
    with torch.no_grad():
        together = network(images)
        alone = torch.cat([network(image[None]) for image in images])
    torch.testing.assert_close(together, alone)


@architectures
def test_evaluation_changes_no_statistics(architecture: str) -> None:
    network = small(architecture).eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with torch.no_grad():
        network(images_of(2, 3, 32, 32))
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


@architectures
def test_channel_c_of_the_logits_is_class_c(architecture: str) -> None:
    network = small(architecture).eval()
    heads = [module for name, module in network.named_modules() if "head" in name]
    head = next(module for module in heads if isinstance(module, nn.Conv2d))
    nn.init.zeros_(head.weight)
    head.bias.data = torch.arange(5.0)
    with torch.no_grad():
        logits = network(images_of(1, 3, 16, 32))
    assert torch.equal(logits, torch.arange(5.0)[None, :, None, None].expand(1, 5, 16, 32))


@architectures
def test_logits_are_negative_and_positive(architecture: str) -> None:
    logits = small(architecture).eval()(images_of(1, 3, 32, 32))
    assert logits.min() < 0 < logits.max()


def test_an_unknown_architecture_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown architecture 'segnet'; known: unet, unetplusp"):
        build_network("segnet", 3, 5, 64)


def test_the_name_chooses_the_class() -> None:
    assert type(build_network("unet", 3, 5, 2)) is UNet
    plusplus = build_network("unetplusplus", 3, 5, 2, True)
    assert type(plusplus) is UNetPlusPlus and plusplus.deep_supervision is True


def test_parameters_that_are_not_trained_do_not_count() -> None:
    network = build_network("unet", 3, 5, 2)
    before = count_parameters(network)
    network.head.requires_grad_(False)
    assert count_parameters(network) == before - (2 * 5 + 5)


# UNet


def block_parameters(in_channels: int, out_channels: int) -> int:
    """Two 3 x 3 convolutions without bias, each with scale and shift of its BatchNorm."""
    return 9 * in_channels * out_channels + 9 * out_channels**2 + 4 * out_channels


def up_parameters(coarse: int, fine: int) -> int:
    """A 2 x 2 up-convolution with bias."""
    return 4 * coarse * fine + fine


def test_unet_has_the_known_number_of_parameters() -> None:
    with torch.device("meta"):
        network = UNet(3, 5, 64)
    assert count_parameters(network) == 31_037_893


def test_unet_concatenates_skip_and_upsampled_at_each_level() -> None:
    network = small("unet").eval()
    spy = Spy(network)
    network(images_of(1, 3, 32, 48))
    skips = ["stem", "encoder.0", "encoder.1", "encoder.2"]
    coarser = ["decoder.1", "decoder.2", "decoder.3", "encoder.3"]
    for level, width in enumerate(level_widths(4)[:4]):
        skip, upsampled = spy.inputs[f"decoder.{level}"].split(width, dim=1)
        assert skip.shape == (1, width, 32 // 2**level, 48 // 2**level)
        assert torch.equal(skip, spy.outputs[skips[level]])
        assert torch.equal(upsampled, spy.outputs[f"up.{level}"])
        assert torch.equal(spy.inputs[f"up.{level}"], spy.outputs[coarser[level]])
        pooled = F.max_pool2d(spy.outputs[skips[level]], 2)
        assert torch.equal(spy.inputs[f"encoder.{level}"], pooled)


# UNet++


def test_unetplusplus_has_the_nodes_of_the_paper_and_their_dense_inputs() -> None:
    network = UNetPlusPlus(3, 5, 4)
    assert set(network.nodes) == {f"{i}_{j}" for i, j in NODES}
    for (i, j), width in ((node, 4 * 2 ** node[0]) for node in NODES):
        encoder_input = 3 if i == 0 else width // 2
        expected = (j + 1) * width if j else encoder_input
        convolutions = [m for m in network.nodes[f"{i}_{j}"] if isinstance(m, nn.Conv2d)]
        assert [c.in_channels for c in convolutions] == [expected, width], (i, j)
        assert [c.out_channels for c in convolutions] == [width, width], (i, j)


def test_unetplusplus_has_as_many_parameters_as_its_formula() -> None:
    widths = level_widths(64)
    expected = 64 * 5 + 5 + block_parameters(3, 64)
    expected += sum(block_parameters(fine, coarse) for fine, coarse in pairwise(widths))
    for i, j in NODES:
        if j:
            expected += block_parameters((j + 1) * widths[i], widths[i])
            expected += up_parameters(widths[i + 1], widths[i])
    with torch.device("meta"):
        network = UNetPlusPlus(3, 5, 64)
        supervised = UNetPlusPlus(3, 5, 64, deep_supervision=True)
    assert count_parameters(network) == expected
    assert count_parameters(supervised) == expected + 3 * (64 * 5 + 5)


def test_each_node_receives_all_nodes_left_of_it_and_the_upsampled_one_below() -> None:
    network = small("unetplusplus").eval()
    spy = Spy(network)
    network(images_of(1, 3, 32, 48))
    for i, j in ((i, j) for i, j in NODES if j):
        width = 4 * 2**i
        parts = spy.inputs[f"nodes.{i}_{j}"].split(width, dim=1)
        assert len(parts) == j + 1
        assert parts[0].shape == (1, width, 32 // 2**i, 48 // 2**i)
        for k in range(j):
            assert torch.equal(parts[k], spy.outputs[f"nodes.{i}_{k}"]), (i, j, k)
        assert torch.equal(parts[j], spy.outputs[f"up.{i}_{j}"]), (i, j)
        assert torch.equal(spy.inputs[f"up.{i}_{j}"], spy.outputs[f"nodes.{i + 1}_{j - 1}"])


def test_the_encoder_pools_the_level_above() -> None:
    network = small("unetplusplus").eval()
    spy, images = Spy(network), images_of(1, 3, 32, 48)
    network(images)
    assert torch.equal(spy.inputs["nodes.0_0"], images)
    for i in range(1, 5):
        pooled = F.max_pool2d(spy.outputs[f"nodes.{i - 1}_0"], 2)
        assert torch.equal(spy.inputs[f"nodes.{i}_0"], pooled)


@pytest.mark.parametrize("training", [True, False])
def test_without_deep_supervision_one_head_reads_the_last_node(training: bool) -> None:
    network = small("unetplusplus").train(training)
    spy = Spy(network)
    logits = network(images_of(2, 3, 32, 48))
    assert [*network.heads] == ["0_4"]
    assert torch.equal(spy.inputs["heads.0_4"], spy.outputs["nodes.0_4"])
    assert torch.equal(logits, spy.outputs["heads.0_4"])


def test_deep_supervision_returns_four_logits_in_training() -> None:
    network = small("unetplusplus", deep_supervision=True).train()
    spy = Spy(network)
    logits = network(images_of(2, 3, 30, 41))
    assert isinstance(logits, tuple) and len(logits) == 4
    for j, head in enumerate(logits, start=1):
        assert head.shape == (2, 5, 30, 41)
        assert torch.equal(head, spy.outputs[f"heads.0_{j}"][..., :30, :41])
        assert torch.equal(spy.inputs[f"heads.0_{j}"], spy.outputs[f"nodes.0_{j}"])


def test_deep_supervision_returns_the_mean_of_the_heads_in_evaluation() -> None:
    network = small("unetplusplus", deep_supervision=True).eval()
    spy = Spy(network)
    logits = network(images_of(2, 3, 30, 41))
    heads = [spy.outputs[f"heads.0_{j}"][..., :30, :41] for j in range(1, 5)]
    assert not torch.equal(heads[0], heads[1])
    torch.testing.assert_close(logits, torch.stack(heads).mean(dim=0))
