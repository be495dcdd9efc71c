"""Run a network by OpenVINO, on a CPU: faster there than torch."""

import sys
import warnings
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from partialseg.engine.batches import normalise
from partialseg.engine.checkpoint import Checkpoint
from partialseg.mapping.model import ModelInfo, info_of
from partialseg.mapping.onnx import PROVIDERS, load_onnx
from partialseg.models.blocks import STRIDE

# openvino imports this package if it is there, and reports each import and each conversion to its
# makers by it. Here nothing is reported.
sys.modules["openvino_telemetry"] = cast(Any, None)

import openvino  # noqa: E402
from openvino.preprocess import PrePostProcessor  # noqa: E402

# The name of a type in OpenVINO's settings, and in its list of what the processor has.
NAMES = {torch.float32: ("f32", "FP32"), torch.bfloat16: ("bf16", "BF16")}
# Networks that are kept compiled: one for each size of the tiles. A view that is turned by 90
# degrees is a second size.
MOST_COMPILED = 2


class OpenVinoModel:
    """A network run by OpenVINO, compiled for each size of the images that it is given.

    A fixed size is up to 1.4 times as fast as any size. Made by of_checkpoint() or of_onnx(), of a
    graph from images (1, 3, H, W), uint8, to probabilities (1, C, H, W).
    """

    on_gpu = False

    def __init__(self, graph: Any, info: ModelInfo, tile: int | None, dtype: torch.dtype) -> None:
        self.info, self.tile = info, tile
        self._graph = graph
        self._core = openvino.Core()
        check_type(dtype, self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"))
        # Without this hint OpenVINO computes in bfloat16 wherever the processor has it. Threads as
        # torch has them, so that OMP_NUM_THREADS is obeyed.
        self._settings = {
            "INFERENCE_PRECISION_HINT": NAMES[dtype][0],
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        }
        version = openvino.__version__.partition("-")[0]
        self.runtime = f"OpenVINO {version}, CPU, {_name(dtype)}"
        self._compiled: dict[tuple[int, int], Any] = {}

    @classmethod
    def of_checkpoint(cls, checkpoint: Checkpoint, dtype: torch.dtype) -> "OpenVinoModel":
        """Return the network of a checkpoint, which computes in float32 or bfloat16.

        Raises:
            ValueError: the processor has no instructions for the type.
        """
        info = info_of(checkpoint)
        network = _Probabilities(checkpoint.build(), info).eval()
        example = torch.zeros(1, 3, 2 * STRIDE, 3 * STRIDE, dtype=torch.uint8)
        with warnings.catch_warnings():
            # About branches on the sizes of images: `probabilities` gives multiples of the stride.
            warnings.simplefilter("ignore")
            # Tracing takes a second, torch.export ten.
            traced = torch.jit.trace(network, example, check_trace=False)
            graph = openvino.convert_model(traced, input=[("image", [1, 3, -1, -1])])
        return cls(graph, info, None, dtype)

    @classmethod
    def of_onnx(cls, file: Path, dtype: torch.dtype) -> "OpenVinoModel":
        """Return the network of an ONNX file of src/export.py.

        Raises:
            ValueError: the file is missing, damaged or of another origin, or the processor has
                no instructions for the type.
        """
        network = load_onnx(file, PROVIDERS["cpu"])
        prepared = PrePostProcessor(openvino.Core().read_model(file))
        prepared.input().tensor().set_element_type(openvino.Type.u8)
        prepared.input().preprocess().convert_element_type(openvino.Type.f32).scale(255.0)
        return cls(prepared.build(), network.info, network.tile, dtype)

    def probabilities(self, images: Tensor) -> Tensor:
        """Return the class probabilities (N, C, H, W), float32, of images (N, 3, H, W), uint8.

        Images are padded by their edges to the tile, or to the next multiple of the stride.
        """
        height, width = images.shape[-2:]
        bottom, right = (
            (-side % STRIDE if self.tile is None else self.tile - side) for side in (height, width)
        )
        padded = np.pad(images.numpy(), ((0, 0), (0, 0), (0, bottom), (0, right)), "edge")
        request = self._request(height + bottom, width + right)
        found = torch.empty(len(images), len(self.info.class_names), height, width)
        for image, result in zip(padded, found.numpy(), strict=True):
            # The result lies in memory that the next one overwrites.
            (predicted,) = request.infer(
                [image[None]], share_inputs=True, share_outputs=True
            ).values()
            result[:] = predicted[0, :, :height, :width]
        return found

    def _request(self, height: int, width: int) -> Any:
        """Return what runs the network on images of this size."""
        size = height, width
        if size not in self._compiled:
            if len(self._compiled) == MOST_COMPILED:
                del self._compiled[next(iter(self._compiled))]
            graph = self._graph.clone()
            graph.reshape([1, 3, height, width])
            compiled = self._core.compile_model(graph, "CPU", self._settings)
            self._compiled[size] = compiled.create_infer_request()
        return self._compiled[size]


def check_type(dtype: torch.dtype, capabilities: list[str]) -> None:
    """Check that a type is among OpenVINO's capabilities of the processor.

    Raises:
        ValueError: it is not, and OpenVINO would compute in another one.
    """
    if NAMES[dtype][1] not in capabilities:
        raise ValueError(
            f"precision: this processor has no {_name(dtype)} for OpenVINO; take auto or float32"
        )


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


class _Probabilities(nn.Module):
    """A network from images (N, 3, H, W), uint8, to class probabilities (N, C, H, W)."""

    def __init__(self, network: nn.Module, info: ModelInfo) -> None:
        super().__init__()
        self.network = network
        self._mean, self._std = info.mean, info.std

    def forward(self, image: Tensor) -> Tensor:
        """Return the probabilities of images."""
        return self.network(normalise(image, self._mean, self._std)).softmax(dim=1)
