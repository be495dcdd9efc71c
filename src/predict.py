"""Predict the land cover of whole orthophotos: a class map for QGIS, and more on request."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from partialseg.core.command import run
from partialseg.engine.compute import Precision
from partialseg.mapping.images import find_images
from partialseg.mapping.maps import MAPS, Wanted
from partialseg.mapping.model import VIEWS, Averaged
from partialseg.mapping.mosaic import check_mosaic, measured, write_mosaic
from partialseg.mapping.orthophoto import Reading
from partialseg.mapping.predict import (
    Outcome,
    check_failures,
    look_at,
    predict_all,
    stitching_of,
    without_maps,
)
from partialseg.mapping.rasters import Predictor
from partialseg.mapping.runtime import Runtime, choose, load_model


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
        metavar=("BLACK", "WHITE"),
        help="values that become 0 and 255, for images that are not 8-bit",
    )
    read.add_argument("--gsd", type=float, help="pixel size in metres, if the image tells none")
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
    how.add_argument("--overlap", type=int, help="px (default: a sixth of a patch)")
    how.add_argument("--tta", choices=VIEWS, default="none", help="mean over flips, or all turns")
    many = parser.add_argument_group("many images")
    many.add_argument("--skip-existing", action="store_true", help="leave out images with maps")
    many.add_argument(
        "--mosaic", action="store_true", help="all class maps as one VRT, and a table of areas"
    )
    many.add_argument("--workers", type=int, help="processes on this machine that share the work")
    many.add_argument("--scheduler", default="", help="of a Dask cluster, tcp://host:port")
    return parser.parse_args()


def main() -> None:
    args = parse_arguments()
    reading = Reading(
        bands=None if args.bands is None else tuple(args.bands),
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
    missing = without_maps(images, args.out, wanted) if args.skip_existing else images
    if args.skip_existing:
        print(f"{len(images) - len(missing)} of {len(images)} images have their maps in {args.out}")
    without = set(missing)
    mapped = [image for image in images if image not in without]
    with_workers = args.workers is not None or args.scheduler
    predict = predict_by_workers if with_workers else predict_here
    outcome = predict(args, reading, wanted, missing, mapped)
    if outcome.areas:  # in the order of the images, whichever was ready first
        areas = {image: outcome.areas[image] for image in images if image in outcome.areas}
        print(", ".join(map(str, write_mosaic(args.out, areas))))
    check_failures(outcome.failed, len(images))


def predict_here(
    args: argparse.Namespace,
    reading: Reading,
    wanted: Wanted,
    missing: Sequence[Path],
    mapped: Sequence[Path],
) -> Outcome:
    model = load_model(args.checkpoint, args.onnx, args.runtime, args.device, args.precision)
    stitching = stitching_of(model, args.tile, args.overlap, args.batch_size)
    looked = [look_at(image, model.info, reading, wanted) for image in missing]
    if args.mosaic:
        places = {item.image: item.frame for item in looked}
        check_mosaic(places, args.out, mapped, model.info.class_names)
    predictor = Predictor(Averaged(model, args.tta), reading, stitching)
    failed = predict_all(predictor, looked, args.out, wanted)
    done = [image for image in (*missing, *mapped) if image not in failed]
    areas = measured(args.out, done) if args.mosaic else {}
    return Outcome(areas=areas, failed=failed)


def predict_by_workers(
    args: argparse.Namespace,
    reading: Reading,
    wanted: Wanted,
    missing: Sequence[Path],
    mapped: Sequence[Path],
) -> Outcome:
    from partialseg.cluster import predict as cluster  # Dask takes a second to import

    cluster.check_workers(args.workers, args.scheduler)
    choice = choose(
        args.onnx, args.runtime, args.device, args.precision, elsewhere=bool(args.scheduler)
    )
    network, runtime = cluster.described(args.checkpoint, args.onnx, choice)
    request = cluster.Request(
        file=args.checkpoint,
        is_onnx=args.onnx,
        choice=choice,
        runtime=runtime,
        views=args.tta,
        reading=reading,
        stitching=stitching_of(network, args.tile, args.overlap, args.batch_size),
        wanted=wanted,
        mosaic=args.mosaic,
        out=args.out,
    )
    with cluster.client_of(args.workers, args.scheduler) as client:
        return cluster.predict_by_workers(client, network, request, missing, mapped)


if __name__ == "__main__":
    run(main)
