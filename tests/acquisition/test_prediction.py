from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from acquisition_pool import network_input
from checkpoints import trained_network
from partialseg.acquisition.prediction import Images, Predictor, deepest_block, last_head
from partialseg.tiling.patches import PatchStore
from small_run import CPU


def predictor_of(patches: Path, network: nn.Module, batch_size: int = 2) -> Predictor:
    store = PatchStore(patches)
    images = Images(store, store.of_split("train"))
    return Predictor(
        network=network.eval(), images=images, batch_size=batch_size, workers=0, compute=CPU
    )


@pytest.fixture
def patches(make_patches: Callable[..., Path]) -> Path:
    return make_patches()


def test_probabilities_are_those_of_each_patch_in_turn(patches: Path) -> None:
    network = trained_network()
    with torch.no_grad():
        expected = network.eval()(network_input(patches)).softmax(dim=1)
    found = np.stack(list(predictor_of(patches, network).probabilities()))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert not torch.is_inference_mode_enabled()


@pytest.mark.parametrize("architecture", ["unet", "unetplusplus"])
def test_the_features_are_those_of_the_deepest_level(patches: Path, architecture: str) -> None:
    network = trained_network(architecture).eval()
    x = network_input(patches)
    with torch.no_grad():
        if architecture == "unet":
            x = network.stem(x)
            for encode in network.encoder:
                x = encode(network.pool(x))
        else:
            x = network.nodes["0_0"](x)
            for level in range(1, 5):
                x = network.nodes[f"{level}_0"](network.pool(x))
    found = np.stack(list(predictor_of(patches, network).deepest_features()))
    assert found.shape == (3, 32, 2, 2)  # 16 x base_channels, a cell of 16 px
    np.testing.assert_allclose(found, x, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["unet", "unetplusplus"])
@pytest.mark.parametrize("size", [32, 40])  # 40 px are padded to 48
def test_the_features_of_pixels_are_what_the_head_turns_into_logits(
    make_patches: Callable[..., Path], architecture: str, size: int
) -> None:
    patches, network = make_patches(size), trained_network(architecture).eval()
    found = np.stack(list(predictor_of(patches, network).pixel_features()))
    assert found.shape == (3, 2, size, size)
    with torch.no_grad():
        logits = network(network_input(patches))
        head = network.head if architecture == "unet" else network.heads["0_4"]
        np.testing.assert_allclose(head(torch.from_numpy(found)), logits, atol=1e-5)


def test_of_several_heads_the_last_one_gives_the_features() -> None:
    network = trained_network("unetplusplus", deep_supervision=True)
    assert last_head(network) is network.heads["0_4"]


def test_the_network_is_left_as_it_was(patches: Path) -> None:
    network = trained_network()
    features = predictor_of(patches, network).deepest_features()
    next(features)
    assert deepest_block(network)._forward_hooks
    features.close()
    assert not deepest_block(network)._forward_hooks


def test_a_diverged_network_is_refused(patches: Path) -> None:
    network = trained_network()
    nn.init.constant_(network.head.bias, torch.nan)
    with pytest.raises(ValueError, match="acquire: the network predicts no finite numbers"):
        list(predictor_of(patches, network).probabilities())


def test_no_truth_is_read(patches: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    predictor = predictor_of(patches, trained_network())
    monkeypatch.delattr(PatchStore, "truth")
    assert len(list(predictor.probabilities())) == 3
