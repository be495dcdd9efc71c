"""Choose what runs a network: torch, OpenVINO or onnxruntime."""

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from partialseg.engine.checkpoint import load_checkpoint
from partialseg.engine.compute import Precision, choose_compute
from partialseg.mapping.model import Model, TorchModel
from partialseg.mapping.onnx import OnnxModel

if TYPE_CHECKING:
    from partialseg.mapping.openvino import OpenVinoModel

Runtime = Literal["torch", "openvino", "onnxruntime"]
KINDS = {"torch": "a checkpoint", "onnxruntime": "an ONNX file"}
INSTALL = "pip install --no-deps -r requirements-openvino.txt"


def load_model(file: Path, is_onnx: bool, runtime: str, device: str, precision: Precision) -> Model:
    """Return the network of a checkpoint, or of an ONNX file, in a runtime ('auto': the fastest).

    device is a name of torch's; '' is a GPU if there is one, and the CPU for ONNX files.

    Raises:
        ValueError: the file cannot be used, or the machine lacks the runtime, the device or the
            precision.
    """
    if file.suffix == ".onnx" and not is_onnx:
        raise ValueError(f"{file}: is an ONNX file; say so by --onnx")
    if is_onnx:
        return _of_onnx(file, runtime, device or "cpu", precision)
    compute = choose_compute(precision, device)
    chosen = choose_runtime(runtime, "torch", compute.device.type == "cpu")
    checkpoint = load_checkpoint(file)
    if chosen == "torch":
        return TorchModel(checkpoint, compute)
    return _openvino().of_checkpoint(checkpoint, compute.dtype)


def _of_onnx(file: Path, runtime: str, device: str, precision: Precision) -> Model:
    chosen = choose_runtime(runtime, "onnxruntime", device == "cpu")
    if chosen == "openvino":
        return _openvino().of_onnx(file, choose_compute(precision, device).dtype)
    if precision not in ("auto", "float32"):
        raise ValueError(f"precision: onnxruntime computes in float32, got {precision}")
    return OnnxModel(file, device)


def choose_runtime(runtime: str, other: Runtime, on_cpu: bool) -> Runtime:
    """Return the runtime of this name; 'auto' is OpenVINO on a CPU that has it, `other` elsewhere.

    other is the one beside OpenVINO that runs the kind of file: torch runs checkpoints, onnxruntime
    ONNX files.

    Raises:
        ValueError: the runtime is unknown, not installed, or unfit for the file or the device.
    """
    if runtime == "auto":
        return "openvino" if on_cpu and find_spec("openvino") else other
    if runtime not in get_args(Runtime):
        known = ", ".join(("auto", *get_args(Runtime)))
        raise ValueError(f"runtime: must be one of {known}, got {runtime!r}")
    if runtime == "openvino":
        if not find_spec("openvino"):
            raise ValueError(f"runtime: openvino is not installed: {INSTALL}")
        if not on_cpu:
            raise ValueError("runtime: openvino computes on the CPU alone; add --device cpu")
        return "openvino"
    if runtime != other:
        raise ValueError(f"runtime: {KINDS[other]} runs in {other} or openvino, got {runtime}")
    return other


def _openvino() -> "type[OpenVinoModel]":
    # Imported only where it is used: it need not be installed.
    try:
        from partialseg.mapping.openvino import OpenVinoModel
    except ImportError as error:
        raise ValueError(
            f"runtime: openvino does not start: {error}; take another, or install it: {INSTALL}"
        ) from error
    return OpenVinoModel
