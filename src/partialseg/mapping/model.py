"""Models: a network that predicts class probabilities, and the description it comes with."""

from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor

from partialseg.core.classes import Colour
from partialseg.engine.batches import normalise
from partialseg.engine.checkpoint import Checkpoint
from partialseg.engine.compute import Compute
from partialseg.mapping.folding import fold_batchnorm, heads_as_products
from partialseg.source.bands import Bands
from partialseg.source.reading import Stretch

Views = Literal["none", "flips", "all"]  # over which predictions are averaged
# Quarter turns, and whether the view is mirrored.
VIEWS: dict[Views, tuple[tuple[int, bool], ...]] = {
    "none": ((0, False),),
    "flips": ((0, False), (2, False), (0, True), (2, True)),
    "all": tuple((turns, mirrored) for turns in range(4) for mirrored in (False, True)),
}


@dataclass(frozen=True, kw_only=True)
class ModelInfo:
    """The description of a network: its classes, its input and its training data.

    title describes it in one line, commit is that of its training; mean and std normalise RGB in
    0..255; patch_size is the side in pixels and ground_sampling_distances are the pixel sizes in
    metres of the patches it was trained on (empty: unknown). colours say what their three bands
    are, 'nir' among others (None: unknown); bands and stretch say how they were made of the images
    (None: of those declared, and of 8-bit values), and scale is the number of an image's pixels in
    a row that made one of a patch.
    """

    title: str
    commit: str
    class_names: tuple[str, ...]
    palette: tuple[Colour, ...]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    patch_size: int
    ground_sampling_distances: tuple[float, ...]
    colours: tuple[str, str, str] | None = None
    bands: Bands | None = None
    stretch: Stretch | None = None
    scale: float = 1.0


class Described(Protocol):
    """What tiles and images have to suit in a network."""

    @property
    def info(self) -> ModelInfo:
        """The description of the network."""
        ...

    @property
    def tile(self) -> int | None:
        """The only side in px that its tiles may have; None: any."""
        ...

    @property
    def on_gpu(self) -> bool:
        """Whether the processor is free while it computes."""
        ...


class Model(Described, Protocol):
    """A network that predicts class probabilities, whatever runs it."""

    @property
    def runtime(self) -> str:
        """What runs it, for people: name and version, device, precision."""
        ...

    def probabilities(self, images: Tensor) -> Tensor:
        """Return the class probabilities (N, C, H, W), float32, of images (N, 3, H, W), uint8."""
        ...


@dataclass(frozen=True)
class Averaged:
    """A model whose probabilities are the mean over the views of a tile."""

    model: Model
    views: Views

    @property
    def info(self) -> ModelInfo:
        """The description of the averaged model."""
        return self.model.info

    @property
    def tile(self) -> int | None:
        """The only side in px that the averaged model takes."""
        return self.model.tile

    @property
    def runtime(self) -> str:
        """What runs the averaged model."""
        return self.model.runtime

    @property
    def on_gpu(self) -> bool:
        """Whether the averaged model computes on a GPU."""
        return self.model.on_gpu

    def probabilities(self, images: Tensor) -> Tensor:
        """Return the class probabilities (N, C, H, W), float32, of images (N, 3, H, W), uint8."""
        views = VIEWS[self.views]
        if len(views) == 1:  # the tile as it is: torch.rot90 copies even where it turns nothing
            return self.model.probabilities(images)
        predicted = [_back(self.model.probabilities(_view(images, *view)), *view) for view in views]
        return torch.stack(predicted).mean(dim=0)


def _view(images: Tensor, turns: int, mirrored: bool) -> Tensor:
    return torch.rot90(images.flip(-1) if mirrored else images, turns, (-2, -1))


def _back(maps: Tensor, turns: int, mirrored: bool) -> Tensor:
    straight = torch.rot90(maps, -turns, (-2, -1))
    return straight.flip(-1) if mirrored else straight


class TorchModel:
    """The network of a checkpoint on a device, in the precision of `compute`."""

    tile: int | None = None

    def __init__(self, checkpoint: Checkpoint, compute: Compute) -> None:
        self.info = info_of(checkpoint)
        self.runtime = f"torch {torch.__version__}, {compute}"
        self.on_gpu = compute.device.type != "cpu"
        self._compute = compute
        network = checkpoint.build()
        fold_batchnorm(network)
        heads_as_products(network)
        self._network = compute.place(network)

    @torch.inference_mode()
    def probabilities(self, images: Tensor) -> Tensor:
        """Return the class probabilities (N, C, H, W), float32, of images (N, 3, H, W), uint8."""
        images = images.to(self._compute.device, non_blocking=True)
        inputs = normalise(images, self.info.mean, self.info.std)
        with self._compute.autocast():
            logits = self._network(inputs.contiguous(memory_format=torch.channels_last))
        return softmax(logits.float())


def softmax(logits: Tensor) -> Tensor:
    """Return the softmax over the classes of logits (N, C, H, W), float32.

    torch's own gives other last bits with 3 or 5 threads than with one.
    """
    logits = logits.contiguous()  # as fast as torch's, and three times as fast as channels last
    powers = (logits - logits.amax(dim=1, keepdim=True)).exp_()
    return powers.div_(powers.sum(dim=1, keepdim=True))


def info_of(checkpoint: Checkpoint) -> ModelInfo:
    """Return the description of a checkpoint's network."""
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
        colours=checkpoint.imagery.names,
        bands=checkpoint.imagery.bands,
        stretch=checkpoint.imagery.stretch,
        # 0 as source_size: cells of different sides, cut to one pixel size on the ground.
        scale=checkpoint.source_size / checkpoint.patch_size if checkpoint.source_size else 1.0,
    )
