"""Export a trained network to ONNX: for images of one size, or of any."""

import copy
import json
import logging
import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import onnxruntime
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.export import Dim

from partialseg.core.files import new_file
from partialseg.mapping.model import ModelInfo
from partialseg.mapping.onnx import INFO, INPUT, METADATA
from partialseg.models.blocks import STRIDE

OUTPUT = "probabilities"
# Read by onnxruntime from 1.14 on. Those that torch would choose need a later one than 1.17.0, the
# last that Deepness installs.
OPSET, IR_VERSION = 18, 8
# The most by which a probability of an export may differ, float32 on a CPU.
TOLERANCE = 1e-4
SHAPES = ((1, 64, 64), (2, 80, 112), (3, 50, 37), (1, 64, 50))  # N, H, W of the check


class Deployed(nn.Module):
    """A network from RGB images (N, 3, H, W) in 0..1 to class probabilities (N, C, H, W)."""

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, info: ModelInfo) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", torch.tensor(info.mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(info.std).view(1, 3, 1, 1))

    def forward(self, image: Tensor) -> Tensor:
        """Return the probabilities of images."""
        height, width = image.shape[-2:]
        # As pad_to_stride does, but always, since an export has no branches, and without negative
        # numbers, which ONNX and Python divide differently.
        bottom, right = ((side + STRIDE - 1) // STRIDE * STRIDE - side for side in (height, width))
        padded = F.pad((image * 255 - self.mean) / self.std, (0, right, 0, bottom), "replicate")
        return self.network(padded)[..., :height, :width].softmax(dim=1)


def export_onnx(network: nn.Module, info: ModelInfo, file: Path, tile: int | None) -> float:
    """Write a network as one ONNX file that carries its ModelInfo.

    The file takes one image of tile x tile px at a time, or, where tile is None, any number of
    images of any height and width. It is written only if it computes what the network computes;
    returns the largest difference of a probability on random images.

    Raises:
        ValueError: the suffix is not .onnx, tile is no multiple of the network's stride, or the
            export computes something else.
    """
    if file.suffix != ".onnx":
        raise ValueError(f"{file}: the suffix must be .onnx")
    if tile is not None and (tile < STRIDE or tile % STRIDE):
        raise ValueError(f"tile: must be a multiple of {STRIDE} px, got {tile}")
    deployed = Deployed(copy.deepcopy(network).cpu().float(), info).eval()
    if tile is None:
        # Sizes that differ from one another and from 1: the exporter would take equal ones as one.
        images = torch.zeros(2, 3, 83, 117)
        sizes = {INPUT: {0: Dim.DYNAMIC, 2: Dim.DYNAMIC, 3: Dim.DYNAMIC}}
    else:
        images, sizes = torch.zeros(1, 3, tile, tile), None
    with quiet(), new_file(file) as part:
        program = torch.onnx.export(
            deployed,
            (images,),
            dynamo=True,
            opset_version=OPSET,
            dynamic_shapes=sizes,
            input_names=[INPUT],
            output_names=[OUTPUT],
            verbose=False,
        )
        assert program is not None
        for node in program.model.graph.all_nodes():
            node.metadata_props.clear()  # stack traces: paths of whoever exports
        program.model.metadata_props.update(metadata(info, tile))
        program.model.ir_version = IR_VERSION
        program.save(part)
        shapes = SHAPES if tile is None else ((1, tile, tile),)
        difference = largest_difference(deployed, part, shapes)
        if not difference <= TOLERANCE:
            raise ValueError(
                f"{file}: the export differs from the network by {difference:g} in a probability, "
                f"allowed is {TOLERANCE:g}"
            )
    return difference


def metadata(info: ModelInfo, tile: int | None) -> dict[str, str]:
    """Return the metadata of an ONNX file, text by name."""
    # The first is ours; the others are for the QGIS plugin Deepness, with the names that it reads
    # (src/deepness/processing/models/model_base.py of PUTvision/qgis-plugin-deepness), since its
    # documentation has another name for tile_size. Without a threshold of 0, the plugin would give
    # the first class to pixels where no class reaches its own threshold; without a small segment of
    # 0, it would smooth the classes by a median filter.
    entries = {
        METADATA: INFO.dump_json(info).decode(),
        "model_type": json.dumps("Segmentor"),
        "class_names": json.dumps(dict(enumerate(info.class_names))),
        "tile_size": json.dumps(tile or info.patch_size),
        "tiles_overlap": json.dumps(25),  # %
        "seg_thresh": json.dumps(0),
        "seg_small_segment": json.dumps(0),
    }
    if info.ground_sampling_distances:
        entries["resolution"] = json.dumps(100 * info.ground_sampling_distances[0])  # cm
    return entries


def largest_difference(
    deployed: Deployed, file: Path, shapes: Sequence[tuple[int, int, int]]
) -> float:
    """Return by how much an ONNX file differs from a network on random images (N, H, W)."""
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    generator = torch.Generator().manual_seed(0)
    differences = []
    for count, height, width in shapes:
        images = torch.rand(count, 3, height, width, generator=generator)
        with torch.no_grad():
            expected = deployed(images)
        exported = torch.from_numpy(session.run(None, {INPUT: images.numpy()})[0])
        if exported.shape != expected.shape:
            return math.inf
        differences.append(float((exported - expected).abs().max()))
    return max(differences)


@contextmanager
def quiet() -> Iterator[None]:
    """Silence what the exporter logs about versions and other packages."""
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)
