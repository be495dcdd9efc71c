"""Many orthophotos by src/predict.py: one process and workers, and what its parts cost."""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import rasterio
import torch
from rasterio.windows import Window

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "src"))  # nothing is installed: the stages find partialseg so too

from orthophoto import GSD, READING, measure, write_checkpoint, write_orthophoto
from partialseg.mapping.cog import new_strip
from partialseg.mapping.orthophoto import open_orthophoto
from partialseg.mapping.predict import stitching_of
from partialseg.mapping.rasters import CLASSES, Predictor, join_strips, layouts
from partialseg.mapping.runtime import load_model
from synthetic import render
from timing import print_table


def command_of(folder: Path, images: int, workers: int) -> list[str]:
    """Return the command that maps so many images; 0 workers: in one process."""
    command = [ROOT / "src" / "predict.py", folder / "best.pt"]
    command += [folder / f"{number}.tif" for number in range(images)]
    command += ["--out", folder / f"maps{workers}"]
    command += ["--workers", workers] if workers else []
    return [sys.executable, *map(str, command)]


def scaling(folder: Path, images: int, most_workers: int, repeats: int) -> list[dict[str, object]]:
    """Return a row for one process and for each number of workers: the fastest of some runs."""
    with rasterio.open(folder / "0.tif") as raster:
        megapixels = images * raster.width * raster.height / 1e6
    seconds: dict[int, list[float]] = {}
    for _ in range(repeats):
        for workers in range(most_workers + 1):
            cost = measure(command_of(folder, images, workers))
            seconds.setdefault(workers, []).append(cost.seconds)
    best = {workers: min(found) for workers, found in seconds.items()}
    return [
        {
            "workers": workers or "none",
            "seconds": best[workers],
            "Mpx/s": megapixels / best[workers],
            "faster than 1 worker": f"{best[1] / best[workers]:.2f}x",
            "equal maps": all(same(folder, number, workers) for number in range(images)),
        }
        for workers in best
    ]


def same(folder: Path, number: int, workers: int) -> bool:
    """Return whether the class map of an image has the bytes of that of one process."""
    maps = (folder / f"maps{count}" / f"{number}_{CLASSES}" for count in (0, workers))
    one, other = (file.read_bytes() for file in maps)
    return one == other


def costs(folder: Path) -> list[dict[str, object]]:
    """Return what each part of the work on one image costs one core, in CPU time."""
    torch.set_num_threads(1)
    model = load_model(folder / "best.pt", False, "auto", "cpu", "auto")
    predictor = Predictor(model, READING, stitching_of(model, None, None, None))
    image, strip, out = folder / "0.tif", folder / "strip", folder / "joined"
    for new in (strip, out):
        new.mkdir()
    files = {CLASSES: strip / CLASSES}
    with open_orthophoto(image, (GSD,), READING) as orthophoto:
        height, width = orthophoto.shape
    ids = render(height, width)[1]

    def decode() -> None:
        with open_orthophoto(image, (GSD,), READING) as orthophoto:
            for top in range(0, height, 704):
                orthophoto.read(slice(top, min(top + 704, height)), slice(0, width))

    def network() -> None:
        model.probabilities(torch.zeros(1, 3, 768, 768, dtype=torch.uint8))

    def strips() -> None:
        with new_strip(
            files[CLASSES], (height, width), layouts(predictor, files)[CLASSES]
        ) as raster:
            for top in range(0, height, 512):
                pixels = ids[None, top : top + 512]
                raster.write(pixels, Window(0, top, width, pixels.shape[1]))

    def join() -> None:
        join_strips(predictor, image, [files], {CLASSES: out / CLASSES})

    network()
    megapixels = height * width / 1e6
    parts: dict[str, tuple[Callable[[], None], float]] = {
        "decode the image": (decode, megapixels),
        "network, with its overlap": (network, 0.768**2 / 1.2),
        "write a strip": (strips, megapixels),
        "join strips into a COG": (join, megapixels),
    }
    rows = []
    for name, (run, done) in parts.items():
        started, worked = time.perf_counter(), time.process_time()
        run()
        wall, cpu = time.perf_counter() - started, time.process_time() - worked
        rows.append({"part": name, "Mpx for a second of CPU": done / cpu, "Mpx/s": done / wall})
    sizes = [file.stat().st_size / megapixels / 1e6 for file in (image, files[CLASSES])]
    sizes.append((out / CLASSES).stat().st_size / megapixels / 1e6)
    print("bytes a pixel: image {:.2f}, strip {:.3f}, class map {:.3f}".format(*sizes))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--architecture", default="unet")
    parser.add_argument("--base-channels", type=int, default=16)
    parser.add_argument("--size", type=int, nargs=2, default=(3600, 3600))
    parser.add_argument("--layout", default="tiled deflate")
    parser.add_argument("--images", type=int, default=4)
    parser.add_argument("--workers", type=int, default=2, help="at most")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--only-costs", action="store_true", help="of the parts, without workers")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_checkpoint(folder / "best.pt", args.architecture, args.base_channels)
        write_orthophoto(folder / "0.tif", *args.size, args.layout)
        for number in range(1, args.images):
            os.link(folder / "0.tif", folder / f"{number}.tif")
        print_table(costs(folder))
        if not args.only_costs:
            print_table(scaling(folder, args.images, args.workers, args.repeats))


if __name__ == "__main__":
    main()
