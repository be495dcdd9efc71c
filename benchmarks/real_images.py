"""Test mIoU on the aerial images of Dubai, each tile held out in turn: `tuned`, a MONAI loop.

They are read as params.yaml's `folder` says. Both sides see the same labels and equally many
pixels, and are scored after the last epoch. Results are added to a JSON file that keeps what it
has, so that a machine can work through the tiles in pieces; one by other parameters, patches or
precision takes a file of its own.
"""

import argparse
import statistics
import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from tabulate import tabulate

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "src"))  # nothing is installed: the stages find partialseg so too

from partialseg.core.params import load_section
from partialseg.datasets.folder.download import Download, download
from partialseg.engine.compute import Compute, choose_compute
from partialseg.evaluation.params import Evaluate
from partialseg.labelling.label import label
from partialseg.labelling.labels import LabelStore
from partialseg.labelling.params import Label
from partialseg.tiling.params import Tile
from partialseg.tiling.patches import PatchStore
from partialseg.tiling.tile import tile
from partialseg.training.params import Train
from trainings import Data, Meter, Task, add, is_done, made_by, read, train_monai, train_ours

PARAMS = ROOT / "params.yaml"
SECTION = "datasets.folder"
TILES = ("1", "2", "3", "4", "6", "7")
FRACTION, SEED, BASE = 0.1, 42, 16
SIDES = {"tuned": train_ours, "monai": train_monai}


def data_of(source: Path, held_out: str, folder: Path) -> Data:
    """Return patches and labels with a tile held out to test, and the next one to validate."""
    after = TILES[(TILES.index(held_out) + 1) % len(TILES)]
    params = load_section(PARAMS, f"{SECTION}.tile", Tile)
    tile(source, folder, replace(params, test=f"Tile_{held_out}_*", val=f"Tile_{after}_*"))
    labels = folder.with_name("labels")
    label(folder, labels, FRACTION, SEED, load_section(PARAMS, f"{SECTION}.label", Label))
    store = PatchStore(folder)
    names = [patch.name for patch in store.of_split("train")]
    return Data(store=store, labels=LabelStore(labels, names))


def params_of(side: str) -> Train:
    """Return the parameters of `tuned`, or of a plain loop: whole patches, flips and turns."""
    params = load_section(PARAMS, f"{SECTION}.train", Train, f"{SECTION}.recipes.tuned")
    params = replace(params, base_channels=BASE, select="last")
    if side == "tuned":
        return params
    still = replace(params.augment.colour_jitter, probability=0.0)
    augment = replace(params.augment, colour_jitter=still)
    plain = {"crop": 0, "batch_size": 4, "optimizer": "adamw", "weight_decay": 1e-2}
    return replace(params, augment=augment, **plain)


def measure(side: str, data: Data, params: Train, compute: Compute) -> dict[str, Any]:
    """Train; return the scores of the end."""
    task = Task(side=side, architecture="unet", seed=SEED)
    *_, (network, epoch, seconds) = SIDES[side](task, data, params, compute)
    meter = Meter(data, load_section(PARAMS, f"{SECTION}.evaluate", Evaluate), compute)
    patches = {split: len(data.store.of_split(split)) for split in ("train", "val", "test")}
    return {"patches": patches} | meter.point(network, epoch, seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", help="the folder with images/ and masks/")
    parser.add_argument("--tiles", nargs="+", default=TILES, choices=TILES)
    parser.add_argument("--results", type=Path, default=ROOT / "docs" / "evidence" / "real.json")
    parser.add_argument("--precision", default="auto", choices=["auto", "float32", "bfloat16"])
    args = parser.parse_args()
    torch.set_num_threads(1)
    compute = choose_compute(args.precision, "cpu")
    shown = []
    with TemporaryDirectory() as folder:
        source = Path(folder) / "source"
        read_as = load_section(PARAMS, f"{SECTION}.download", Download)
        download(replace(read_as, path=args.images), source)
        for held_out in args.tiles:
            data = data_of(source, held_out, Path(folder) / held_out / "patches")
            for side in SIDES:
                params = params_of(side)
                keys = {"tile": held_out, "side": side}
                made = keys | made_by(params, data.store, compute)
                if not is_done(args.results, keys, made):
                    add(args.results, made | measure(side, data, params, compute))
                    print(read(args.results)[-1], flush=True)
                shown += [item for item in read(args.results) if made.items() <= item.items()]
    rows = [
        {"tile held out": held_out}
        | {item["side"]: item["test_miou"] for item in shown if item["tile"] == held_out}
        for held_out in args.tiles
    ]
    means = {side: statistics.fmean(row[side] for row in rows) for side in SIDES}
    print(tabulate([*rows, {"tile held out": "mean"} | means], "keys", "github", floatfmt=".4f"))


if __name__ == "__main__":
    try:
        main()
    except ValueError as error:
        sys.exit(f"error: {error}")
