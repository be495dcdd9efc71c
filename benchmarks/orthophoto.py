"""Whole orthophotos: src/predict.py against its network alone, and against a plain loop."""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import cv2
import numpy as np
import rasterio
import torch
from affine import Affine

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "src"))  # nothing is installed: the stages find partialseg so too

from partialseg.engine.batches import MEAN, STD, image_tensor
from partialseg.engine.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from partialseg.engine.compute import choose_compute
from partialseg.engine.curves import EpochRecord
from partialseg.mapping.model import TorchModel
from partialseg.mapping.orthophoto import Reading, open_orthophoto
from partialseg.mapping.stitch import Stitching, tiles_along
from partialseg.models.build import build_network
from partialseg.source.legend import LANDCOVER_AI
from synthetic import SIZE, render, write_tiff
from timing import print_table

SIDES = ("predict.py", "network alone", "plain loop")
READING = Reading(bands=(1, 2, 3), stretch=None, gsd=None, resample=True)
PATCH, GSD, BATCH = 384, 1 / 3, 4


def write_checkpoint(file: Path, architecture: str, base_channels: int) -> None:
    """Write a checkpoint of random weights: they take as long as trained ones."""
    network = build_network(architecture, 3, len(LANDCOVER_AI.classes), base_channels)
    zeros = dict.fromkeys(EpochRecord.__dataclass_fields__, 0.0)
    checkpoint = Checkpoint(
        dataset="none",
        split="none",
        architecture=architecture,
        labelling="none",
        recipe="none",
        base_channels=base_channels,
        deep_supervision=False,
        class_names=list(LANDCOVER_AI.names),
        palette=list(LANDCOVER_AI.palette),
        mean=MEAN,
        std=STD,
        patch_size=PATCH,
        ground_sampling_distances=[GSD],
        label_fraction=0.1,
        labelled_share=0.1,
        clicks=None,
        annotation_seconds=None,
        seed=0,
        class_weights=None,
        compute="none",
        commit="",
        history=[EpochRecord(**zeros | {"epoch": 1})],
        weights=network.state_dict(),
    )
    save_checkpoint(checkpoint, file)


def write_orthophoto(file: Path, height: int, width: int, layout: str) -> None:
    """Write a georeferenced orthophoto with pixels of 0.25 m."""
    write_tiff(file, render(height, width)[0], layout)
    with rasterio.open(file, "r+") as raster:
        raster.crs, raster.transform = "EPSG:2180", Affine(0.25, 0, 5e5, 0, -0.25, 6e5)


def network_alone(folder: Path) -> None:
    """Predict as many tiles as predict.py does, all of them in memory."""
    model = TorchModel(load_checkpoint(folder / "best.pt"), choose_compute("auto"))
    with open_orthophoto(folder / "a.tif", [GSD], READING) as orthophoto:
        height, width = orthophoto.shape
    stitching = Stitching.for_patches(PATCH, None, None, BATCH)
    rows, columns = (
        tiles_along(side, stitching.tile, stitching.overlap) for side in (height, width)
    )
    tiles = torch.zeros(BATCH, 3, rows.length, columns.length, dtype=torch.uint8)
    model.probabilities(tiles)
    started = time.perf_counter()
    for _ in rows.starts:
        for first in range(0, len(columns.starts), BATCH):
            model.probabilities(tiles[: len(columns.starts) - first])
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    print(json.dumps({"seconds": time.perf_counter() - started}))


def plain_loop(folder: Path) -> None:
    """Segment as tutorials do: all in memory, tiles side by side, one GeoTIFF."""
    model = TorchModel(load_checkpoint(folder / "best.pt"), choose_compute("auto"))
    with rasterio.open(folder / "a.tif") as raster:
        profile = raster.profile | {"count": 1, "compress": "deflate"}
        image = np.moveaxis(raster.read(), 0, -1)
    height, width = (round(side * 0.25 / GSD) for side in image.shape[:2])
    small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    padded = np.pad(small, ((0, -height % PATCH), (0, -width % PATCH), (0, 0)))
    ids = np.zeros(padded.shape[:2], np.uint8)
    for row in range(0, height, PATCH):
        for column in range(0, width, PATCH * BATCH):
            starts = range(column, min(column + PATCH * BATCH, padded.shape[1]), PATCH)
            tiles = [padded[row : row + PATCH, start : start + PATCH] for start in starts]
            predicted = model.probabilities(torch.stack([image_tensor(tile) for tile in tiles]))
            for start, tile in zip(starts, predicted.argmax(dim=1).cpu().numpy(), strict=True):
                ids[row : row + PATCH, start : start + PATCH] = tile
    size = image.shape[1], image.shape[0]
    full = cv2.resize(ids[:height, :width], size, interpolation=cv2.INTER_NEAREST_EXACT)
    with rasterio.open(folder / "plain.tif", "w", **profile) as raster:
        raster.write(full, 1)


def command_of(side: str, folder: Path) -> list[str]:
    """Return the command that runs a side."""
    if side == "predict.py":
        options = ["--batch-size", str(BATCH), "--out", str(folder / "maps")]
        command = [ROOT / "src" / "predict.py", folder / "best.pt", folder / "a.tif", *options]
    else:
        command = [__file__, "--side", side, "--folder", folder]
    return [sys.executable, *map(str, command)]


def measure(side: str, folder: Path) -> tuple[float, float]:
    """Return the seconds of a side and the peak of its memory in MiB, in a process of its own."""
    before = time.perf_counter()
    # A process that only waits: the peak of its children is that of the one side.
    script = (
        "import resource, subprocess, sys; done = subprocess.run(sys.argv[1:], check=True,"
        "capture_output=True, text=True);"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss);print(done.stdout)"
    )
    command = [sys.executable, "-c", script, *command_of(side, folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds = time.perf_counter() - before
    peak, *printed = done.stdout.splitlines()
    if side == "network alone":
        seconds = json.loads(printed[0])["seconds"]
    # Linux counts it in KiB, macOS in bytes.
    return seconds, int(peak) / (2**20 if sys.platform == "darwin" else 2**10)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--architecture", default="unet")
    parser.add_argument("--base-channels", type=int, nargs="+", default=[8, 32])
    parser.add_argument("--size", type=int, nargs=2, default=SIZE, metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--layout", default="tiled deflate")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.side:
        {"network alone": network_alone, "plain loop": plain_loop}[args.side](args.folder)
        return
    megapixels = args.size[0] * args.size[1] / 1e6
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_orthophoto(folder / "a.tif", *args.size, args.layout)
        for base_channels in args.base_channels:
            write_checkpoint(folder / "best.pt", args.architecture, base_channels)
            turns = [{side: measure(side, folder) for side in SIDES} for _ in range(args.repeats)]
            seconds = {side: median(turn[side][0] for turn in turns) for side in SIDES}
            for side in SIDES:
                rows.append(
                    {
                        "network": f"{args.architecture}, base {base_channels}",
                        "side": side,
                        "seconds": seconds[side],
                        "Mpx/s": megapixels / seconds[side],
                        "MiB": max(turn[side][1] for turn in turns),
                        "outside the network": f"{1 - seconds[SIDES[1]] / seconds[side]:.0%}",
                    }
                )
    print_table(rows)


if __name__ == "__main__":
    main()
