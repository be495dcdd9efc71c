"""Other ways to the map of an orthophoto: a plain loop in torch, and geoai's predict_geotiff."""

import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import rasterio
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from partialseg.engine.batches import image_tensor, normalise
from partialseg.engine.checkpoint import Checkpoint, load_checkpoint
from partialseg.engine.compute import choose_compute
from partialseg.source.raster import ground_size

BATCH = 4


class PlainNetwork(nn.Module):
    """The network of a checkpoint as a script would use it: channels last, and autocast."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__()
        self.compute = choose_compute("auto")
        self.network = self.compute.place(checkpoint.build())
        self._checkpoint = checkpoint

    @torch.inference_mode()
    def forward(self, images: Tensor) -> Tensor:
        """Return the class probabilities (N, C, H, W) of images (N, 3, H, W) in 0..255."""
        images = images.to(self.compute.device)
        inputs = normalise(images, self._checkpoint.mean, self._checkpoint.std)
        with self.compute.autocast():
            logits = self.network(inputs.contiguous(memory_format=torch.channels_last))
        return logits.float().softmax(dim=1)


def plain_loop(folder: Path) -> None:
    """Segment as tutorials do: all in memory, tiles of a patch side by side, one GeoTIFF."""
    checkpoint = load_checkpoint(folder / "best.pt")
    network, patch = PlainNetwork(checkpoint).eval(), checkpoint.patch_size
    with rasterio.open(folder / "a.tif") as raster:
        profile = raster.profile | {"count": 1, "compress": "deflate"}
        image = np.moveaxis(raster.read(), 0, -1)
        sizes = ground_size(str(raster.crs), raster.transform, raster.width, raster.height)
    assert sizes is not None
    scales = [size / checkpoint.ground_sampling_distances[0] for size in sizes]
    small = image
    if any(abs(scale - 1) > 0.02 for scale in scales):
        small = cv2.resize(image, None, fx=scales[0], fy=scales[1], interpolation=cv2.INTER_AREA)
    ids = segmented(network, small, patch)
    full = cv2.resize(ids, image.shape[1::-1], interpolation=cv2.INTER_NEAREST_EXACT)
    with rasterio.open(folder / "plain loop.tif", "w", **profile) as raster:
        raster.write(full, 1)


def segmented(network: nn.Module, image: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Return the class ids (H, W) of an image (H, W, 3), by tiles side by side."""
    height, width = image.shape[:2]
    padded = np.pad(image, ((0, -height % side), (0, -width % side), (0, 0)))
    ids = np.zeros(padded.shape[:2], np.uint8)
    for row in range(0, height, side):
        for column in range(0, width, side * BATCH):
            starts = range(column, min(column + side * BATCH, padded.shape[1]), side)
            tiles = [padded[row : row + side, start : start + side] for start in starts]
            found = network(torch.stack([image_tensor(tile) for tile in tiles]))
            for start, tile in zip(starts, found.argmax(dim=1).cpu().numpy(), strict=True):
                ids[row : row + side, start : start + side] = tile
    return ids[:height, :width]


def geoai_side(folder: Path, package: Path) -> None:
    """Segment by predict_geotiff of geoai 0.40.1, with its defaults: tiles of 256 px, blended.

    package is the unpacked wheel. Its __init__ and its utils want torchvision and much else, so
    they are left out; of them predict_geotiff uses get_device alone.
    """
    whole, utils = ModuleType("geoai"), ModuleType("geoai.utils")
    whole.__path__ = [str(package / "geoai")]
    utils.get_device = lambda: choose_compute("auto").device  # type: ignore[attr-defined]
    sys.modules |= {"geoai": whole, "geoai.utils": utils}
    checkpoint = load_checkpoint(folder / "best.pt")
    import_module("geoai.inference").predict_geotiff(
        model=PlainNetwork(checkpoint),
        input_raster=str(folder / "a.tif"),
        output_raster=str(folder / "geoai.tif"),
        num_classes=len(checkpoint.class_names),
        output_dtype="uint8",
        output_nodata=255,
        preprocess_fn=lambda tile: tile,  # the network normalises
        postprocess_fn=lambda found: found.argmax(axis=0, keepdims=True),
        verbose=False,
    )
