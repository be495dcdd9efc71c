"""One optimisation step of our networks against MONAI's and against a plain float32 loop."""

import argparse
import copy
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "src"))  # nothing is installed: the stages find partialseg so too

from partialseg.core.classes import IGNORE_INDEX
from partialseg.core.params import load_section
from partialseg.engine.batches import normalise
from partialseg.engine.compute import Compute, choose_algorithms, choose_compute
from partialseg.engine.ranks import ALONE
from partialseg.loss import partial_cross_entropy
from partialseg.models.blocks import UpConv
from partialseg.models.build import ARCHITECTURES, build_network
from partialseg.training.learner import Learner
from partialseg.training.params import Train
from timing import interleave, print_table

CLASSES = 5
LABELLED = 0.1


@dataclass(frozen=True)
class Side:
    """A network's training step, the type it computes in, and its operations for one image."""

    step: Callable[[], object]
    dtype: torch.dtype
    gflop: float


def random_batch(batch: int, size: int, labelled: float) -> tuple[Tensor, Tensor]:
    """Return images and labels, of which a share is labelled: always the same, as seed 0."""
    torch.manual_seed(0)
    images = torch.randint(0, 256, (batch, 3, size, size), dtype=torch.uint8)
    labels = torch.randint(0, CLASSES, (batch, size, size), dtype=torch.int16)
    labels[torch.rand(labels.shape) > labelled] = IGNORE_INDEX
    return images, labels


def our_side(
    architecture: str, base: int, images: Tensor, labels: Tensor, compute: Compute, compiled: bool
) -> Side:
    """Return a step as the train stage takes it: uint8 in, channels last, autocast, fused Adam."""
    params = load_section(ROOT / "params.yaml", "datasets.landcover_ai.train", Train)
    network = build_network(architecture, 3, CLASSES, base)
    gflop = gflop_of_a_step(network, images.shape[-1])
    learner = Learner(
        compute.place(network), None, replace(params, compile=compiled), compute, ALONE, 0
    )
    return Side(lambda: learner.step(images, labels, params.learning_rate), compute.dtype, gflop)


def monai_network(architecture: str, base: int, classes: int = CLASSES) -> nn.Module:
    """Return MONAI's network of the same five widths, with its own norm and activation."""
    from monai.networks.nets import BasicUNet, BasicUNetPlusPlus  # so that tests need no peers

    kind = {"unet": BasicUNet, "unetplusplus": BasicUNetPlusPlus}[architecture]
    features = tuple(base * factor for factor in (1, 2, 4, 8, 16, 1))
    return kind(spatial_dims=2, in_channels=3, out_channels=classes, features=features)


def plain_network(architecture: str, base: int) -> nn.Module:
    """Return our network with torch's own transposed convolution: ours expects channels last."""
    network = build_network(architecture, 3, CLASSES, base)
    for module in network.modules():
        if isinstance(module, UpConv):
            module.forward = partial(nn.ConvTranspose2d.forward, module)
    return network


def plain_side(
    network: nn.Module, images: Tensor, labels: Tensor, compute: Compute, fused: bool | None = None
) -> Side:
    """Return a step as most people write it; images lie on the device already, normalised."""
    gflop = gflop_of_a_step(network, images.shape[-1])
    network = network.to(compute.device).train()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-5, weight_decay=1e-4, fused=fused)
    scaler = compute.grad_scaler()
    inputs, targets = normalise(images.to(compute.device)), compute.to_labels(labels)

    def step() -> None:
        optimizer.zero_grad()
        with compute.autocast():
            logits = only_head(network(inputs))
        scaler.scale(partial_cross_entropy(logits, targets, None)).backward()
        scaler.step(optimizer)
        scaler.update()

    return Side(step, compute.dtype, gflop)


def only_head(outputs: Tensor | list[Tensor]) -> Tensor:
    """Return the logits; MONAI's UNet++ has them in a list of one."""
    return outputs[0] if isinstance(outputs, list) else outputs


def gflop_of_a_step(network: nn.Module, size: int) -> float:
    """Count 1e9 operations (a multiply-add is two) of forward and backward for one image."""
    twin = copy.deepcopy(network).to("meta")
    with FlopCounterMode(display=False) as counter:
        only_head(twin(torch.empty(1, 3, size, size, device="meta"))).sum().backward()
    return counter.get_total_flops() / 1e9


def measured_peak(compute: Compute) -> float:
    """Return the GFLOP/s of the fastest of many large matrix products in the type of compute."""
    side = 8192 if compute.device.type == "cuda" else 2048
    matrix = torch.randn(side, side, device=compute.device, dtype=compute.dtype)
    product = synchronised(lambda: matrix @ matrix, compute)
    fastest = min(interleave({"product": product}, 1)["product"] for _ in range(20))
    return 2 * side**3 / fastest / 1e9


def synchronised(step: Callable[[], object], compute: Compute) -> Callable[[], object]:
    """Return the step with a wait for the device behind it."""

    def run() -> None:
        step()
        if compute.device.type == "cuda":
            torch.cuda.synchronize()

    return run


def compare(
    architecture: str,
    base: int,
    size: int,
    args: argparse.Namespace,
    compute: Compute,
    peaks: Mapping[torch.dtype, float],
) -> list[dict[str, object]]:
    """Measure one network at one size; return a row a side."""
    images, labels = random_batch(args.batch, size, LABELLED)
    ours = partial(our_side, architecture, base, images, labels, compute)
    sides = {"ours": ours(compiled=False)}
    if args.compile:
        sides["ours, compiled"] = ours(compiled=True)
    peer = monai_network(architecture, base)
    sides["MONAI"] = plain_side(peer, images, labels, compute, fused=True)
    network = plain_network(architecture, base)
    float32 = Compute(compute.device, torch.float32)
    sides["ours in a plain loop"] = plain_side(network, images, labels, float32)
    steps = {name: synchronised(side.step, compute) for name, side in sides.items()}
    seconds = interleave(steps, args.repeats, args.warm_ups)
    rows: list[dict[str, object]] = []
    for name, side in sides.items():
        rate = side.gflop * args.batch / seconds[name]
        rows.append(
            {
                "network": f"{architecture}, base {base}, {size} px",
                "side": f"{name}, {str(side.dtype).removeprefix('torch.')}",
                "images/s": args.batch / seconds[name],
                "GFLOP/s": rate,
                "of the peak": f"{rate / peaks[side.dtype]:.0%}",
                "ours is faster": f"{seconds[name] / seconds['ours']:.2f}x",
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--architecture", nargs="+", choices=ARCHITECTURES, default=ARCHITECTURES)
    parser.add_argument("--base", nargs="+", type=int, default=[16, 64])
    parser.add_argument("--size", nargs="+", type=int, default=[128, 384])
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--warm-ups", type=int, default=2)
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--compile", action="store_true", help="torch.compile beside eager")
    args = parser.parse_args()
    choose_algorithms(deterministic=False)
    compute = choose_compute(args.precision)
    types = {compute.dtype, torch.float32}
    peaks = {dtype: measured_peak(Compute(compute.device, dtype)) for dtype in types}
    print(f"{compute}; batch {args.batch}; {torch.get_num_threads()} threads; torch ", end="")
    print(f"{torch.__version__}; matrix products: ", end="")
    print(", ".join(f"{peak:.0f} GFLOP/s in {dtype}" for dtype, peak in peaks.items()))
    rows = [
        row
        for architecture in args.architecture
        for base in args.base
        for size in args.size
        for row in compare(architecture, base, size, args, compute, peaks)
    ]
    print_table(rows)


if __name__ == "__main__":
    main()
