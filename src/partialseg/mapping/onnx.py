"""Run an ONNX file of src/export.py."""

from pathlib import Path

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
        try:
            self._session = onnxruntime.InferenceSession(file, providers=[provider])
            text = self._session.get_modelmeta().custom_metadata_map[METADATA]
            self.info = INFO.validate_json(text, strict=True, extra="forbid")
        except UNUSABLE as error:
            raise ValueError(f"{file}: missing or damaged ONNX file: {error}") from error
        except (KeyError, ValidationError) as error:
            raise ValueError(f"{file}: no ONNX file of src/export.py") from error
        side = self._session.get_inputs()[0].shape[-1]
        self.tile: int | None = side if isinstance(side, int) else None
        channels, names = self._session.get_outputs()[0].shape[1], self.info.class_names
        if channels != len(names):
            raise ValueError(f"{file}: {channels} channels for {len(names)} classes: {names}")

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
