"""Where and in which precision a network runs."""

import os
import random
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from partialseg.engine.batches import normalise

Precision = Literal["auto", "float32", "bfloat16", "float16"]


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and torch (augmentation and shuffling have seeds of their own)."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def choose_algorithms(deterministic: bool) -> None:
    """Choose algorithms that give bitwise equal results in every run, or else the fastest ones.

    A CPU gives equal bits either way. Where CUDA has no deterministic algorithm, torch warns.
    """
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    if deterministic != torch.are_deterministic_algorithms_enabled():
        # Imports torch's compiler, which takes a second.
        torch.use_deterministic_algorithms(deterministic, warn_only=True)
    torch.backends.cudnn.benchmark = not deterministic


@dataclass(frozen=True)
class Compute:
    """A device, and the type in which autocast computes there (float32: no autocast)."""

    device: torch.device
    dtype: torch.dtype

    def place(self, network: nn.Module) -> nn.Module:
        """Move a network to the device, in channels-last layout, where convolutions are fastest."""
        on_device = network.to(self.device)
        return on_device.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def use_threads(self, threads: int) -> None:
        """Compute with so many threads on a CPU, so that results do not depend on its cores."""
        if self.device.type == "cpu":
            torch.set_num_threads(threads)

    def autocast(self) -> torch.autocast:
        """Return the context in which forward passes run."""
        mixed = self.dtype != torch.float32
        return torch.autocast(self.device.type, self.dtype, enabled=mixed)

    def grad_scaler(self) -> torch.amp.GradScaler:
        """Return a gradient scaler, which does nothing unless the precision is float16."""
        return torch.amp.GradScaler(self.device.type, enabled=self.dtype == torch.float16)

    def to_input(self, images: Tensor) -> Tensor:
        """Move images (N, 3, H, W), uint8, to the device and normalise them."""
        images = images.to(self.device, non_blocking=True)
        return normalise(images).contiguous(memory_format=torch.channels_last)

    def to_labels(self, labels: Tensor) -> Tensor:
        """Move labels (N, H, W) to the device as int64."""
        return labels.to(self.device, non_blocking=True).long()

    def peak_memory_mib(self) -> float:
        """Return the peak memory so far in MiB: of tensors on CUDA, otherwise of the process."""
        if self.device.type == "cuda":
            return torch.cuda.max_memory_allocated(self.device) / 2**20
        unit = 1 if sys.platform == "darwin" else 2**10  # of ru_maxrss, in bytes
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20

    def forget_peak_memory(self) -> None:
        """Begin anew to look for the peak memory, on CUDA."""
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)

    @property
    def kind(self) -> str:
        """What it is without the name of the GPU, as a training may go on with another one."""
        return f"{self.device.type}, {str(self.dtype).removeprefix('torch.')}"

    def __str__(self) -> str:
        name = torch.cuda.get_device_name() if self.device.type == "cuda" else "CPU"
        return f"{name}, {str(self.dtype).removeprefix('torch.')}"


def out_of_memory(error: RuntimeError) -> bool:
    """Return whether an error of torch says that memory does not suffice."""
    # On a CPU the message names the allocator; CUDA's libraries have messages of their own.
    signs = "DefaultCPUAllocator", "out of memory", "ALLOC_FAILED"
    return isinstance(error, torch.OutOfMemoryError) or any(sign in str(error) for sign in signs)


@contextmanager
def out_of_memory_named(advice: str) -> Iterator[None]:
    """Turn an out-of-memory error of torch into a ValueError that ends with this advice."""
    try:
        yield
    except RuntimeError as error:
        if not out_of_memory(error):
            raise
        raise ValueError(f"out of memory {advice}") from error


def unused_gpu() -> list[str]:
    """Return a remark where torch is built for GPUs and finds none; nothing otherwise."""
    if torch.version.cuda is None or torch.cuda.is_available():
        return []
    return [
        f"no GPU is used: this torch is built for CUDA {torch.version.cuda}, but finds none "
        "(nvidia-smi shows the driver, and the newest CUDA that it serves)"
    ]


def choose_compute(precision: Precision, device_name: str = "") -> Compute:
    """Choose the device of this name, by default CUDA where there is one, and the precision.

    'auto' is mixed precision where the hardware supports it: on CUDA bfloat16, or float16 where
    there is no bfloat16; on a CPU bfloat16 if it has the instructions, otherwise float32.

    Raises:
        ValueError: float16 on a CPU, or this machine has no such device.
    """
    if device_name:
        device = _device(device_name)
    else:
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if precision == "float16" and device.type == "cpu":
        raise ValueError("precision: float16 needs a CUDA device; take auto, float32 or bfloat16")
    if precision != "auto":
        return Compute(device, getattr(torch, precision))
    if device.type == "cuda":
        return Compute(
            device,
            torch.bfloat16
            if torch.cuda.is_bf16_supported(including_emulation=False)
            else torch.float16,
        )
    return Compute(device, torch.bfloat16 if _cpu_has_bfloat16() else torch.float32)


def _device(name: str) -> torch.device:
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ValueError(f"device {name!r}: torch knows none of this name") from error
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device.type not in ("cpu", "cuda") or (
        device.type == "cuda" and (device.index or 0) >= gpus
    ):
        raise ValueError(f"device {name!r}: this machine has a cpu and {gpus} cuda devices")
    return device


def _cpu_has_bfloat16() -> bool:
    # Without the instructions torch emulates bfloat16, several times slower than float32.
    return bool(torch.cpu._is_avx512_bf16_supported())
