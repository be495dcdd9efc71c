"""Seams: how much of a map changes when the grid of tiles moves, and what the overlap costs."""

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "src"))  # nothing is installed: the stages find partialseg so too

from orthophoto import READING
from partialseg.datasets.sample.render import render_orthophoto
from partialseg.mapping.model import Model
from partialseg.mapping.orthophoto import open_orthophoto
from partialseg.mapping.runtime import load_model
from partialseg.mapping.stitch import predict_blocks
from partialseg.mapping.tiles import Stitching, tiles_along
from synthetic import SIZE, write_georeferenced
from timing import print_table

SHIFT = 112  # px: tiles start at multiples of 16, but at no other common place
BORDER = 64  # px beside the cut edge, where the shifted image shows the network less
CLOSE = 0.03  # difference of probabilities


def probabilities(model: Model, image: Path, stitching: Stitching) -> NDArray[np.float32]:
    """Return the class probabilities (C, H, W) of an image."""
    sizes = model.info.ground_sampling_distances
    with open_orthophoto(image, sizes, READING) as orthophoto:
        whole = np.empty((len(model.info.class_names), *orthophoto.shape), np.float32)
        for block in predict_blocks(model, orthophoto, stitching, lambda share: None):
            rows, columns = block.window.toslices()
            whole[:, rows, columns] = block.probabilities
    return whole


def kept(model: Model, folder: Path, stitching: Stitching) -> tuple[float, float]:
    """Return the shares of pixels with the same class, and with close probabilities."""
    inner = slice(BORDER, None)
    image, part = (probabilities(model, folder / name, stitching) for name in ("a.tif", "b.tif"))
    first, second = image[:, SHIFT:, SHIFT:][:, inner, inner], part[:, inner, inner]
    same = first.argmax(axis=0) == second.argmax(axis=0)
    close = abs(first - second).max(axis=0) <= CLOSE
    return float(same.mean()), float(close.mean())


def times_the_pixels(stitching: Stitching) -> float:
    """Return how many pixels the network sees for one of an orthophoto of LandCover.ai's size."""
    axes = [tiles_along(side, stitching.tile, stitching.overlap) for side in SIZE]
    seen = np.prod([len(tiles.starts) * tiles.length for tiles in axes])
    return float(seen / np.prod(SIZE))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoints", type=Path, nargs="+", help="trained networks of the sample")
    parser.add_argument("--tiles", type=int, nargs="+", default=[512, 768, 1024])
    parser.add_argument("--overlaps", type=int, nargs="+", default=[0, 32, 48, 64, 96, 128])
    parser.add_argument("--size", type=int, default=1700)
    args = parser.parse_args()
    models = [load_model(file, False, "auto", "", "auto") for file in args.checkpoints]
    image = render_orthophoto(7, "seams", args.size, args.size)[0]
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        gsd = models[0].info.ground_sampling_distances[0]
        write_georeferenced(folder / "a.tif", image, "strips", gsd)
        write_georeferenced(folder / "b.tif", image[SHIFT:, SHIFT:], "strips", gsd)
        for tile in args.tiles:
            for overlap in args.overlaps:
                stitching = Stitching(tile=tile, overlap=overlap, batch_size=1)
                row = {
                    "tile": tile,
                    "overlap": overlap,
                    "times the pixels": f"{times_the_pixels(stitching):.2f}",
                }
                for file, model in zip(args.checkpoints, models, strict=True):
                    same, close = kept(model, folder, stitching)
                    row[f"{file.parent.name}: classes kept"] = f"{same:.2%}"
                    row[f"{file.parent.name}: close"] = f"{close:.2%}"
                rows.append(row)
    print_table(rows)


if __name__ == "__main__":
    main()
