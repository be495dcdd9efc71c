"""accumulation: auto, with GPUs that the tests make up."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from partialseg.engine.compute import Compute
from partialseg.engine.ranks import ALONE, Ranks
from partialseg.models.unet import UNet
from partialseg.training import train as stage
from partialseg.training.data import EpochBatches, Shown
from partialseg.training.learner import Learner
from partialseg.training.memory import (
    check_auto,
    fewest_parts,
    most_parts,
    try_scoring,
    try_step,
    with_parts,
)
from partialseg.training.params import Train
from small_run import CPU, METHODS, small_run, train_params


def gpu_for(images: int, tried: list[int], of: int) -> Callable[[int], None]:
    """Return a trial that fails with more than so many of `of` images in a part."""

    def trial(parts: int) -> None:
        tried.append(parts)
        if -(-of // parts) > images:
            raise torch.OutOfMemoryError(f"{parts} parts")

    return trial


@pytest.mark.parametrize(
    ("images", "of", "expected"),
    [
        (8, 8, [1]),
        (7, 8, [1, 2]),
        (3, 8, [1, 2, 4]),
        (1, 8, [1, 2, 4, 8]),
        (1, 6, [1, 2, 4, 6]),  # 4 parts have up to 2 images; the last number is that of the images
        (1, 1, [1]),
    ],
)
def test_the_fewest_parts_that_fit_are_found(images: int, of: int, expected: list[int]) -> None:
    tried: list[int] = []
    assert fewest_parts(of, gpu_for(images, tried, of)) == expected[-1]
    assert tried == expected


def test_a_part_of_one_image_that_does_not_fit_fails_like_torch() -> None:
    tried: list[int] = []
    with pytest.raises(torch.OutOfMemoryError, match=r"^6 parts$"):
        fewest_parts(6, gpu_for(0, tried, 6))
    assert tried == [1, 2, 4, 6]


def test_other_errors_are_those_of_the_trial() -> None:
    def trial(parts: int) -> None:
        raise RuntimeError("another one")

    with pytest.raises(RuntimeError, match="another one"):
        fewest_parts(2, trial)


def test_a_number_stays_and_nothing_is_tried() -> None:
    params = train_params(accumulation=2, batch_size=4)

    def trial(params: Train) -> None:
        raise AssertionError

    assert with_parts(params, 0, ALONE, 4, trial) == params


def test_processes_become_a_number_and_the_rules_of_the_method_hold_for_it() -> None:
    params = train_params(
        processes="auto",
        accumulation=4,
        batch_size=4,
        method="consistency",
        ema_decay=0.9,
        methods=METHODS,
    )
    with pytest.raises(ValueError, match="batch_size 4 in 4 parts leaves one alone"):
        with_parts(params, 0, ALONE, 4, lambda params: None)


@pytest.mark.parametrize(
    ("patches", "crops", "batch_size", "count", "expected"),
    [
        (7470, 1, 32, 1, 31),  # 234 batches, the smallest of 31 patches
        (7470, 4, 64, 1, 63),  # 467 batches of 29,880 crops
        (7470, 1, 32, 4, 7),
        (3, 1, 32, 1, 3),
    ],
)
def test_any_batch_can_be_divided_into_the_most_parts(
    patches: int, crops: int, batch_size: int, count: int, expected: int
) -> None:
    class Patches:
        crops_per_patch = crops

        def __len__(self) -> int:
            return patches

    ranks = Ranks(count=count)
    params = train_params(batch_size=batch_size)
    most = most_parts(Patches(), params, ranks)  # type: ignore[arg-type]
    assert most == expected
    shown = Shown(often=[1] * patches, crops=crops)
    assert EpochBatches(shown, batch_size, most, 1, ranks).smallest_part == 1


@pytest.mark.parametrize(
    "message",
    [
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate(handle)",
        "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
        "CUDA error: out of memory",
        "[enforce fail at alloc_cpu.cpp:124] . DefaultCPUAllocator: can't allocate memory",
    ],
)
def test_the_libraries_of_cuda_have_words_of_their_own_for_too_little_memory(message: str) -> None:
    def trial(parts: int) -> None:
        if parts < 2:
            raise RuntimeError(message)

    assert fewest_parts(4, trial) == 2


def test_auto_becomes_the_number_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    tried: list[Train] = []

    def trial(params: Train) -> None:
        tried.append(params)
        if params.parts < 4:
            raise torch.OutOfMemoryError

    params = train_params(accumulation="auto", processes="auto", batch_size=8)
    found = with_parts(params, 0, ALONE, 8, trial)
    assert found == replace(params, accumulation=4, processes=1)
    assert [item.parts for item in tried] == [1, 2, 4]
    assert capsys.readouterr().out == (
        "accumulation: 4 parts, the fewest that fit in the GPU's memory\n"
    )


def test_a_resumed_training_keeps_its_number() -> None:
    def trial(params: Train) -> None:
        raise AssertionError

    params = train_params(accumulation="auto", batch_size=8)
    assert with_parts(params, 8, ALONE, 8, trial).parts == 8


def test_the_rules_of_a_method_hold_for_the_number_that_was_found() -> None:
    params = train_params(
        accumulation="auto", batch_size=4, method="consistency", ema_decay=0.9, methods=METHODS
    )
    with pytest.raises(ValueError, match="batch_size 4 in 4 parts leaves one alone"):
        with_parts(params, 4, ALONE, 4, lambda params: None)


def test_a_cpu_has_no_memory_of_its_own_to_fill() -> None:
    params = train_params(accumulation="auto")
    with pytest.raises(ValueError, match=r"^accumulation: auto fits .* and this is a CPU; give"):
        check_auto(params, CPU)
    check_auto(params, Compute(torch.device("cuda"), torch.float32))
    check_auto(train_params(accumulation=2), CPU)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["none", "pseudo_labels", "consistency", "gated_crf"])
def test_a_trial_step_computes_the_method_and_teaches_nothing(method: Any) -> None:
    params = train_params(method=method, ema_decay=0.5, accumulation=2, batch_size=4)
    torch.manual_seed(0)
    network = UNet(3, 3, 2)
    before = [weight.clone() for weight in network.parameters()]
    shown: list[tuple[int, ...]] = []
    learner = Learner(network, None, params, CPU, ALONE, 3)
    network.register_forward_pre_hook(lambda _, inputs: shown.append(tuple(inputs[0].shape)))
    try_step(learner, 32, 4)
    # Two steps in two parts; consistency has a forward pass of the student more for each.
    assert shown == [(2, 3, 32, 32)] * (8 if method == "consistency" else 4)
    assert all(torch.equal(a, b) for a, b in zip(before, network.parameters(), strict=True))


def test_a_trial_of_the_validation_predicts_all_its_patches_in_parts() -> None:
    shown: list[tuple[int, ...]] = []
    network = UNet(3, 3, 2)
    network.register_forward_pre_hook(lambda _, inputs: shown.append(tuple(inputs[0].shape)))
    learner = Learner(network, None, train_params(), CPU, ALONE, 3)
    try_scoring(learner, 32, images=5, parts=2)
    try_scoring(learner, 32, images=2, parts=4)
    assert [shape[0] for shape in shown] == [3, 2, 1, 1]
    assert {shape[1:] for shape in shown} == {(3, 32, 32)}


@pytest.fixture
def patches(make_patches: Callable[..., Path]) -> Path:
    return make_patches(rows=4)


@pytest.mark.slow
def test_a_training_by_auto_is_that_by_the_number(
    patches: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory for one image a part; the trials leave no trace in the training."""

    def try_images(learner: Learner, side: int, images: int) -> None:
        try_step(learner, side, images)
        if images > learner._accumulation:
            raise torch.OutOfMemoryError

    expected = small_run(patches, tmp_path / "number", batch_size=2, accumulation=2)
    monkeypatch.setattr(stage, "check_auto", lambda params, compute: None)
    monkeypatch.setattr(stage, "try_step", try_images)
    found = small_run(patches, tmp_path / "auto", batch_size=2, accumulation="auto")
    assert (found.accumulation, expected.accumulation) == (2, 2)
    assert all(torch.equal(found.weights[name], expected.weights[name]) for name in found.weights)
