"""Models for the tests of mapping: one of single pixels, and a small network."""

import torch
from torch import Tensor

from checkpoints import checkpoint_of
from partialseg.engine.batches import MEAN, STD
from partialseg.mapping.model import ModelInfo, TorchModel
from partialseg.mapping.orthophoto import Reading
from partialseg.models.build import build_network
from small_run import CPU

# An image is read as it is.
PLAIN = Reading(bands=(1, 2, 3), stretch=None, gsd=None, resample=True)


def info(gsd: float | None = None, classes: int = 2) -> ModelInfo:
    return ModelInfo(
        title="a model of the tests",
        commit="0123456789",
        class_names=("dark", "bright", "third")[:classes],
        palette=((10, 20, 30), (200, 210, 220), (0, 114, 80))[:classes],
        mean=MEAN,
        std=STD,
        patch_size=32,
        ground_sampling_distances=() if gsd is None else (gsd,),
    )


class Brightness:
    """A model of single pixels: a pixel is bright with the probability red / 255."""

    tile: int | None = None
    runtime = "arithmetic"
    on_gpu = False

    def __init__(self, gsd: float | None = None) -> None:
        self.info = info(gsd)

    def probabilities(self, images: Tensor) -> Tensor:
        bright = images[:, 0].float() / 255
        return torch.stack([1 - bright, bright], dim=1)


def network_model(gsd: float | None = None, seed: int = 4) -> TorchModel:
    """Return a small UNet of random weights whose BatchNorm has seen noise."""
    torch.manual_seed(seed)
    network = build_network("unet", 3, 3, 2).train()
    for _ in range(20):
        network(torch.randn(2, 3, 64, 64))
    distances = [] if gsd is None else [gsd]
    return TorchModel(checkpoint_of(network, ground_sampling_distances=distances), CPU)
