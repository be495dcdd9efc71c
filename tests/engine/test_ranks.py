"""Two Gloo processes against one."""

import copy
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.multiprocessing as mp
from torch import nn

from code_of_stage import SRC
from partialseg.engine.checkpoint import Checkpoint, load_checkpoint
from partialseg.engine.ranks import ALONE, launched
from partialseg.labelling.label import label
from partialseg.models.unet import UNet
from partialseg.training.resume import ResumeFolder
from partialseg.training.sync_batchnorm import synchronise_batchnorm
from small_labels import label_params
from small_run import LIVELY, isolate, red_image, train_arguments, write_params
from two_ranks import Work, halves, join, scores_of, sum_and_share

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")


def test_one_process_needs_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    tensor, value = torch.arange(3), {"a": 1}
    assert ALONE.sum(tensor) is tensor
    assert ALONE.share(value) is value
    assert ALONE.largest(3) == 3
    assert ALONE.first
    assert not launched()
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    assert launched()


Results = Callable[[Work], list[Any]]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Run each work(ranks, *its arguments) in the same two processes; return what ranks gave."""
    folder = tmp_path_factory.mktemp("ranks")
    works = ((sum_and_share, ()), (halves, network_and_images()), (scores_of, (pairs(),)))
    mp.spawn(join, (works, str(folder)), nprocs=2)
    return lambda work: [torch.load(folder / f"{work.__name__}{rank}.pt") for rank in range(2)]


def test_ranks_sum_and_share(results: Results) -> None:
    for rank, (own, total, source, weights, first, largest) in enumerate(results(sum_and_share)):
        assert own.tolist() == [[rank + 1, 2 * rank + 2], [3 * rank + 3, 4 * rank + 4]]
        assert total.tolist() == [[3, 6], [9, 12]]
        assert (source, weights.tolist(), first) == (0, [0.0, 0.0], rank == 0)
        assert largest == (3, 4)


def network_and_images() -> tuple[nn.Sequential, torch.Tensor]:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 2, 1))
    images = 3 + 5 * torch.randn(5, 3, 6, 7)
    nn.init.constant_(network[0].bias, 300)  # far from 0, where sums of squares would cancel
    return network, images


def test_batchnorm_of_two_ranks_is_that_of_all_images(results: Results) -> None:
    network, images = network_and_images()
    whole = network.train()
    inputs = images.clone().requires_grad_()
    expected = whole(inputs)
    (expected**2).sum().backward()
    for rank, (output, of_input, gradients, state) in enumerate(results(halves)):
        close = torch.testing.assert_close
        close(output, expected[rank::2].detach(), rtol=1e-4, atol=1e-5)
        close(of_input, inputs.grad[rank::2], rtol=1e-4, atol=1e-4)
        for ours, theirs in zip(gradients, whole.parameters(), strict=True):
            close(ours, theirs.grad, rtol=1e-4, atol=1e-3)
        for name, value in whole.state_dict().items():
            close(state[name], value, rtol=1e-4, atol=1e-5)


def test_synchronised_batchnorm_evaluates_like_any(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = UNet(3, 2, 2).train()
    network(torch.randn(2, 3, 32, 32))
    synchronised = synchronise_batchnorm(copy.deepcopy(network), CPU).eval()
    images = torch.randn(1, 3, 32, 32)
    assert [*synchronised.state_dict()] == [*network.state_dict()]
    assert torch.equal(synchronised(images), network.eval()(images))


def pairs() -> list[tuple[torch.Tensor, torch.Tensor]]:
    draw = torch.Generator().manual_seed(1)
    made = [
        (red_image(torch.randint(0, 2, (4, 4), generator=draw).tolist()), truth)
        for truth in torch.randint(-1, 2, (5, 4, 4), dtype=torch.int16, generator=draw)
    ]
    made[3][1].fill_(-1)  # a batch without truth counts on neither rank
    return made


def test_scores_are_those_of_all_ranks(results: Results) -> None:
    counts, loss, batch_miou = scores_of(ALONE, pairs())
    for ours in results(scores_of):
        assert torch.equal(ours[0], counts)
        assert ours[1:] == pytest.approx((loss, batch_miou), rel=1e-12)


def trained(
    folder: Path, patches: Path, name: str, **changes: Any
) -> tuple[Checkpoint, subprocess.CompletedProcess[str]]:
    """Run the stage as DVC does; return its last checkpoint and the finished process."""
    write_params(folder / "params.yaml", epochs=3, batch_size=4, **changes)
    arguments = train_arguments(patches, out=name, resume=f"resume-{name}")
    done = subprocess.run(
        [sys.executable, SRC / "train.py", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return load_checkpoint(folder / name / "last.pt"), done


@pytest.mark.parametrize("optimizer", ["adam", "muon"])
def test_two_processes_train_as_one(
    make_patches: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    optimizer: str,
) -> None:
    isolate(monkeypatch, tmp_path)
    patches = make_patches(columns=7)  # batches of 4 and 3: the second is shared unevenly
    label(patches, tmp_path / "labels", 0.3, 42, label_params())
    # The running statistics need a few steps, a high learning rate would magnify rounding.
    moves = {"augment": asdict(LIVELY), "learning_rate": 1e-3, "ema_decay": 0.5}
    moves["optimizer"] = optimizer
    one, _ = trained(tmp_path, patches, "one", **moves)
    two, done = trained(tmp_path, patches, "two", processes=2, accumulation=1, **moves)
    for ours, theirs in zip(two.history, one.history, strict=True):
        assert ours.train_loss == pytest.approx(theirs.train_loss, rel=1e-4)
        assert ours.val_loss == pytest.approx(theirs.val_loss, rel=1e-3)
        assert ours.val_accuracy == pytest.approx(theirs.val_accuracy, abs=5e-3)
    for name, weight in one.weights.items():
        # Adam moves a weight by the learning rate however small its gradient is: a few roundings
        # show, but a wrong gradient would move all weights.
        apart = (two.weights[name] - weight).abs().double()
        assert apart.max() < 1e-3 and apart.mean() < 1e-4, name
    assert done.stdout.count("epoch 3/3") == 1  # the first rank alone prints ...
    assert sorted(os.listdir(tmp_path / "two")) == ["best.pt", "curves", "last.pt"]
    assert "Traceback" not in done.stderr and "error" not in done.stderr


def test_a_wrong_input_of_two_processes_is_one_line(
    make_patches: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    isolate(monkeypatch, tmp_path)
    patches = make_patches()
    with pytest.raises(subprocess.CalledProcessError) as failed:
        trained(tmp_path, patches, "run", processes=2)
    assert failed.value.returncode == 1
    # Both processes find it. Which is first varies: where it is the second, the launcher may end
    # the first before that has said what is wrong.
    lines = failed.value.stderr.splitlines()
    clear = (
        "error: labels: no usable labels: ",
        "error: training process 1 failed; run the command",
        "error: training process 0 was ended by SIGTERM",
    )
    assert lines[-1].startswith((*clear, "terminated"))
    assert any(line.startswith(clear) for line in lines)
    assert len(lines) <= 3 and "Traceback" not in failed.value.stderr


def test_the_processes_end_with_their_launcher(
    make_patches: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    isolate(monkeypatch, tmp_path)
    patches = make_patches(columns=4)
    label(patches, tmp_path / "labels", 0.3, 42, label_params())
    write_params(tmp_path / "params.yaml", epochs=1000, processes=2)
    arguments = train_arguments(patches)
    with subprocess.Popen(
        [sys.executable, SRC / "train.py", *arguments], stdout=subprocess.PIPE, text=True
    ) as launcher:
        assert launcher.stdout is not None
        assert launcher.stdout.readline() == "trains on CPU, float32\n"
        assert launcher.stdout.readline().startswith("epoch 1/1000: loss")
        launcher.kill()
        # Its end is that of its processes too, which hold the other end of the pipe.
        lines = launcher.stdout.readlines()
    assert len(lines) < 900
    with ResumeFolder(tmp_path / "resume", "x") as folder:  # nobody else holds it any more
        assert folder.load() is None  # "x" is no fingerprint
