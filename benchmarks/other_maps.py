"""What areas, overlay and polygons of a whole orthophoto take, made from its class map."""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.windows import Window

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "src"))  # nothing is installed: the stages find partialseg so too

from orthophoto import GSD, READING
from partialseg.engine.checkpoint import load_checkpoint, save_checkpoint
from partialseg.mapping.areas import class_areas
from partialseg.mapping.class_map import class_map_layout
from partialseg.mapping.cog import new_cog
from partialseg.mapping.frame import frame_of
from partialseg.mapping.overlay import write_overlay
from partialseg.mapping.polygons import write_polygons
from partialseg.source.legend import LANDCOVER_AI
from partialseg.source.raster import open_raster
from synthetic import PIECE, SIZE, render, write_georeferenced
from timing import print_table


def predicted(folder: Path, checkpoint: Path, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the class ids (H, W) that src/predict.py gives an image (H, W, 3)."""
    # As if the network had been trained on such pixels: nothing is resampled.
    trained = replace(load_checkpoint(checkpoint), ground_sampling_distances=[GSD], source_size=0)
    save_checkpoint(trained, folder / "best.pt")
    write_georeferenced(folder / "piece.tif", image, "tiled deflate", GSD)
    command = [ROOT / "src" / "predict.py", folder / "best.pt", folder / "piece.tif"]
    command += ["--out", folder]
    subprocess.run([sys.executable, *map(str, command)], check=True, capture_output=True)
    with rasterio.open(folder / "piece_classes.tif") as raster:
        ids: NDArray[np.uint8] = raster.read(1)
    return ids


def write_class_map(file: Path, image: Path, ids: NDArray[np.uint8]) -> None:
    """Write class ids (H, W), mirrored as far as an image reaches, as its class map."""
    with open_raster(image) as raster:
        frame = frame_of(raster)
    fill = (0, frame.height - ids.shape[0]), (0, frame.width - ids.shape[1])
    layout = class_map_layout(LANDCOVER_AI.names, LANDCOVER_AI.palette, {})
    with new_cog(file, frame, layout) as writer:
        whole = Window(0, 0, frame.width, frame.height)
        writer.write(np.pad(ids, fill, "symmetric")[None], whole)


def costs(folder: Path, image: Path, name: str, ids: NDArray[np.uint8]) -> list[dict[str, object]]:
    """Return a row for each of the maps that are made from a class map of ids (H, W)."""
    class_map = folder / f"{name}.tif"
    write_class_map(class_map, image, ids)
    areas = class_areas(class_map)
    parts: dict[str, Callable[[], object]] = {
        "areas": lambda: class_areas(class_map),
        "overlay": lambda: write_overlay(image, class_map, folder / "o.png", areas, READING),
        "polygons": lambda: write_polygons(class_map, folder / "p.gpkg", 0),
    }
    rows = []
    for part, run in parts.items():
        started, worked = time.perf_counter(), time.process_time()
        run()
        seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - worked
        rows.append({"class map": name, "part": part, "seconds": seconds, "CPU s": cpu_seconds})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", type=Path, default=ROOT / "models" / "best.pt")
    parser.add_argument("--size", type=int, nargs=2, default=SIZE, metavar=("HEIGHT", "WIDTH"))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        image = folder / "a.tif"
        rendered, truth = render(*args.size)
        write_georeferenced(image, rendered, "tiled deflate", GSD)
        piece = tuple(slice(min(PIECE, side)) for side in args.size)
        ids = predicted(folder, args.checkpoint, rendered[piece])
        rows = costs(folder, image, "predicted", ids)
        rows += costs(folder, image, "as rendered", truth[piece])
    print_table(rows)


if __name__ == "__main__":
    main()
