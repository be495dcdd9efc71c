"""Predict the land cover of whole orthophotos: a class map for QGIS, and more on request."""

import argparse
import os
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Event
from typing import NoReturn, get_args

import numpy as np
import torch
from affine import Affine
from numpy.typing import NDArray
from tqdm import tqdm

from partialseg.checkpoint import load_checkpoint
from partialseg.command import run
from partialseg.compute import Precision, choose_compute
from partialseg.mapping.ahead import ahead
from partialseg.mapping.areas import class_areas, row_areas, write_areas
from partialseg.mapping.class_map import (
    NODATA,
    class_map_layout,
    entropy_layout,
    probabilities_layout,
)
from partialseg.mapping.cog import new_cog
from partialseg.mapping.frame import Frame
from partialseg.mapping.images import find_images
from partialseg.mapping.model import Model, ModelInfo
from partialseg.mapping.onnx_model import OnnxModel
from partialseg.mapping.orthophoto import Orthophoto, Reading, open_orthophoto
from partialseg.mapping.overlay import write_overlay
from partialseg.mapping.part import part_folder
from partialseg.mapping.polygons import write_polygons
from partialseg.mapping.quantities import entropy, most_probable, quantised
from partialseg.mapping.stitch import Block, Stitching, predict_blocks
from partialseg.mapping.torch_model import TorchModel
from partialseg.mapping.views import VIEWS, Averaged

CLASSES = "classes.tif"
PROBABILITIES = "probabilities.tif"
ENTROPY = "entropy.tif"
POLYGONS = "polygons.gpkg"
AREAS = ("areas.csv", "areas.json")
OVERLAY = "overlay.png"
MAPS = (CLASSES, PROBABILITIES, ENTROPY, POLYGONS, *AREAS, OVERLAY)
BAR = "{desc} {percentage:3.0f}% |{bar}| {n:.0f}/{total:.0f} Mpx, {remaining} left"


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is written beside the class map; regions below min_area (m2) are no polygons."""

    probabilities: bool
    entropy: bool
    polygons: bool
    areas: bool
    overlay: bool
    min_area: float

    def __post_init__(self) -> None:
        if not self.min_area >= 0:
            raise ValueError(f"min-area must be at least 0, got {self.min_area:g}")

    def files(self) -> list[str]:
        """Return the endings of all files of an image."""
        asked = {
            PROBABILITIES: self.probabilities,
            ENTROPY: self.entropy,
            POLYGONS: self.polygons,
            AREAS[0]: self.areas,
            AREAS[1]: self.areas,
            OVERLAY: self.overlay,
        }
        return [CLASSES, *(name for name, is_asked in asked.items() if is_asked)]


def predict(
    model: Model,
    image: Path,
    out: Path,
    reading: Reading,
    stitching: Stitching,
    wanted: Wanted,
    on_share: Callable[[float], object] = lambda _: None,
) -> list[Path]:
    """Write the maps of an orthophoto to a folder, all of them or none; return the files.

    Raises:
        ValueError: the image cannot be read, or does not fit the model.
    """
    out.mkdir(parents=True, exist_ok=True)
    with part_folder(out / image.name) as aside:
        files = {name: aside / f"{image.stem}_{name}" for name in wanted.files()}
        write_rasters(model, image, files, reading, stitching, on_share)
        if wanted.polygons:
            write_polygons(files[CLASSES], files[POLYGONS], wanted.min_area)
        if wanted.areas or wanted.overlay:
            areas = class_areas(files[CLASSES])
            if wanted.areas:
                write_areas(areas, files[AREAS[0]], files[AREAS[1]])
            if wanted.overlay:
                write_overlay(image, files[CLASSES], files[OVERLAY], areas, reading)
        # The class map last: where it is, all is.
        made = sorted(aside.iterdir(), key=lambda file: file == files[CLASSES])
        for file in made:
            side = f"{file.name}.aux.xml"  # of an earlier map: statistics that QGIS would believe
            if side not in {other.name for other in made}:
                (out / side).unlink(missing_ok=True)
            os.replace(file, out / file.name)
    return [out / file.name for file in files.values()]


def write_rasters(
    model: Model,
    image: Path,
    files: dict[str, Path],
    reading: Reading,
    stitching: Stitching,
    on_share: Callable[[float], object],
) -> None:
    """Predict an orthophoto into the class map and, where asked, probabilities and entropy."""
    info = model.info
    tags = {"model": info.title, "commit": info.commit}
    layouts = {
        CLASSES: class_map_layout(info.class_names, info.palette, tags),
        PROBABILITIES: probabilities_layout(info.class_names),
        ENTROPY: entropy_layout(),
    }
    with ExitStack() as opened:
        orthophoto = opened.enter_context(
            open_orthophoto(image, info.ground_sampling_distances, reading)
        )
        rasters = {
            name: opened.enter_context(new_cog(files[name], orthophoto.frame, layout))
            for name, layout in layouts.items()
            if name in files
        }
        left = Event()

        def tick(share: float) -> None:
            if left.is_set():  # by Ctrl-C: a row of tiles may take minutes
                raise InterruptedError("prediction was left")
            on_share(share)

        # Reading, the network and writing: each goes on while the others do.
        blocks = predict_blocks(model, orthophoto, stitching, tick)
        predicted = ahead(((block, bands_of(block, files)) for block in blocks), left.set)
        with closing(blocks), closing(predicted):  # before the image they read from
            for block, bands in predicted:
                for name, raster in rasters.items():
                    raster.write(bands[name], block.window)


def bands_of(block: Block, files: dict[str, Path]) -> dict[str, NDArray[np.uint8]]:
    """Return the bands (bands, h, w), uint8, that a block has in each raster, by its name."""
    bands = {CLASSES: most_probable(block.probabilities)[None]}
    if PROBABILITIES in files:
        bands[PROBABILITIES] = quantised(block.probabilities)
    if ENTROPY in files:
        bands[ENTROPY] = quantised(entropy(block.probabilities))[None]
    if block.valid is not None:
        for pixels in bands.values():
            pixels[:, ~block.valid] = NODATA
    return bands


def load_model(file: Path, is_onnx: bool, device: str, precision: Precision) -> Model:
    """Return the network of a checkpoint, or of an ONNX file, on a device ('': the best one)."""
    if is_onnx:
        return OnnxModel(file, device or "cpu")
    if file.suffix == ".onnx":
        raise ValueError(f"{file}: is an ONNX file; say so by --onnx")
    return TorchModel(load_checkpoint(file), choose_compute(precision, device))


def remarks(orthophoto: Orthophoto, info: ModelInfo, reading: Reading) -> list[str]:
    """Return what is to be said of how an image is taken."""
    said = []
    if orthophoto.alpha:
        said.append(f"where band {orthophoto.alpha}, marked as alpha, is 0, it has no data")
    if orthophoto.frame.crs is None and orthophoto.frame.transform == Affine.identity():
        said.append("no georeference, so the maps have none either")
    elif orthophoto.frame.crs is None:
        said.append("no CRS: the maps lie where the image does, without areas in m2")
    trained = " or ".join(f"{size:.3g} m" for size in info.ground_sampling_distances)
    if not trained:
        said.append("not resampled: the pixel size of the training is unknown")
    elif orthophoto.frame.crs is None and reading.gsd is None:
        said.append(f"taken for pixels of {trained}; say otherwise by --gsd")
    elif max(orthophoto.scale) != 1 or min(orthophoto.scale) != 1:
        rows, columns = orthophoto.shape
        said.append(f"resampled to {columns} x {rows} px, for a network trained at {trained}")
    return said


def predict_all(
    model: Model,
    images: Sequence[Path],
    out: Path,
    reading: Reading,
    stitching: Stitching,
    wanted: Wanted,
) -> None:
    """Predict images one by one, after a look at each; with a progress bar and a line an image."""
    sizes = []  # in Mpx
    for image in images:
        with open_orthophoto(image, model.info.ground_sampling_distances, reading) as orthophoto:
            sizes.append(orthophoto.frame.width * orthophoto.frame.height / 1e6)
            if wanted.areas or wanted.polygons or wanted.overlay:
                check_areas(image, orthophoto.frame)
            for remark in remarks(orthophoto, model.info, reading):
                print(f"{image}: {remark}")
    for image, size in zip(images, sizes, strict=True):
        started = time.perf_counter()
        with tqdm(total=size, desc=image.name, disable=None, bar_format=BAR) as bar:
            on_share = partial(_advance, bar, size)
            try:
                files = predict(model, image, out, reading, stitching, wanted, on_share)
            except torch.OutOfMemoryError as error:
                raise ValueError(f"{image}: out of memory: lower --batch-size or --tile") from error
        seconds = time.perf_counter() - started
        names = ", ".join(file.name for file in files)
        print(f"{image}: {size:.1f} Mpx in {seconds:.1f} s: {names}", flush=True)


def check_areas(image: Path, frame: Frame) -> None:
    """Check that the areas of an image's pixels can be told, before hours of prediction.

    Raises:
        ValueError: its CRS is wrong.
    """
    try:
        row_areas(frame)
    except ValueError as error:
        raise ValueError(
            f"{image}: {error}; areas, polygons and overlay need a right CRS, or none"
        ) from error


def _advance(bar: "tqdm[NoReturn]", size: float, share: float) -> None:
    bar.update(share * size)


def without_maps(images: Sequence[Path], out: Path, wanted: Wanted) -> list[Path]:
    """Return the images of which a map is missing in `out`."""
    return [
        image
        for image in images
        if not all((out / f"{image.stem}_{name}").exists() for name in wanted.files())
    ]


def parse_arguments() -> argparse.Namespace:
    """Return the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path, help="best.pt of a run, or an ONNX file (--onnx)")
    parser.add_argument("images", nargs="+", help="orthophotos, folders of them, or patterns")
    parser.add_argument("--out", type=Path, required=True, help="folder of the maps")
    more = parser.add_argument_group("maps beside the class map")
    more.add_argument("--probabilities", action="store_true", help="a band of 0..250 a class")
    more.add_argument("--entropy", action="store_true", help="how unsure: 0..250")
    more.add_argument("--polygons", action="store_true", help="regions as a GeoPackage")
    more.add_argument("--min-area", type=float, default=0, help="of a polygon, m2 (default: all)")
    more.add_argument("--areas", action="store_true", help="area a class, as CSV and JSON")
    more.add_argument("--overlay", action="store_true", help="a PNG to look at")
    read = parser.add_argument_group("how images are read")
    read.add_argument("--bands", type=int, nargs=3, default=(1, 2, 3), metavar=("R", "G", "B"))
    read.add_argument(
        "--stretch",
        type=float,
        nargs=2,
        metavar=("BLACK", "WHITE"),
        help="values that become 0 and 255, for images that are not 8-bit",
    )
    read.add_argument("--gsd", type=float, help="pixel size in metres, if the image tells none")
    read.add_argument(
        "--no-resample", action="store_true", help="refuse images of another pixel size"
    )
    how = parser.add_argument_group("how the network is asked")
    how.add_argument("--onnx", action="store_true", help="by onnxruntime, of a file of export.py")
    how.add_argument("--device", default="", help="cpu, cuda, cuda:1 (default: CUDA if there is)")
    how.add_argument("--precision", choices=get_args(Precision), default="auto")
    how.add_argument("--batch-size", type=int, default=4, help="tiles at a time (default: 4)")
    how.add_argument("--tile", type=int, help="px (default: two patches of the training)")
    how.add_argument("--overlap", type=int, help="px (default: a third of a patch)")
    how.add_argument("--tta", choices=VIEWS, default="none", help="mean over flips, or all turns")
    how.add_argument("--skip-existing", action="store_true", help="leave out images with maps")
    return parser.parse_args()


def main() -> None:
    args = parse_arguments()
    reading = Reading(
        bands=tuple(args.bands),
        stretch=None if args.stretch is None else tuple(args.stretch),
        gsd=args.gsd,
        resample=not args.no_resample,
    )
    wanted = Wanted(
        probabilities=args.probabilities,
        entropy=args.entropy,
        polygons=args.polygons,
        areas=args.areas,
        overlay=args.overlay,
        min_area=args.min_area,
    )
    images = find_images(args.images, args.out, MAPS)
    model = load_model(args.checkpoint, args.onnx, args.device, args.precision)
    stitching = Stitching.for_patches(
        model.info.patch_size, args.tile, args.overlap, args.batch_size
    )
    if args.skip_existing:
        there = len(images)
        images = without_maps(images, args.out, wanted)
        print(f"{there - len(images)} of {there} images have their maps in {args.out}")
    predict_all(Averaged(model, args.tta), images, args.out, reading, stitching, wanted)


if __name__ == "__main__":
    run(main)
