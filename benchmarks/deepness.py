"""One network in the QGIS plugin Deepness and in src/predict.py: equal classes, and their speed.

The plugin's packages go into an environment of QGIS's Python, in the versions that it names:
    git clone https://github.com/PUTvision/qgis-plugin-deepness   # commit f450c634
    /usr/bin/python3 -m venv --system-site-packages qgis
    qgis/bin/pip install onnxruntime==1.17.0 opencv-python-headless==4.9.0.80 "numpy<2"
    python benchmarks/deepness.py qgis-plugin-deepness/src --python qgis/bin/python
    python benchmarks/deepness.py .../src --python ... --speed 4548 9636
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np
import rasterio
from numpy.typing import NDArray

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "src"))  # nothing is installed: the stages find partialseg so too

from orthophoto import Cost, measure, write_checkpoint, write_orthophoto
from partialseg.engine.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from synthetic import render, write_georeferenced
from timing import print_table

SRC = ROOT / "src"
GSD = 0.25  # m; Deepness cuts off a row of pixels where it counts them by sides of 0.3 m or so
TILE, OVERLAP = 512, 128  # px; Deepness takes 25 % of a tile by the metadata of the file
SIZES = {
    "what its tiles cover exactly": (896, 1280),
    "any, with tiles that reach beyond it": (1100, 1300),
}


def run(command: Sequence[object], **options: object) -> str:
    """Run a command and return what it prints.

    Raises:
        RuntimeError: it failed.
    """
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, **options)  # type: ignore[call-overload]
    if done.returncode:
        raise RuntimeError(f"{command[1]} failed:\n{done.stderr}")
    return str(done.stdout)


def by_deepness(python: Path, plugin: Path, folder: Path) -> tuple[NDArray[np.uint8], Cost]:
    """Return the class ids (H, W) that the plugin gives, what they cost, and print what it says."""
    script = Path(__file__).with_name("deepness_in_qgis.py")
    # The environment of this process leads QGIS to other libraries than its own.
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(folder)}
    files = [folder / name for name in ("best.onnx", "a.tif", "deepness.npy")]
    said = run([python, script, plugin.resolve(), *files], env=environment).splitlines()
    print("\n".join(line for line in said[:-1] if not line.startswith(" Processing")))
    ids: NDArray[np.uint8] = np.load(files[-1]) - 1
    seconds, cpu_seconds = map(float, said[-1].split())
    return ids, Cost(seconds, cpu_seconds, float("nan"))


def by_predict(folder: Path) -> NDArray[np.uint8]:
    """Return the class ids (H, W) of src/predict.py with the tiles of the plugin."""
    options = ["--onnx", "--overlap", OVERLAP, "--runtime", "onnxruntime", "--out", folder]
    command = [SRC / "predict.py", folder / "best.onnx", folder / "a.tif", *options]
    run([sys.executable, *command])
    with rasterio.open(folder / "a_classes.tif") as raster:
        ids: NDArray[np.uint8] = raster.read(1)
    return ids


def write_network(folder: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint and its export, as if trained on the pixels of the images."""
    fitting = replace(checkpoint, ground_sampling_distances=[GSD], source_size=0)
    save_checkpoint(fitting, folder / "best.pt")  # nothing is resampled
    export = [SRC / "export.py", folder / "best.pt", "--out", folder / "best.onnx"]
    print(run([sys.executable, *export, "--tile", TILE]))


def same_classes(python: Path, plugin: Path, folder: Path) -> list[dict[str, object]]:
    """Return a row for each size of an image: on how many pixels the classes are equal."""
    rows: list[dict[str, object]] = []
    for image, (height, width) in SIZES.items():
        write_georeferenced(folder / "a.tif", render(height, width)[0], "tiled deflate", GSD)
        same = by_deepness(python, plugin, folder)[0] == by_predict(folder)
        rows.append(
            {
                "image": f"{width} x {height} px: {image}",
                "one class": f"{same.mean():.4%}",
                # It pads images at the top and on the right, with black.
                "without the edges": f"{same[OVERLAP:, :-OVERLAP].mean():.4%}",
            }
        )
    return rows


def speed(
    python: Path, plugin: Path, folder: Path, size: tuple[int, int], repeats: int
) -> list[dict[str, object]]:
    """Return a row for the plugin's loop and for the whole commands of src/predict.py, in turns."""
    write_orthophoto(folder / "a.tif", *size, "tiled deflate")
    command = [sys.executable, str(SRC / "predict.py")]
    end = [str(folder / "a.tif"), "--out", str(folder)]
    sides: dict[str, Callable[[], Cost]] = {
        "Deepness, its loop alone": lambda: by_deepness(python, plugin, folder)[1],
        "predict.py": lambda: measure([*command, str(folder / "best.pt"), *end]),
        "predict.py --onnx --runtime onnxruntime": lambda: measure(
            [*command, "--onnx", str(folder / "best.onnx"), "--runtime", "onnxruntime", *end]
        ),
    }
    turns = [{side: run_side() for side, run_side in sides.items()} for _ in range(repeats)]
    theirs, *_ = ([turn[side].seconds for turn in turns] for side in sides)
    return [
        {
            "side": side,
            "seconds": median(turn[side].seconds for turn in turns),
            "CPU s": median(turn[side].cpu_seconds for turn in turns),
            "faster than Deepness": median(theirs) / median(turn[side].seconds for turn in turns),
        }
        for side in sides
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("plugin", type=Path, help="the folder src of the plugin's repository")
    parser.add_argument("--checkpoint", type=Path, default=ROOT / "models" / "best.pt")
    parser.add_argument(
        "--python",
        type=Path,
        default=Path("/usr/bin/python3"),
        help="imports qgis, and the plugin's onnxruntime and cv2",
    )
    parser.add_argument(
        "--speed", type=int, nargs=2, metavar=("HEIGHT", "WIDTH"), help="time UNet, base 16, on one"
    )
    parser.add_argument("--repeats", type=int, default=2, help="of --speed")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if args.speed:
            write_checkpoint(folder / "random.pt", "unet", 16)
            write_network(folder, load_checkpoint(folder / "random.pt"))
            print_table(speed(args.python, args.plugin, folder, args.speed, args.repeats))
        else:
            write_network(folder, load_checkpoint(args.checkpoint))
            print_table(same_classes(args.python, args.plugin, folder))


if __name__ == "__main__":
    main()
