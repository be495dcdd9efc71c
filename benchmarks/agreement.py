"""Runtimes and precisions against torch in float32: how many pixels get the same class.

Each network is asked about rendered orthophotos and, if any are named, about real images, tile by
tile as by predict.py.
"""

import argparse
import itertools
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "src"))  # nothing is installed: the stages find partialseg so too

from orthophoto import READING
from partialseg.core.classes import first_largest
from partialseg.datasets.sample.render import render_orthophoto
from partialseg.engine.batches import normalise
from partialseg.engine.checkpoint import Checkpoint, load_checkpoint
from partialseg.mapping.export import export_onnx
from partialseg.mapping.model import Model, info_of, softmax
from partialseg.mapping.orthophoto import open_orthophoto
from partialseg.mapping.predict import stitching_of
from partialseg.mapping.runtime import load_model
from partialseg.mapping.stitch import predict_blocks
from synthetic import write_georeferenced
from timing import print_table

SEED = 11  # of the rendered orthophotos
SIDES = list(itertools.product(("torch", "openvino"), ("float32", "bfloat16")))


class Reference:
    """The network of a checkpoint as it was trained, by torch in float32 on the CPU."""

    tile = None
    on_gpu = False
    runtime = "reference"

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.info = info_of(checkpoint)
        self._network = checkpoint.build().eval()

    @torch.inference_mode()
    def probabilities(self, images: Tensor) -> Tensor:
        """Return the class probabilities (N, C, H, W) of images (N, 3, H, W), uint8."""
        inputs = normalise(images, self.info.mean, self.info.std)
        return softmax(self._network(inputs))


@dataclass
class Agreement:
    """How far the map of one model is from that of another."""

    pixels: int = 0
    other_class: int = 0
    largest: float = 0.0  # difference of a probability

    def row(self) -> dict[str, object]:
        """Return a row of the table."""
        return {
            "Mpx": f"{self.pixels / 1e6:.1f}",
            "same class": f"{1 - self.other_class / self.pixels:.4%}",
            "other class": self.other_class,
            "largest difference": f"{self.largest:.2g}",
        }


def compare(reference: Model, model: Model, images: Sequence[Path]) -> Agreement:
    """Return how far a model is from the reference on the pixels of images."""
    found = Agreement()
    for image in images:
        stitching = stitching_of(reference, None, None, None)
        with ExitStack() as stack:
            sizes = reference.info.ground_sampling_distances
            opened = [stack.enter_context(open_orthophoto(image, sizes, READING)) for _ in range(2)]
            sides = (
                predict_blocks(side, orthophoto, stitching, lambda share: None)
                for side, orthophoto in zip((reference, model), opened, strict=True)
            )
            for expected, block in zip(*sides, strict=True):
                first, second = expected.probabilities, block.probabilities
                found.pixels += first[0].size
                found.other_class += int((first_largest(first) != first_largest(second)).sum())
                found.largest = max(found.largest, float(abs(first - second).max()))
    return found


def models_of(file: Path, folder: Path) -> dict[str, Model]:
    """Return a checkpoint's network in all runtimes and precisions but that of the reference."""
    checkpoint = load_checkpoint(file)
    onnx = folder / "network.onnx"
    export_onnx(checkpoint.build(), info_of(checkpoint), onnx, None)
    models = [load_model(file, False, runtime, "cpu", precision) for runtime, precision in SIDES]
    models.append(load_model(onnx, True, "onnxruntime", "", "float32"))
    return {model.runtime: model for model in models}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoints", type=Path, nargs="+")
    parser.add_argument("--images", type=Path, nargs="+", default=[])
    parser.add_argument("--size", type=int, default=2000, help="of a rendered orthophoto, px")
    parser.add_argument("--rendered", type=int, default=2, help="how many of them")
    args = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rendered = [folder / f"{number}.tif" for number in range(args.rendered)]
        gsd = load_checkpoint(args.checkpoints[0]).ground_sampling_distances[0]
        for image in rendered:
            pixels = render_orthophoto(SEED, image.stem, args.size, args.size)[0]
            write_georeferenced(image, pixels, "strips", gsd)
        for checkpoint in args.checkpoints:
            reference = Reference(load_checkpoint(checkpoint))
            for side, model in models_of(checkpoint, folder).items():
                for kind, images in (("rendered", rendered), ("real", args.images)):
                    if images:
                        row = {"network": checkpoint.parent.name, "side": side, "images": kind}
                        rows.append(row | compare(reference, model, images).row())
    print_table(rows)


if __name__ == "__main__":
    main()
