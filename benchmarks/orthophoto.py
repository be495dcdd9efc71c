"""Whole orthophotos: src/predict.py against earlier commits, its network alone and other loops."""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import copyfile
from statistics import median

import numpy as np
import rasterio
import torch

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "src"))  # nothing is installed: the stages find partialseg so too

from map_peers import geoai_side, plain_loop
from partialseg.engine.batches import MEAN, STD
from partialseg.engine.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from partialseg.engine.curves import EpochRecord
from partialseg.mapping.orthophoto import Reading, open_orthophoto
from partialseg.mapping.predict import stitching_of
from partialseg.mapping.runtime import load_model
from partialseg.mapping.tiles import tiles_along
from partialseg.models.build import build_network
from partialseg.source.legend import LANDCOVER_AI
from partialseg.tiling.patches import Imagery
from synthetic import SIZE, render, write_georeferenced
from timing import print_table

# predict.py of this checkout in the runtime that it chooses, and in torch; of an earlier one.
OURS, TORCH, EARLIER = "predict.py", "predict.py, torch", "earlier predict.py"
ALONE, LOOP, GEOAI = "network alone", "plain loop", "geoai"
# Entries of a checkpoint that commit 2db57f6 does not know, and refuses.
LATER = ("imagery", "source_size", "accumulation")
READING = Reading(bands=(1, 2, 3), stretch=None, gsd=None, resample=True)
PATCH, GSD = 384, 0.25


@dataclass(frozen=True)
class Cost:
    """Seconds by the clock and of the processors, and the peak of the memory in MiB."""

    seconds: float
    cpu_seconds: float
    mebibytes: float


def write_checkpoint(file: Path, architecture: str, base_channels: int, gsd: float = GSD) -> None:
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
        imagery=Imagery(),
        patch_size=PATCH,
        source_size=PATCH,
        ground_sampling_distances=[gsd],
        label_fraction=0.1,
        labelled_share=0.1,
        clicks=None,
        annotation_seconds=None,
        seed=0,
        class_weights=None,
        compute="none",
        accumulation=1,
        commit="",
        history=[EpochRecord(**zeros | {"epoch": 1})],
        weights=network.state_dict(),
    )
    save_checkpoint(checkpoint, file)


def write_earlier_checkpoint(file: Path, earlier: Path) -> None:
    """Write a checkpoint as commit 2db57f6 reads it."""
    content = torch.load(file, weights_only=True)
    torch.save({key: value for key, value in content.items() if key not in LATER}, earlier)


def write_orthophoto(file: Path, height: int, width: int, layout: str) -> None:
    """Write a rendered orthophoto with pixels of GSD metres."""
    write_georeferenced(file, render(height, width)[0], layout, GSD)


def network_alone(folder: Path) -> None:
    """Predict as many tiles as predict.py does, all of them in memory."""
    model = load_model(folder / "best.pt", False, "auto", "", "auto")
    with open_orthophoto(
        folder / "a.tif", model.info.ground_sampling_distances, READING
    ) as orthophoto:
        shape = orthophoto.shape
    stitching = stitching_of(model, None, None, None)
    rows, columns = (tiles_along(side, stitching.tile, stitching.overlap) for side in shape)
    tiles = torch.zeros(stitching.batch_size, 3, rows.length, columns.length, dtype=torch.uint8)
    model.probabilities(tiles)
    started, worked = time.perf_counter(), time.process_time()
    for _ in rows.starts:
        for first in range(0, len(columns.starts), stitching.batch_size):
            model.probabilities(tiles[: len(columns.starts) - first])
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - worked
    print(json.dumps({"seconds": seconds, "cpu_seconds": cpu_seconds}))


def command_of(side: str, folder: Path, earlier: Path | None = None) -> list[str]:
    """Return the command that runs a side."""
    if side in (OURS, TORCH, EARLIER):
        root, checkpoint = ROOT, folder / "best.pt"
        if side == EARLIER and earlier:
            root, checkpoint = earlier, folder / "earlier.pt"
        command = [root / "src" / "predict.py", checkpoint, folder / "a.tif"]
        command += ["--out", folder / side]
        command += ["--runtime", "torch"] if side == TORCH else []
    else:
        command = [__file__, "--side", side, "--folder", folder]
    return [sys.executable, *map(str, command)]


def measure(command: Sequence[str]) -> Cost:
    """Return what a command costs in a process of its own; if it prints its times, then those."""
    before = time.perf_counter()
    # A process that only waits: the peak of its children is that of the one side.
    script = (
        "import resource, subprocess, sys; done = subprocess.run(sys.argv[1:], check=True,"
        "capture_output=True, text=True); used = resource.getrusage(resource.RUSAGE_CHILDREN);"
        "print(used.ru_maxrss, used.ru_utime + used.ru_stime); print(done.stdout)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *command], check=True, capture_output=True, text=True
    )
    seconds = time.perf_counter() - before
    used, *printed = done.stdout.splitlines()
    peak, cpu_seconds = map(float, used.split())
    # Linux counts it in KiB, macOS in bytes.
    mebibytes = peak / (2**20 if sys.platform == "darwin" else 2**10)
    if printed and printed[0].startswith("{"):
        return Cost(**json.loads(printed[0]), mebibytes=mebibytes)
    return Cost(seconds, cpu_seconds, mebibytes)


def share_kept(folder: Path, side: str) -> str:
    """Return the share of pixels that have the class of predict.py, '' without a map."""
    files = {
        name: folder / name / "a_classes.tif"
        if name in (OURS, TORCH, EARLIER)
        else folder / f"{name}.tif"
        for name in (side, OURS)
    }
    if side == ALONE:
        return ""
    maps = []
    for file in files.values():
        with rasterio.open(file) as raster:
            maps.append(raster.read(1))
    return f"{np.mean(maps[0] == maps[-1]):.3%}"


def compare(
    folder: Path, network: str, commands: dict[str, list[str]], repeats: int
) -> list[dict[str, object]]:
    """Return a row for each side, run in turns."""
    turns = [{side: measure(command) for side, command in commands.items()} for _ in range(repeats)]
    with rasterio.open(folder / "a.tif") as raster:
        megapixels = raster.width * raster.height / 1e6
    seconds = {side: median(turn[side].seconds for turn in turns) for side in commands}
    cpu_seconds = {side: median(turn[side].cpu_seconds for turn in turns) for side in commands}
    return [
        {
            "network": network,
            "side": side,
            "seconds": seconds[side],
            "CPU s": cpu_seconds[side],
            "Mpx/s": megapixels / seconds[side],
            "MiB": max(turn[side].mebibytes for turn in turns),
            "predict.py is faster": f"{seconds[side] / seconds[OURS]:.2f}x",
            "in CPU time": f"{cpu_seconds[side] / cpu_seconds[OURS]:.2f}x",
            "classes as predict.py": share_kept(folder, side),
        }
        for side in commands
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--architecture", default="unet")
    parser.add_argument("--base-channels", type=int, nargs="+", default=[16])
    parser.add_argument("--checkpoint", type=Path, help="a trained network, instead of random ones")
    parser.add_argument("--gsd", type=float, default=GSD, help="pixel size of the training, metres")
    parser.add_argument("--size", type=int, nargs=2, default=SIZE, metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--layout", default="tiled deflate")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--earlier", type=Path, help="a checkout of an earlier commit")
    parser.add_argument("--geoai", type=Path, help="the unpacked wheel of geoai-py 0.40.1")
    parser.add_argument("--whole", action="store_true", help="whole commands of others alone")
    parser.add_argument("--side", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.side == GEOAI:
        return geoai_side(args.folder, args.geoai)
    if args.side:
        return {ALONE: network_alone, LOOP: plain_loop}[args.side](args.folder)
    sides = [OURS, LOOP] if args.whole else [OURS, TORCH, ALONE, LOOP]
    sides += [EARLIER] if args.earlier else []
    sides += [GEOAI] if args.geoai else []
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        commands = {side: command_of(side, folder, args.earlier) for side in sides}
        if args.geoai:
            commands[GEOAI] += ["--geoai", str(args.geoai.resolve())]
        write_orthophoto(folder / "a.tif", *args.size, args.layout)
        for base_channels in args.base_channels if args.checkpoint is None else [None]:
            if base_channels is None:
                copyfile(args.checkpoint, folder / "best.pt")
                found = load_checkpoint(args.checkpoint)
                network = f"{found.architecture}, base {found.base_channels}, trained"
            else:
                network = f"{args.architecture}, base {base_channels}"
                write_checkpoint(folder / "best.pt", args.architecture, base_channels, args.gsd)
            if args.earlier:
                write_earlier_checkpoint(folder / "best.pt", folder / "earlier.pt")
            rows += compare(folder, network, commands, args.repeats)
    print_table(rows)


if __name__ == "__main__":
    main()
