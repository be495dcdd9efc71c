"""Read an ONNX file of src/export.py, and run it by onnxruntime."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnxruntime
import torch
import torch.nn.functional as F
from onnxruntime.capi import onnxruntime_pybind11_state as errors
from pydantic import TypeAdapter, ValidationError
from torch import Tensor

from partialseg.mapping.model import ModelInfo

INPUT, METADATA = "image", "partialseg"
INFO = TypeAdapter(ModelInfo)
PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
# What onnxruntime raises on a file that it cannot use, found by flipping bits.
UNUSABLE = (
    errors.Fail,
    errors.InvalidArgument,
    errors.InvalidGraph,
    errors.InvalidProtobuf,
    errors.NoSuchFile,
    errors.NotImplemented,
    errors.RuntimeException,
    UnicodeDecodeError,
)


@dataclass(frozen=True)
class OnnxNetwork:
    """The network of an ONNX file of src/export.py, loaded by onnxruntime.

    tile is the side in px of the images that the file takes, one at a time; None: any of any size.
    """

    session: Any  # onnxruntime.InferenceSession, which has no types
    info: ModelInfo
    tile: int | None


def load_onnx(file: Path, provider: str) -> OnnxNetwork:
    """Load and check an ONNX file for a provider of onnxruntime.

    Raises:
        ValueError: the file is missing, damaged or of another origin.
    """
    options = onnxruntime.SessionOptions()
    # Threads that wait for work would keep the cores busy: without that it is up to 1.7 times as
    # fast beside other work, and at most 6 % slower alone.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # As torch has them, so that OMP_NUM_THREADS is obeyed and workers share the cores.
    options.intra_op_num_threads = torch.get_num_threads()
    try:
        session = onnxruntime.InferenceSession(file, options, providers=[provider])
        text = session.get_modelmeta().custom_metadata_map[METADATA]
        info = INFO.validate_json(text, strict=True, extra="forbid")
    except UNUSABLE as error:
        raise ValueError(f"{file}: missing or damaged ONNX file: {error}") from error
    except (KeyError, ValidationError) as error:
        raise ValueError(f"{file}: no ONNX file of src/export.py") from error
    channels, names = session.get_outputs()[0].shape[1], info.class_names
    if channels != len(names):
        raise ValueError(f"{file}: {channels} channels for {len(names)} classes: {names}")
    side = session.get_inputs()[0].shape[-1]
    return OnnxNetwork(session, info, side if isinstance(side, int) else None)


class OnnxModel:
    """The network of an ONNX file of src/export.py, on a device: 'cpu' or 'cuda'.

    tile is the side in px of the images that the file takes, one at a time; None: any of any size.

    Raises:
        ValueError: the file is missing, damaged or of another origin, or onnxruntime has no such
            device.
    """

    def __init__(self, file: Path, device: str = "cpu") -> None:
        provider = PROVIDERS.get(device)
        if provider not in onnxruntime.get_available_providers():
            raise ValueError(f"device {device!r}: this onnxruntime has none of this name")
        assert provider is not None
        network = load_onnx(file, provider)
        self.info, self.tile = network.info, network.tile
        self._session = network.session
        self.runtime = f"onnxruntime {onnxruntime.__version__}, {device.upper()}, float32"
        self.on_gpu = device != "cpu"

    def probabilities(self, images: Tensor) -> Tensor:
        """Return the class probabilities (N, C, H, W), float32, of images (N, 3, H, W), uint8.

        Images smaller than the tile are padded by their edges; larger ones are no tiles of it.
        """
        if self.tile is None:
            return self._run(images.float() / 255)
        height, width = images.shape[-2:]
        padded = F.pad(
            images.float() / 255, (0, self.tile - width, 0, self.tile - height), "replicate"
        )
        found = [self._run(image) for image in padded.split(1)]
        return torch.cat(found)[..., :height, :width]

    def _run(self, inputs: Tensor) -> Tensor:
        return torch.from_numpy(self._session.run(None, {INPUT: inputs.numpy()})[0])
