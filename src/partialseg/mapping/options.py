"""The options of src/predict.py."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from partialseg.engine.compute import Precision
from partialseg.mapping.model import VIEWS
from partialseg.mapping.runtime import Runtime
from partialseg.source.reading import Pair, Stretch


def parse_arguments(description: str | None) -> argparse.Namespace:
    """Return the command line."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("checkpoint", type=Path, help="best.pt of a run, or an ONNX file (--onnx)")
    parser.add_argument("images", nargs="+", help="orthophotos, folders of them, or patterns")
    parser.add_argument("--out", type=Path, required=True, help="folder of the maps")
    more = parser.add_argument_group("maps beside the class map")
    more.add_argument("--probabilities", action="store_true", help="a band of 0..250 a class")
    more.add_argument("--entropy", action="store_true", help="how unsure: 0..250")
    more.add_argument("--polygons", action="store_true", help="regions as a GeoPackage")
    more.add_argument("--min-area", type=float, help="of a polygon, m2 (default: all)")
    more.add_argument("--areas", action="store_true", help="area a class, as CSV and JSON")
    more.add_argument("--overlay", action="store_true", help="a PNG to look at")
    read = parser.add_argument_group("how images are read")
    read.add_argument(
        "--bands",
        type=int,
        nargs=3,
        metavar=("R", "G", "B"),
        help="default: those that the image declares as red, green and blue, or else 1 2 3",
    )
    read.add_argument(
        "--stretch",
        type=float,
        nargs=2,
        action="append",
        metavar=("BLACK", "WHITE"),
        help="values that become 0 and 255, for images that are not 8-bit; once, or once a band",
    )
    read.add_argument("--gsd", type=float, help="pixel size in metres, whatever the image says")
    read.add_argument(
        "--no-resample", action="store_true", help="refuse images of another pixel size"
    )
    how = parser.add_argument_group("how the network is asked")
    how.add_argument("--onnx", action="store_true", help="the file is an ONNX file of export.py")
    how.add_argument(
        "--runtime",
        default="auto",
        metavar="{" + ",".join(("auto", *get_args(Runtime))) + "}",
        help="auto: torch on a GPU, on a CPU OpenVINO if it is installed",
    )
    how.add_argument("--device", default="", help="cpu, cuda, cuda:1 (default: CUDA if there is)")
    how.add_argument("--precision", choices=get_args(Precision), default="auto")
    how.add_argument(
        "--batch-size", type=int, help="tiles at a time (default: 4 on a GPU, 1 on a CPU)"
    )
    how.add_argument(
        "--tile",
        type=int,
        help="px at most (default: two patches of the training, or that of the ONNX file)",
    )
    how.add_argument("--overlap", type=int, help="px (default: an eighth of a patch)")
    how.add_argument("--tta", choices=VIEWS, default="none", help="mean over flips, or all turns")
    many = parser.add_argument_group("many images")
    many.add_argument(
        "--skip-existing", action="store_true", help="leave out images that have these maps"
    )
    many.add_argument(
        "--mosaic", action="store_true", help="all class maps as one VRT, and a table of areas"
    )
    many.add_argument("--workers", type=int, help="processes on this machine that share the work")
    many.add_argument("--scheduler", help="of a Dask cluster, tcp://host:port")
    args = parser.parse_args()
    if args.min_area is not None and not args.polygons:
        parser.error("--min-area: is that of polygons; add --polygons")
    if args.scheduler == "":
        parser.error("--scheduler: is empty; leave it out to predict on this machine")
    args.min_area = args.min_area or 0.0
    return args


def stretch_of(pairs: Sequence[Sequence[float]] | None) -> Pair | Stretch | None:
    """Return the values of --stretch: a pair for all bands, or three of them.

    Raises:
        ValueError: it was given twice, or more than three times.
    """
    match [(low, high) for low, high in pairs or ()]:
        case []:
            return None
        case [pair]:
            return pair
        case [red, green, blue]:
            return red, green, blue
        case several:
            raise ValueError(f"--stretch: is given once, or three times, not {len(several)} times")
