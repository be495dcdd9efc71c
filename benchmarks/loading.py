"""Our patches and loader against JPEG tiles, PNG masks and the same albumentations."""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "src"))  # nothing is installed: the stages find partialseg so too
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

import albumentations as A  # noqa: N812
from albumentations.pytorch import ToTensorV2

from partialseg.core.params import load_section
from partialseg.engine.batches import MEAN, STD
from partialseg.engine.compute import Compute, choose_compute
from partialseg.engine.ranks import ALONE
from partialseg.labelling.label import label
from partialseg.labelling.labels import LabelStore
from partialseg.labelling.params import Label
from partialseg.source.index import write_index
from partialseg.source.legend import LANDCOVER_AI
from partialseg.tiling.params import Tile
from partialseg.tiling.patches import PatchStore
from partialseg.tiling.tile import tile
from partialseg.training.augment import Augment, moves
from partialseg.training.data import EpochBatches, Shown, TrainPatches, train_loader
from partialseg.training.params import Train
from synthetic import render, write_tiff
from timing import interleave, print_table

Batch = tuple[Tensor, Tensor]
FRACTION, SEED = 0.1, 42


class JpegTiles(Dataset[Batch]):
    """Tiles as the official loop writes them, augmented and normalised in the worker."""

    def __init__(self, folder: Path, names: list[str], augment: Augment) -> None:
        self._files = [(f"{folder}/{name}.jpg", f"{folder}/{name}_m.png") for name in names]
        normalise = A.Normalize([m / 255 for m in MEAN], [s / 255 for s in STD])
        self._transform = A.Compose([*moves(augment), normalise, ToTensorV2()])

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, index: int) -> Batch:
        image_file, mask_file = self._files[index]
        image = cv2.cvtColor(cv2.imread(image_file), cv2.COLOR_BGR2RGB)
        mask = cv2.imread(mask_file, cv2.IMREAD_GRAYSCALE)
        moved = self._transform(image=image, mask=mask)
        return moved["image"], moved["mask"]


def our_epochs(
    store: PatchStore, labels: LabelStore, train: Train, batch: int, workers: int, compute: Compute
) -> Callable[[], None]:
    """Return an epoch as the train stage reads it; the device normalises."""
    patches = TrainPatches(store, labels, train.augment, SEED, train.crop)
    order = EpochBatches(Shown(often=[1] * len(patches)), batch, 1, SEED, ALONE)
    loader = train_loader(patches, order, workers)

    def epoch() -> None:
        order.epoch += 1
        for images, truth in loader:
            compute.to_input(images), compute.to_labels(truth)

    return epoch


def their_epochs(
    tiles: JpegTiles, batch: int, workers: int, compute: Compute
) -> Callable[[], None]:
    """Return an epoch of the JPEG tiles, whose workers live on too."""
    loader = DataLoader(
        tiles,
        batch_size=batch,
        shuffle=True,
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=torch.cuda.is_available(),
    )

    def epoch() -> None:
        for images, truth in loader:
            images = images.to(compute.device, non_blocking=True)
            images.contiguous(memory_format=torch.channels_last), compute.to_labels(truth)

    return epoch


def prepare(folder: Path, params: Tile, cells: int) -> tuple[PatchStore, LabelStore, list[str]]:
    """Write the same patches as a store with labels, and as JPEG and PNG files."""
    side = cells * params.source_size
    image, ids = render(side, side)
    write_tiff(folder / "images" / "a.tif", image, "strips")
    write_tiff(folder / "masks" / "a.tif", ids, "strips")
    write_index(folder, folder / "images", folder / "masks", LANDCOVER_AI)
    tile(folder, folder / "patches", params)
    drawn = load_section(ROOT / "params.yaml", "datasets.landcover_ai.label", Label)
    label(folder / "patches", folder / "labels", FRACTION, SEED, drawn)
    store = PatchStore(folder / "patches")
    patches = store.of_split("train")
    names = [patch.name for patch in patches]
    for patch in patches:
        bgr = cv2.cvtColor(store.image(patch), cv2.COLOR_RGB2BGR)
        cv2.imwrite(f"{folder}/{patch.name}.jpg", bgr)
        cv2.imwrite(f"{folder}/{patch.name}_m.png", np.dstack([store.truth(patch)] * 3))
    return store, LabelStore(folder / "labels", names), names


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", nargs="+", type=int, default=[0, 2])
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--cells", type=int, default=15, help="patches in a row and in a column")
    parser.add_argument("--repeats", type=int, default=7)
    args = parser.parse_args()
    train = load_section(ROOT / "params.yaml", "datasets.landcover_ai.train", Train)
    cut = Tile(
        source_size=512,
        size=384,
        split="random",
        split_seed=1,
        val=0.01,
        test=0.01,
        train_truth="masks",
    )
    compute = choose_compute("auto")
    torch.set_num_threads(1)  # idle threads of this process would spin on the workers' cores
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        store, labels, names = prepare(Path(folder), cut, args.cells)
        tiles = JpegTiles(Path(folder), names, train.augment)
        for workers in args.workers:
            sides = {
                "ours": our_epochs(store, labels, train, args.batch, workers, compute),
                "JPEG and PNG tiles": their_epochs(tiles, args.batch, workers, compute),
            }
            seconds = interleave(sides, args.repeats)
            rows += [
                {
                    "workers": workers,
                    "side": name,
                    "images/s": len(names) / seconds[name],
                    "ours is faster": f"{seconds[name] / seconds['ours']:.2f}x",
                }
                for name in sides
            ]
    print(f"{len(names)} patches of {cut.size} px, batches of {args.batch}, {compute}")
    print_table(rows)


if __name__ == "__main__":
    main()
