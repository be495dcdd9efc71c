import os
import random
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from code_of_stage import SRC
from partialseg.engine.compute import (
    Compute,
    Precision,
    choose_algorithms,
    choose_compute,
    seed_everything,
    unused_gpu,
)
from small_run import CPU


def pretend(monkeypatch: pytest.MonkeyPatch, *, cuda: bool, major: int = 8) -> None:
    """Pretend a CUDA device of this major compute capability (8, Ampere, has bfloat16 units)."""

    def is_bf16_supported(including_emulation: bool = True) -> bool:
        return cuda and (major >= 8 or including_emulation)

    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", is_bf16_supported)


def test_a_device_can_be_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, cuda=True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert choose_compute("float32", "cpu") == Compute(torch.device("cpu"), torch.float32)
    assert choose_compute("bfloat16", "cuda:1").device == torch.device("cuda:1")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("cuda", "device 'cuda': this machine has a cpu and 0 cuda devices"),
        ("cuda:2", "device 'cuda:2': this machine has a cpu and 0 cuda devices"),
        ("mps", "device 'mps': this machine has a cpu and 0 cuda devices"),
        ("gpu", "device 'gpu': torch knows none of this name"),
    ],
)
def test_a_device_that_is_not_there_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, message: str
) -> None:
    pretend(monkeypatch, cuda=False)
    with pytest.raises(ValueError, match=message):
        choose_compute("auto", name)


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("major", [7, 9])
def test_a_precision_that_was_asked_for_is_taken_on_cuda(
    monkeypatch: pytest.MonkeyPatch, precision: Precision, major: int
) -> None:
    pretend(monkeypatch, cuda=True, major=major)
    assert choose_compute(precision) == Compute(torch.device("cuda"), getattr(torch, precision))


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_precision_that_was_asked_for_is_taken_on_the_cpu(
    monkeypatch: pytest.MonkeyPatch, precision: Precision
) -> None:
    pretend(monkeypatch, cuda=False)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    assert choose_compute(precision) == Compute(torch.device("cpu"), getattr(torch, precision))


def test_float16_on_the_cpu_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, cuda=False)
    message = "precision: float16 needs a CUDA device; take auto, float32 or bfloat16"
    with pytest.raises(ValueError, match=message):
        choose_compute("float16")


@pytest.mark.parametrize(("instructions", "expected"), [(True, "bfloat16"), (False, "float32")])
def test_auto_on_the_cpu_asks_for_bfloat16_instructions(
    monkeypatch: pytest.MonkeyPatch, instructions: bool, expected: str
) -> None:
    pretend(monkeypatch, cuda=False)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: instructions)
    assert choose_compute("auto") == Compute(torch.device("cpu"), getattr(torch, expected))


def test_auto_on_cuda_with_bfloat16_units_is_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, cuda=True, major=8)
    assert choose_compute("auto") == Compute(torch.device("cuda"), torch.bfloat16)


def test_auto_on_cuda_that_only_emulates_bfloat16_is_float16(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pretend(monkeypatch, cuda=True, major=7)
    assert choose_compute("auto") == Compute(torch.device("cuda"), torch.float16)


@pytest.mark.parametrize(("device", "asked"), [("cpu", [3]), ("cuda", [])])
def test_threads_are_set_on_a_cpu_alone(
    monkeypatch: pytest.MonkeyPatch, device: str, asked: list[int]
) -> None:
    seen: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", seen.append)
    Compute(torch.device(device), torch.float32).use_threads(3)
    assert seen == asked


def drawn() -> tuple[float, float, float]:
    return random.random(), float(np.random.random()), float(torch.rand(()))


def test_a_seed_repeats_the_draws_of_python_numpy_and_torch() -> None:
    draws = []
    for seed in (5, 5, 6):
        seed_everything(seed)
        draws.append(drawn())
    first, again, other = draws
    assert first == again
    assert all(a != b for a, b in zip(first, other, strict=True))


def test_float32_computes_without_autocast() -> None:
    network = nn.Conv2d(3, 2, 1)
    with CPU.autocast():
        assert network(torch.ones(1, 3, 2, 2)).dtype == torch.float32
        assert not torch.is_autocast_enabled("cpu")


def test_bfloat16_computes_convolutions_in_bfloat16() -> None:
    network = nn.Conv2d(3, 2, 1)
    with Compute(torch.device("cpu"), torch.bfloat16).autocast():
        assert network(torch.ones(1, 3, 2, 2)).dtype == torch.bfloat16
    assert network.weight.dtype == torch.float32


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_gradients_are_not_scaled_on_the_cpu(dtype: torch.dtype) -> None:
    scaler = Compute(torch.device("cpu"), dtype).grad_scaler()
    assert not scaler.is_enabled()
    loss = torch.tensor(3.0)
    assert scaler.scale(loss) is loss


def test_float16_scales_gradients() -> None:
    # On the CPU device as a stand-in: the rule looks at the type alone.
    assert Compute(torch.device("cpu"), torch.float16).grad_scaler().is_enabled()


def test_inputs_are_normalised_and_channels_last() -> None:
    images = torch.zeros(2, 3, 4, 5, dtype=torch.uint8)
    images[:, 1] = 255
    done = CPU.to_input(images)
    assert done.dtype == torch.float32
    assert done.shape == (2, 3, 4, 5)
    assert done.is_contiguous(memory_format=torch.channels_last)
    expected = [-123.675 / 58.395, (255 - 116.28) / 57.12, -103.53 / 57.375]
    assert done[1, :, 3, 4].tolist() == pytest.approx(expected)


def test_labels_become_int64() -> None:
    labels = torch.tensor([[[-1, 0], [200, 3]]], dtype=torch.int16)
    done = CPU.to_labels(labels)
    assert done.dtype == torch.int64
    assert done.tolist() == [[[-1, 0], [200, 3]]]


def test_a_placed_network_is_channels_last_and_computes_the_same() -> None:
    torch.manual_seed(0)
    network = nn.Conv2d(3, 8, 3)
    images = torch.rand(1, 3, 6, 6)
    before = network(images)
    placed = CPU.place(network)
    assert placed.weight.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(placed(images), before)


@pytest.mark.parametrize(
    ("compute", "name"),
    [
        (CPU, "CPU, float32"),
        (Compute(torch.device("cpu"), torch.bfloat16), "CPU, bfloat16"),
        (Compute(torch.device("cuda"), torch.float16), "Some GPU, float16"),
    ],
)
def test_it_names_device_and_precision(
    monkeypatch: pytest.MonkeyPatch, compute: Compute, name: str
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Some GPU")
    assert str(compute) == name


def test_its_kind_is_that_of_every_gpu() -> None:
    assert Compute(torch.device("cuda", 1), torch.bfloat16).kind == "cuda, bfloat16"
    assert CPU.kind == "cpu, float32"


@pytest.mark.parametrize(("built", "found"), [(None, False), ("13.0", True)])
def test_nothing_is_said_of_a_gpu_that_is_used_or_cannot_be(
    monkeypatch: pytest.MonkeyPatch, built: str | None, found: bool
) -> None:
    monkeypatch.setattr(torch.version, "cuda", built)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: found)
    assert unused_gpu() == []


def test_a_torch_for_gpus_that_finds_none_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    (remark,) = unused_gpu()
    assert remark.startswith("no GPU is used: this torch is built for CUDA 13.0, but finds none")


@pytest.mark.parametrize("deterministic", [True, False])
def test_algorithms_are_deterministic_or_the_fastest(
    monkeypatch: pytest.MonkeyPatch, deterministic: bool
) -> None:
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    try:
        choose_algorithms(deterministic)
        assert torch.are_deterministic_algorithms_enabled() is deterministic
        assert torch.backends.cudnn.benchmark is not deterministic
        assert os.environ.get("CUBLAS_WORKSPACE_CONFIG") == (":4096:8" if deterministic else None)
    finally:
        choose_algorithms(False)


# Forked once more, because Linux lets a process that is started inherit the peak of its parent.
HOLD = """
import os, sys
if os.fork():
    sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))
import numpy, torch
from partialseg.engine.compute import Compute
compute = Compute(torch.device("cpu"), torch.float32)
before = compute.peak_memory_mib()
held = numpy.ones(200 * 2**20, numpy.uint8)
during = compute.peak_memory_mib()
del held
print(before, during, compute.peak_memory_mib())
"""


@pytest.mark.slow
def test_the_peak_memory_on_the_cpu_is_the_most_that_the_process_held() -> None:
    done = subprocess.run(
        [sys.executable, "-c", HOLD], cwd=SRC, check=True, capture_output=True, text=True
    )
    before, during, after = map(float, done.stdout.split())
    assert before > 20  # MiB: an interpreter with torch
    assert 190 < during - before < 250
    assert after >= during


def test_the_peak_memory_on_cuda_is_that_of_its_tensors(monkeypatch: pytest.MonkeyPatch) -> None:
    held = {torch.device("cuda:1"): 3 * 2**20 + 2**19}
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", held.__getitem__)
    assert Compute(torch.device("cuda:1"), torch.float32).peak_memory_mib() == 3.5
