"""Cutting an orthophoto: our tile stage against the official loop of LandCover.ai."""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import redirect_stdout
from itertools import product
from pathlib import Path
from statistics import median

import cv2

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "src"))  # nothing is installed: the stages find partialseg so too

from partialseg.source.index import read_index, write_index
from partialseg.source.legend import LANDCOVER_AI
from partialseg.tiling.cut import Cutter
from partialseg.tiling.layout import layout_of
from partialseg.tiling.params import Tile
from partialseg.tiling.tile import tile
from synthetic import FORMATS, SIZE, render, write_tiff
from timing import print_table

SIDES = ("official loop", "ours", "ours, whole stage")
CASES = ((512, 512), (512, 384), (384, 384))  # px of a cell in the orthophoto, and of a patch


def official_loop(source: Path, out: Path, side: int) -> int:
    """Write the full cells as split.py of the LandCover.ai archive does; return their number."""
    out.mkdir()
    written = 0
    for image_file in sorted((source / "images").glob("*.tif")):
        image = cv2.imread(str(image_file))
        mask = cv2.imread(str(source / "masks" / image_file.name))
        k = 0
        for y in range(0, image.shape[0], side):
            for x in range(0, image.shape[1], side):
                image_cell = image[y : y + side, x : x + side]
                mask_cell = mask[y : y + side, x : x + side]
                if image_cell.shape[:2] == (side, side):
                    cv2.imwrite(str(out / f"{image_file.stem}_{k}.jpg"), image_cell)
                    cv2.imwrite(str(out / f"{image_file.stem}_{k}_m.png"), mask_cell)
                    written += 1
                k += 1
    return written


def cut(name: str, source: Path, out: Path, cell: int, size: int) -> int:
    """Let one of SIDES cut a source; return the number of patches."""
    params = Tile(
        source_size=cell,
        size=size,
        split="random",
        split_seed=1,
        val=0.15,
        test=0.15,
        train_truth="masks",
    )
    match name:
        case "official loop":  # does not resample
            return official_loop(source, out, cell)
        case "ours":  # without the checksums of the source, the splits and the manifest
            index = read_index(source)
            cutter = Cutter(
                code=index.legend.code(), reading=index.reading, params=params, folder=out
            )
            layouts = [layout_of(item, None, params) for item in index.orthophotos]
            items = zip(index.orthophotos, layouts, strict=True)
            return sum(len(cutter.cut(item, layout, {})[0]) for item, layout in items)
        case _:
            with redirect_stdout(sys.stderr):  # what it tells is no result
                return len(tile(source, out, params))


def measure(name: str, source: Path, cell: int, size: int) -> None:
    """Print seconds, peak memory in MiB and patches of one side, for the process that asked."""
    with tempfile.TemporaryDirectory(dir=source) as folder:
        started = time.perf_counter()
        patches = cut(name, source, Path(folder) / "out", cell, size)
        seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts it in KiB, macOS in bytes.
    mib = peak / (2**20 if sys.platform == "darwin" else 2**10)
    print(json.dumps({"seconds": seconds, "MiB": mib, "patches": patches}))


def write_source(folder: Path, layout: str, height: int, width: int) -> None:
    """Write a source of one orthophoto."""
    image, ids = render(height, width)
    write_tiff(folder / "images" / "a.tif", image, layout)
    write_tiff(folder / "masks" / "a.tif", ids, layout)
    write_index(folder, folder / "images", folder / "masks", LANDCOVER_AI)


def in_child(*arguments: object) -> str:
    """Run this script in a process of its own, so that memory is counted for it alone."""
    command = [sys.executable, __file__, *map(str, arguments)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--layout", nargs="+", choices=FORMATS, default=list(FORMATS))
    parser.add_argument("--height", type=int, default=SIZE[0])
    parser.add_argument("--width", type=int, default=SIZE[1])
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    parser.add_argument("--write", nargs=4, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        name, source, cell, size = args.child
        return measure(name, Path(source), int(cell), int(size))
    if args.write:
        source, layout, height, width = args.write
        return write_source(Path(source), layout, int(height), int(width))
    print(f"orthophoto of {args.width} x {args.height} px")
    rows: list[dict[str, object]] = []
    for layout in args.layout:
        with tempfile.TemporaryDirectory() as source:
            in_child("--write", source, layout, args.height, args.width)
            for cell, size in CASES:
                rows += compare(source, layout, cell, size, args.repeats)
    print_table(rows)


def compare(
    source: str, layout: str, cell: int, size: int, repeats: int
) -> list[dict[str, object]]:
    """Measure all sides in turns, each time in a new process; return a row a side."""
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in SIDES}
    for _, name in product(range(1 + repeats), SIDES):
        runs[name].append(json.loads(in_child("--child", name, source, cell, size)))
    of_side = {
        name: {key: median(run[key] for run in measured[1:]) for key in measured[0]}
        for name, measured in runs.items()
    }
    official = of_side["official loop"]
    return [
        {
            "file": layout,
            "cell": f"{cell} px" if cell == size or name == SIDES[0] else f"{cell} -> {size} px",
            "side": name,
            "tiles/s": run["patches"] / run["seconds"],
            "speed": f"{official['seconds'] / run['seconds']:.2f}x",
            "peak MiB": run["MiB"],
            "memory": f"{run['MiB'] / official['MiB']:.2f}x",
        }
        for name, run in of_side.items()
    ]


if __name__ == "__main__":
    main()
