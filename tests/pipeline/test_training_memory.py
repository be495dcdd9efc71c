"""The memory that benchmarks/training_memory.py counts is that which torch allocates."""

import math
from dataclasses import replace

import pytest
import torch

import training_memory
from partialseg.models.build import ARCHITECTURES
from training_memory import Network, Step, counted_bytes, lasting_bytes, measured_bytes

UNET = Network(architecture="unet", base=8, checkpointing=False)
STEP = Step(network=UNET, batch=2, size=64, dtype=torch.float32)


@pytest.mark.slow
@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_what_is_counted_is_what_a_step_allocates(architecture: str, checkpointing: bool) -> None:
    network = Network(architecture=architecture, base=4, checkpointing=checkpointing)
    step = replace(STEP, network=network, size=128)  # where the weights count little
    counted = counted_bytes(step) - lasting_bytes(step)
    assert counted == pytest.approx(measured_bytes(step), rel=0.02)


@pytest.mark.slow
def test_a_batch_four_times_as_large_keeps_four_times_as_much() -> None:
    small, middle, large = (counted_bytes(replace(STEP, batch=batch)) for batch in (4, 8, 16))
    assert large - middle == pytest.approx(2 * (middle - small), rel=0.01)
    halved = counted_bytes(replace(STEP, batch=16, dtype=torch.bfloat16))
    assert 0.5 < halved / large < 0.65  # indices of the pooling and the loss stay as they are


@pytest.mark.parametrize(
    ("memory", "accumulation"),
    # 0.9 x 12 - 1 = 9.8, 0.9 x 4 - 1 = 2.6, 0.9 x 2 - 1 = 0.8
    [(12, 2), (4, 8), (2, training_memory.NEVER)],
)
def test_the_smallest_accumulation_that_fits_is_taken(memory: float, accumulation: int) -> None:
    needed = {1: 10.0, 2: 9.0, 4: 5.0, 8: 2.5, 16: 1.5, 32: 0.9}
    assert training_memory.smallest_accumulation(memory, needed) == accumulation


@pytest.mark.slow
def test_hours_are_those_of_all_operations() -> None:
    network = replace(UNET, base=2)
    step, scored = (training_memory.operations(network, training) for training in (True, False))
    # Forward, and backward for weights and inputs; the first convolution has no input to go to.
    assert 2.7 * scored < step < 3 * scored
    expected = 12 * (7470 * step + 1602 * scored) / 1e12 / 3600
    assert math.isclose(training_memory.hours(network, 1e12, 12), expected)
    again = training_memory.operations(replace(network, checkpointing=True), True)
    assert 3.7 * scored < again < 4 * scored
