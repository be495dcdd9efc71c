"""One network in the QGIS plugin Deepness and in src/predict.py: how many pixels get one class?

The plugin's packages go into an environment of QGIS's Python, in the versions that it names:
    git clone https://github.com/PUTvision/qgis-plugin-deepness   # commit f450c634
    /usr/bin/python3 -m venv --system-site-packages qgis
    qgis/bin/pip install onnxruntime==1.17.0 opencv-python-headless==4.9.0.80 "numpy<2"
    python benchmarks/deepness.py qgis-plugin-deepness/src --python qgis/bin/python
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "src"))  # nothing is installed: the stages find partialseg so too

from partialseg.engine.checkpoint import load_checkpoint, save_checkpoint
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


def by_deepness(python: Path, plugin: Path, folder: Path) -> NDArray[np.uint8]:
    """Return the class ids (H, W) that the plugin gives, and print what it says."""
    script = Path(__file__).with_name("deepness_in_qgis.py")
    # The environment of this process leads QGIS to other libraries than its own.
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(folder)}
    files = [folder / name for name in ("best.onnx", "a.tif", "deepness.npy")]
    said = run([python, script, plugin.resolve(), *files], env=environment)
    print("\n".join(line for line in said.splitlines() if not line.startswith(" Processing")))
    ids: NDArray[np.uint8] = np.load(files[-1]) - 1
    return ids


def by_predict(folder: Path) -> NDArray[np.uint8]:
    """Return the class ids (H, W) of src/predict.py with the tiles of the plugin."""
    options = ["--onnx", "--overlap", OVERLAP, "--runtime", "onnxruntime", "--out", folder]
    command = [SRC / "predict.py", folder / "best.onnx", folder / "a.tif", *options]
    run([sys.executable, *command])
    with rasterio.open(folder / "a_classes.tif") as raster:
        ids: NDArray[np.uint8] = raster.read(1)
    return ids


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
    args = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # As if it had been trained on such pixels: nothing is resampled.
        checkpoint = replace(
            load_checkpoint(args.checkpoint), ground_sampling_distances=[GSD], source_size=0
        )
        save_checkpoint(checkpoint, folder / "best.pt")
        export = [SRC / "export.py", folder / "best.pt", "--out", folder / "best.onnx"]
        print(run([sys.executable, *export, "--tile", TILE]))
        for image, (height, width) in SIZES.items():
            rendered, _ = render(height, width)
            write_georeferenced(folder / "a.tif", rendered, "tiled deflate", GSD)
            theirs, ours = by_deepness(args.python, args.plugin, folder), by_predict(folder)
            same = theirs == ours
            rows.append(
                {
                    "image": f"{width} x {height} px: {image}",
                    "one class": f"{same.mean():.4%}",
                    # It pads images at the top and on the right, with black.
                    "without the edges": f"{same[OVERLAP:, :-OVERLAP].mean():.4%}",
                }
            )
    print_table(rows)


if __name__ == "__main__":
    main()
