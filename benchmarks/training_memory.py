"""Memory and operations of a training step, counted without computing it, against GPUs."""

import argparse
import sys
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.distributed._tools.mem_tracker import MemTracker
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "src"))  # nothing is installed: the stages find partialseg so too

from partialseg.core.params import load_section
from partialseg.engine.compute import Compute
from partialseg.engine.ranks import ALONE
from partialseg.engine.scoring import predict_logits
from partialseg.models.blocks import recompute_activations
from partialseg.models.build import ARCHITECTURES, build_network
from partialseg.training.learner import Learner
from partialseg.training.params import Train
from timing import interleave, print_table
from train_step import CLASSES, random_batch

PATCHES, VALIDATION = 7_470, 1_602  # of LandCover.ai's official split
SIZE = 384  # px
# What a GPU needs beside the tensors is assumed, not measured: 1 GiB of the CUDA context and the
# workspaces of cuDNN, and a tenth of the memory that the allocator cannot use.
ASIDE, USABLE = 1.0, 0.9
GIB, TERA = 2**30, 1e12
NEVER = 0  # accumulation of a batch that does not fit even one patch at a time


@dataclass(frozen=True)
class Gpu:
    """A GPU: its memory in GB, and the dense TFLOP/s of its data sheet in 16 bits."""

    name: str
    memory: int
    tflops: float


GPUS = (
    Gpu("RTX 3060", 12, 25.0),
    Gpu("T4 (float16)", 16, 65.0),
    Gpu("L4", 24, 121.0),
    Gpu("A10", 24, 125.0),
    Gpu("A100", 40, 312.0),
    Gpu("A100", 80, 312.0),
    Gpu("H100 SXM", 80, 989.0),
    Gpu("H200", 141, 989.0),
)


@dataclass(frozen=True, kw_only=True)
class Network:
    """A network, and whether its activations are computed again in the backward pass."""

    architecture: str
    base: int
    checkpointing: bool

    def __str__(self) -> str:
        return f"{self.architecture}, base {self.base}"


@dataclass(frozen=True, kw_only=True)
class Step:
    """What the memory of a training step depends on."""

    network: Network
    batch: int
    size: int
    dtype: torch.dtype


def learner_of(step: Step, placed: bool) -> Learner:
    """Return a learner as the train stage makes it, for the published experiment's settings."""
    params = load_section(ROOT / "params.yaml", "datasets.landcover_ai.train", Train)
    params = replace(params, checkpointing=step.network.checkpointing)
    compute = Compute(torch.device("cpu"), step.dtype)
    network = build_network(step.network.architecture, 3, CLASSES, step.network.base)
    # The weights of a fake network cannot change their layout, which takes no memory anyway.
    network = compute.place(network) if placed else network
    return Learner(network, None, params, compute, ALONE, 0)


def counted_bytes(step: Step) -> int:
    """Return the bytes of all tensors alive at the peak of a step, which is not computed.

    These are weights, gradients, the state of the optimiser, what autograd keeps and what the
    operations return on the way. The tensors are fake ones: they have a shape and no content.
    """
    with FakeTensorMode():
        learner = learner_of(step, placed=False)
        images, labels = random_batch(step.batch, step.size, 1.0)
        learner.step(images, labels, 1e-5)  # now the optimiser has its state
        tracker = MemTracker()
        tracker.track_external(learner.network, learner.optimizer, images, labels)
        with tracker:
            learner.step(images, labels, 1e-5)
    (peak,) = tracker.get_tracker_snapshot("peak").values()
    return int(peak["Total"])


def scored_bytes(step: Step) -> int:
    """Return the bytes alive at the peak of the prediction of a batch, as the validation does."""
    with FakeTensorMode(), torch.no_grad():
        learner = learner_of(step, placed=False)
        learner.network.eval()
        images, _ = random_batch(step.batch, step.size, 1.0)
        tracker = MemTracker()
        tracker.track_external(learner.network, images)
        with tracker:
            predict_logits(learner.network, images, learner.compute)
    (peak,) = tracker.get_tracker_snapshot("peak").values()
    return int(peak["Total"])


def weight_bytes(learner: Learner) -> int:
    """Return the bytes of the weights, which are those of their gradients, too."""
    return sum(weight.numel() * weight.element_size() for weight in learner.network.parameters())


def lasting_bytes(step: Step) -> int:
    """Return the bytes that are there before a step: weights, buffers, optimiser and batch."""
    learner = learner_of(step, placed=True)
    weights = weight_bytes(learner)
    buffers = sum(item.numel() * item.element_size() for item in learner.network.buffers())
    counters = 4 * len(list(learner.network.parameters()))  # Adam's number of steps, float32
    pixels = step.batch * step.size**2
    return weights * 3 + buffers + counters + pixels * (3 + 2)  # uint8 images and int16 labels


def measured_bytes(step: Step) -> int:
    """Return by how much what torch has allocated rises in a step that is computed on a CPU."""
    learner = learner_of(step, placed=True)
    images, labels = random_batch(step.batch, step.size, 1.0)
    learner.step(images, labels, 1e-5)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        learner.step(images, labels, 1e-5)
    events = profiler.profiler.kineto_results.events()
    events = [event for event in events if event.name() == "[memory]"]
    allocated = peak = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        allocated += event.nbytes()
        peak = max(peak, allocated)
    return peak


def operations(network: Network, training: bool) -> float:
    """Count the operations of a step for one patch, or of its prediction (multiply-add: two)."""
    with torch.device("meta"):
        made = build_network(network.architecture, 3, CLASSES, network.base)
        image = torch.empty(1, 3, SIZE, SIZE)
    if network.checkpointing:
        recompute_activations(made)
    with FlopCounterMode(display=False) as counter, nullcontext() if training else torch.no_grad():
        output = made.train(training)(image)
        if training:
            output.sum().backward()
    return float(counter.get_total_flops())


def hours(network: Network, per_second: float, epochs: int) -> float:
    """Return the hours of a training on all patches and its validation, at operations a second."""
    step, scored = operations(network, True), operations(network, False)
    return epochs * (PATCHES * step + VALIDATION * scored) / per_second / 3600


def smallest_accumulation(memory: float, needed: dict[int, float]) -> int:
    """Return the smallest accumulation whose GiB fit into the GB of a GPU, or NEVER."""
    fits = [parts for parts, gib in needed.items() if gib <= USABLE * memory - ASIDE]
    return min(fits, default=NEVER)


def accumulations(batch: int) -> list[int]:
    """Return the powers of two up to the batch."""
    return [2**power for power in range(batch.bit_length()) if 2**power <= batch]


def needed_by_accumulation(step: Step) -> dict[int, float]:
    """Return the GiB of a step by accumulation; the gradients of earlier parts come on top."""
    gradients = weight_bytes(learner_of(step, placed=True))
    return {
        parts: (counted_bytes(replace(step, batch=step.batch // parts)) + gradients * (parts > 1))
        / GIB
        for parts in accumulations(step.batch)
    }


def described(step: Step) -> dict[str, object]:
    """Return the first columns of a table."""
    return {
        "network": str(step.network),
        "precision": str(step.dtype).removeprefix("torch."),
        "checkpointing": "yes" if step.network.checkpointing else "no",
    }


def shown(accumulation: int) -> str:
    """Return an accumulation as a table shows it."""
    return str(accumulation) if accumulation else "does not fit"


def print_memory(steps: Sequence[Step]) -> None:
    """Print the memory of steps by accumulation, and the accumulation by GPU."""
    needed = {step: needed_by_accumulation(step) for step in steps}
    print(f"GiB at the peak of a step of {steps[0].batch} patches of {SIZE} px, by accumulation")
    print_table(
        [
            described(step)
            | {str(parts): f"{value:.1f}" for parts, value in gib.items()}
            | {"prediction in one part": f"{scored_bytes(step) / GIB:.1f}"}
            for step, gib in needed.items()
        ]
    )
    print(f"\nThe smallest accumulation that fits, with {USABLE:.0%} less {ASIDE:g} GiB usable")
    sizes = sorted({gpu.memory for gpu in GPUS})
    print_table(
        [
            described(step)
            | {f"{size} GB": shown(smallest_accumulation(size, gib)) for size in sizes}
            for step, gib in needed.items()
        ]
    )


def print_hours(networks: Sequence[Network], share: float, epochs: int) -> None:
    """Print the hours of a training by GPU, at a share of its peak."""
    print(f"\nHours of one training of {epochs} epochs at {share:.0%} of the peak in 16 bits")
    rows = []
    for network in networks:
        again = ", checkpointing" if network.checkpointing else ""
        row: dict[str, object] = {"network": f"{network}{again}"}
        row["TFLOP a patch"] = f"{operations(network, True) / TERA:.3f}"
        for gpu in GPUS:
            needed = hours(network, share * gpu.tflops * TERA, epochs)
            row[f"{gpu.name} {gpu.memory} GB"] = f"{needed:.2f}"
        rows.append(row)
    print_table(rows)


def measured_row(step: Step, seconds: float, without: float) -> dict[str, object]:
    """Return what a step takes on this CPU, counted and measured."""
    counted = counted_bytes(step) - lasting_bytes(step)
    return described(step) | {
        "counted MiB": f"{counted / 2**20:.1f}",
        "measured MiB": f"{measured_bytes(step) / 2**20:.1f}",
        "CPU s a step": seconds,
        "time": f"{seconds / without:.2f}x",
    }


def print_measured(steps: Sequence[Step], repeats: int) -> None:
    """Compute steps on this CPU, without and with checkpointing, in turns."""
    torch.set_num_threads(1)
    rows = []
    for step in steps:
        images, labels = random_batch(step.batch, step.size, 0.1)
        networks = [replace(step.network, checkpointing=again) for again in (False, True)]
        pair = [replace(step, network=network) for network in networks]
        plain, again = (learner_of(item, placed=True) for item in pair)
        runs = {
            "plain": partial(plain.step, images, labels, 1e-5),
            "again": partial(again.step, images, labels, 1e-5),
        }
        seconds = interleave(runs, repeats, clock=time.process_time)
        for item, taken in zip(pair, seconds.values(), strict=True):
            rows.append(measured_row(item, taken, seconds["plain"]))
    print_table(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--architecture", nargs="+", choices=ARCHITECTURES, default=ARCHITECTURES)
    parser.add_argument("--base", nargs="+", type=int, default=[64])
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--size", type=int, default=SIZE)
    parser.add_argument("--precision", nargs="+", default=["bfloat16", "float32"])
    parser.add_argument("--share", type=float, default=0.3, help="of the peak, for the hours")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--measure", action="store_true", help="compute the steps on this CPU")
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    networks = [
        Network(architecture=architecture, base=base, checkpointing=checkpointing)
        for architecture in args.architecture
        for base in args.base
        for checkpointing in ((False,) if args.measure else (False, True))
    ]
    steps = [
        Step(network=network, batch=args.batch, size=args.size, dtype=getattr(torch, precision))
        for network in networks
        for precision in args.precision
    ]
    if args.measure:
        return print_measured(steps, args.repeats)
    print_memory(steps)
    print_hours(networks, args.share, args.epochs)


if __name__ == "__main__":
    main()
