"""An exported network, asked through onnxruntime."""

from pathlib import Path

import onnxruntime
import torch
from onnxruntime.capi import onnxruntime_pybind11_state as errors
from pydantic import ValidationError
from torch import Tensor

from partialseg.mapping.export import INFO, INPUT, METADATA

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
        channels, names = self._session.get_outputs()[0].shape[1], self.info.class_names
        if channels != len(names):
            raise ValueError(f"{file}: {channels} channels for {len(names)} classes: {names}")

    def probabilities(self, images: Tensor) -> Tensor:
        """Return the class probabilities (N, C, H, W), float32, of images (N, 3, H, W), uint8."""
        inputs = (images.float() / 255).numpy()
        return torch.from_numpy(self._session.run(None, {INPUT: inputs})[0])
