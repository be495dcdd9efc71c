"""Predict the land cover of whole orthophotos: a class map for QGIS, and more on request."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from partialseg.core.command import run
from partialseg.mapping.images import find_images
from partialseg.mapping.maps import MAPS, Wanted
from partialseg.mapping.model import Averaged
from partialseg.mapping.mosaic import check_mosaic, measured, write_mosaic
from partialseg.mapping.options import parse_arguments, stretch_of
from partialseg.mapping.origin import existing_maps, file_digest, origin_of
from partialseg.mapping.orthophoto import Reading
from partialseg.mapping.predict import (
    Outcome,
    check_failures,
    look_at_all,
    predict_all,
    reading_for,
    stitching_of,
)
from partialseg.mapping.rasters import RUNTIME_TAG, Predictor
from partialseg.mapping.runtime import choose, load_model


def main() -> None:
    args = parse_arguments(__doc__)
    reading = Reading(
        bands=None if args.bands is None else tuple(args.bands),
        stretch=stretch_of(args.stretch),
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
    with_workers = args.workers is not None or args.scheduler
    predict = predict_by_workers if with_workers else predict_here
    outcome = predict(args, reading, wanted, images)
    if outcome.areas:  # in the order of the images, whichever was ready first
        areas = {image: outcome.areas[image] for image in images if image in outcome.areas}
        print(", ".join(map(str, write_mosaic(args.out, areas))))
    check_failures(outcome.failed, len(images))


def predict_here(
    args: argparse.Namespace, reading: Reading, wanted: Wanted, images: Sequence[Path]
) -> Outcome:
    model = load_model(args.checkpoint, args.onnx, args.runtime, args.device, args.precision)
    stitching = stitching_of(model, args.tile, args.overlap, args.batch_size)
    reading = reading_for(model.info, reading)
    tags = origin_of(file_digest(args.checkpoint), args.tta, reading, stitching, wanted)
    missing, mapped = divided(args, images, wanted, {**tags, RUNTIME_TAG: model.runtime})
    looked, failed = look_at_all(missing, model.info, reading, wanted)
    if args.mosaic:
        places = {item.image: item.frame for item in looked}
        check_mosaic(places, args.out, mapped, model.info.class_names)
    predictor = Predictor(Averaged(model, args.tta), reading, stitching, tags)
    failed |= predict_all(predictor, looked, args.out, wanted)
    done = [image for image in (*missing, *mapped) if image not in failed]
    areas, damaged = measured(args.out, done) if args.mosaic else ({}, {})
    return Outcome(areas=areas, failed=failed | damaged)


def predict_by_workers(
    args: argparse.Namespace, reading: Reading, wanted: Wanted, images: Sequence[Path]
) -> Outcome:
    from partialseg.cluster import predict as cluster  # Dask takes a second to import

    cluster.check_workers(args.workers, args.scheduler)
    choice = choose(
        args.onnx, args.runtime, args.device, args.precision, elsewhere=bool(args.scheduler)
    )
    network, runtime = cluster.described(args.checkpoint, args.onnx, choice)
    reading = reading_for(network.info, reading)
    stitching = stitching_of(network, args.tile, args.overlap, args.batch_size)
    tags = origin_of(file_digest(args.checkpoint), args.tta, reading, stitching, wanted)
    missing, mapped = divided(args, images, wanted, {**tags, RUNTIME_TAG: runtime})
    request = cluster.Request(
        file=args.checkpoint,
        is_onnx=args.onnx,
        choice=choice,
        runtime=runtime,
        views=args.tta,
        reading=reading,
        stitching=stitching,
        tags=tags,
        wanted=wanted,
        mosaic=args.mosaic,
        out=args.out,
    )
    with cluster.client_of(args.workers, args.scheduler) as client:
        return cluster.predict_by_workers(client, network, request, missing, mapped)


def divided(
    args: argparse.Namespace, images: Sequence[Path], wanted: Wanted, tags: Mapping[str, str]
) -> tuple[Sequence[Path], Sequence[Path]]:
    """Return the images to predict, and those left out since they have maps with these tags."""
    if not args.skip_existing:
        return images, []
    existing = existing_maps(images, args.out, wanted, tags)
    print(existing.told(args.out))
    return existing.missing, existing.mapped


if __name__ == "__main__":
    run(main)
