"""What a network predicts on the training patches without augmentation, and how sure it is."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from partialseg.engine.batches import image_tensor, start_worker
from partialseg.engine.compute import Compute
from partialseg.engine.scoring import predict_logits
from partialseg.models.blocks import ConvBlock
from partialseg.tiling.patches import Patch, PatchStore


class Images(Dataset[Tensor]):
    """The images of patches, uint8 (3, H, W), without the truth, which no strategy may see."""

    def __init__(self, store: PatchStore, patches: Sequence[Patch]) -> None:
        self._store = store
        self._patches = patches

    def __len__(self) -> int:
        return len(self._patches)

    def __getitem__(self, index: int) -> Tensor:
        return image_tensor(self._store.image(self._patches[index]))


@dataclass(frozen=True, kw_only=True)
class Predictor:
    """A network in evaluation mode on its device, and the images that it is asked about."""

    network: nn.Module
    images: Images
    batch_size: int
    workers: int
    compute: Compute

    def probabilities(self) -> Iterator[NDArray[np.float32]]:
        """Yield the class probabilities (C, H, W) of each patch, in the order of the images.

        Raises:
            ValueError: the network predicts no finite numbers.
        """
        for images in self._batches():
            yield from self._predict(images).softmax(dim=1).cpu().numpy()

    def deepest_features(self) -> Iterator[NDArray[np.float32]]:
        """Yield the features (D, h, w) of each patch at the network's deepest level.

        Raises:
            ValueError: the network predicts no finite numbers.
        """
        for _, output in self._passing(deepest_block(self.network)):
            yield from output.float().cpu().numpy()

    def pixel_features(self) -> Iterator[NDArray[np.float32]]:
        """Yield the features (D, H, W) of each patch that the network's last head classifies.

        Raises:
            ValueError: the network predicts no finite numbers.
        """
        height, width = self.images[0].shape[-2:]
        for entered, _ in self._passing(last_head(self.network)):
            yield from entered[..., :height, :width].float().cpu().numpy()

    def _passing(self, module: nn.Module) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the input and the output of a module, batch by batch."""
        seen: list[tuple[Tensor, Tensor]] = []

        def keep(_: nn.Module, entered: tuple[Tensor], output: Tensor) -> None:
            seen.append((entered[0], output))

        hook = module.register_forward_hook(keep)
        try:
            for images in self._batches():
                self._predict(images)
                yield seen.pop()
        finally:
            hook.remove()

    def _predict(self, images: Tensor) -> Tensor:
        # Not around a yield: the code that runs between two patches would be in this mode, too.
        with torch.inference_mode():
            logits = predict_logits(self.network, images, self.compute)
        if not logits.isfinite().all():
            raise ValueError("acquire: the network predicts no finite numbers; train it again")
        return logits

    def _batches(self) -> DataLoader[Tensor]:
        return DataLoader(
            self.images,
            batch_size=self.batch_size,
            num_workers=self.workers,
            pin_memory=self.compute.device.type == "cuda",
            worker_init_fn=start_worker,
        )


def deepest_block(network: nn.Module) -> ConvBlock:
    """Return the block of the deepest level: the widest one, in U-Net as in UNet++."""
    blocks = [module for module in network.modules() if isinstance(module, ConvBlock)]
    return max(blocks, key=_width)


def last_head(network: nn.Module) -> nn.Conv2d:
    """Return the 1 x 1 convolution from features to logits: of several heads the last."""
    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    return [layer for layer in convolutions if layer.kernel_size == (1, 1)][-1]


def _width(block: ConvBlock) -> int:
    convolution = block[0]
    assert isinstance(convolution, nn.Conv2d)
    return convolution.out_channels


def entropy(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the entropy (H, W), in nats, of class probabilities (C, H, W).

    0 where one class is certain, ln C where all are equally likely. Source: Settles 2009, "Active
    Learning Literature Survey", section 3.1.
    """
    logarithms = np.log(np.maximum(probabilities, np.finfo(np.float32).tiny))  # 0 ln 0 is 0
    surprise: NDArray[np.float32] = -(probabilities * logarithms).sum(axis=0)
    return surprise


def margin(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return 1 - (p1 - p2) (H, W) of the two largest class probabilities (C, H, W).

    0 where one class is certain, 1 where two are equally likely. Source: Scheffer et al. 2001,
    "Active Hidden Markov Models for Information Extraction", IDA.
    """
    second, first = np.partition(probabilities, (-2, -1), axis=0)[-2:]
    closeness: NDArray[np.float32] = 1 - (first - second)
    return closeness
