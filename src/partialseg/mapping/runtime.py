"""Choose what runs a network: torch, OpenVINO or onnxruntime."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast, get_args

import torch

from partialseg.engine.checkpoint import load_checkpoint
from partialseg.engine.compute import Precision, choose_compute
from partialseg.mapping.model import Model, ModelInfo, TorchModel, info_of
from partialseg.mapping.onnx import PROVIDERS, OnnxModel, load_onnx

if TYPE_CHECKING:
    from partialseg.mapping.openvino import OpenVinoModel

Runtime = Literal["torch", "openvino", "onnxruntime"]
KINDS = {"torch": "a checkpoint", "onnxruntime": "an ONNX file"}
INSTALL = "pip install --no-deps -r requirements-openvino.txt"


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What runs a network, without anything that a machine would choose by itself.

    emulated says that the precision is bfloat16 on a CPU without instructions for it.
    """

    runtime: Runtime
    device: str
    precision: Precision
    emulated: bool = False


@dataclass(frozen=True, kw_only=True)
class Description:
    """A network that is not loaded, and that will be run on a GPU or not."""

    info: ModelInfo
    tile: int | None
    on_gpu: bool


def load_model(file: Path, is_onnx: bool, runtime: str, device: str, precision: Precision) -> Model:
    """Return the network of a checkpoint, or of an ONNX file, in a runtime ('auto': the fastest).

    device is a name of torch's; '' is a GPU if there is one, and the CPU for ONNX files.

    Raises:
        ValueError: the file cannot be used, or the machine lacks the runtime, the device or the
            precision.
    """
    _check_kind(file, is_onnx)
    choice = choose(is_onnx, runtime, device, precision)
    if choice.runtime == "onnxruntime":
        return OnnxModel(file, choice.device)
    compute = choose_compute(choice.precision, choice.device)
    if is_onnx:
        return _openvino().of_onnx(file, compute.dtype)
    checkpoint = load_checkpoint(file)
    if choice.runtime == "torch":
        return TorchModel(checkpoint, compute)
    return _openvino().of_checkpoint(checkpoint, compute.dtype)


def describe(file: Path, is_onnx: bool, device: str) -> Description:
    """Return the description of the network of a checkpoint, or of an ONNX file.

    Raises:
        ValueError: the file cannot be used.
    """
    _check_kind(file, is_onnx)
    on_gpu = device != "cpu"
    if is_onnx:
        network = load_onnx(file, PROVIDERS["cpu"])
        return Description(info=network.info, tile=network.tile, on_gpu=on_gpu)
    return Description(info=info_of(load_checkpoint(file)), tile=None, on_gpu=on_gpu)


def choose(
    is_onnx: bool, runtime: str, device: str, precision: Precision, elsewhere: bool = False
) -> Choice:
    """Return what runs a network on this machine: 'auto' and '' are replaced by what they mean.

    elsewhere: it runs on other machines, which may have GPUs that this one lacks.

    Raises:
        ValueError: the machine lacks the runtime, the device or the precision.
    """
    other: Runtime = "onnxruntime" if is_onnx else "torch"
    if elsewhere and device.startswith("cuda") and not torch.cuda.is_available():
        chosen = choose_runtime(runtime, other, on_cpu=False)
        if chosen == "torch" and precision == "auto":
            raise ValueError(
                f"precision: auto is chosen on this machine, which has no {device}; say which"
            )
        return Choice(runtime=chosen, device=device, precision=_of(chosen, precision))
    if is_onnx:
        device = device or "cpu"
        chosen = choose_runtime(runtime, other, device == "cpu")
        if chosen == "onnxruntime":
            return Choice(runtime=chosen, device=device, precision=_of(chosen, precision))
    compute = choose_compute(precision, device)
    on_cpu = compute.device.type == "cpu"
    chosen = choose_runtime(runtime, other, on_cpu)
    found = cast(Precision, str(compute.dtype).removeprefix("torch."))
    natural = choose_compute("auto", str(compute.device)).dtype
    emulated = on_cpu and compute.dtype == torch.bfloat16 != natural
    return Choice(runtime=chosen, device=str(compute.device), precision=found, emulated=emulated)


def _of(runtime: Runtime, precision: Precision) -> Precision:
    if runtime != "onnxruntime":
        return precision
    if precision not in ("auto", "float32"):
        raise ValueError(f"precision: onnxruntime computes in float32, got {precision}")
    return "float32"


def _check_kind(file: Path, is_onnx: bool) -> None:
    if file.suffix == ".onnx" and not is_onnx:
        raise ValueError(f"{file}: is an ONNX file; say so by --onnx")


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
