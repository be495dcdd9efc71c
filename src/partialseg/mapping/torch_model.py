"""A trained network, asked through torch."""

import torch
from torch import Tensor

from partialseg.checkpoint import Checkpoint
from partialseg.compute import Compute
from partialseg.data import normalise
from partialseg.mapping.model import ModelInfo


class TorchModel:
    """The network of a checkpoint on a device, in the precision of `compute`."""

    def __init__(self, checkpoint: Checkpoint, compute: Compute) -> None:
        self.info = info_of(checkpoint)
        self._compute = compute
        self._network = compute.place(checkpoint.build())

    @torch.inference_mode()
    def probabilities(self, images: Tensor) -> Tensor:
        """Return the class probabilities (N, C, H, W), float32, of images (N, 3, H, W), uint8."""
        images = images.to(self._compute.device, non_blocking=True)
        inputs = normalise(images, self.info.mean, self.info.std)
        with self._compute.autocast():
            logits = self._network(inputs.contiguous(memory_format=torch.channels_last))
        return logits.float().softmax(dim=1)


def info_of(checkpoint: Checkpoint) -> ModelInfo:
    """Return what has to be known to use a checkpoint's network."""
    return ModelInfo(
        title=(
            f"{checkpoint.architecture} of base width {checkpoint.base_channels}, trained on "
            f"{checkpoint.label_fraction:.4g} of the labels of {checkpoint.dataset} "
            f"(recipe {checkpoint.recipe}, epoch {checkpoint.epoch})"
        ),
        commit=checkpoint.commit,
        class_names=tuple(checkpoint.class_names),
        palette=tuple(checkpoint.palette),
        mean=checkpoint.mean,
        std=checkpoint.std,
        patch_size=checkpoint.patch_size,
        ground_sampling_distances=tuple(checkpoint.ground_sampling_distances),
    )
