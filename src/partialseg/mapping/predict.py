"""Predict orthophotos one after the other, and report how each is read and what is written."""

import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import NoReturn

from affine import Affine
from tqdm import tqdm

from partialseg.engine.compute import out_of_memory
from partialseg.mapping.areas import MapAreas, row_areas
from partialseg.mapping.frame import Frame
from partialseg.mapping.maps import Wanted, predict
from partialseg.mapping.model import Described, ModelInfo
from partialseg.mapping.orthophoto import (
    Orthophoto,
    Reading,
    open_orthophoto,
    same_size,
    stated_size,
)
from partialseg.mapping.rasters import Predictor
from partialseg.mapping.tiles import Stitching
from partialseg.source.alpha import alpha_remark
from partialseg.source.bands import bands_remark, colours_of

GPU_BATCH = 4  # tiles at a time
BAR = "{desc} {percentage:3.0f}% |{bar}| {n:.0f}/{total:.0f} Mpx, {remaining} left"


def stitching_of(
    model: Described, tile: int | None, overlap: int | None, batch_size: int | None
) -> Stitching:
    """Return tiles that suit a network, with side, overlap and batch size where they are given.

    Raises:
        ValueError: the network takes tiles of another side alone, or they cannot be laid so.
    """
    if None not in (model.tile, tile) and model.tile != tile:
        raise ValueError(
            f"tile: this file takes tiles of {model.tile} px alone, got {tile}; leave --tile out, "
            "or export with --dynamic"
        )
    side = model.tile if tile is None else tile
    if batch_size is None:  # on a CPU more tiles at a time only take more memory
        batch_size = GPU_BATCH if model.on_gpu else 1
    return Stitching.for_patches(model.info.patch_size, side, overlap, batch_size)


def remarks(orthophoto: Orthophoto, info: ModelInfo, reading: Reading) -> list[str]:
    """Return remarks on how an image is read: its bands, its georeference, its resampling."""
    frame = orthophoto.frame
    told = _bands_remark(orthophoto, reading), frame.remark, _size_remark(orthophoto, reading)
    found = [remark for remark in told if remark]
    if orthophoto.alpha:
        found.append(f"where band {orthophoto.alpha}, marked as alpha, is 0, it has no data")
    if frame.crs is None and frame.transform == Affine.identity():
        found.append("no georeference, so the maps have none either")
    elif frame.crs is None:
        found.append("no CRS: the maps lie where the image does, without areas in m2")
    distances, scale = info.ground_sampling_distances, reading.assumed_scale
    trained = " or ".join(f"{size:.3g} m" for size in distances)
    rows, columns = orthophoto.shape
    if not trained and scale == 1:
        found.append("not resampled: the pixel size of the training is unknown")
    elif not trained:
        found.append(f"resampled to {columns} x {rows} px, as the images of the training were")
    elif frame.crs is None and reading.gsd is None:
        taken = " or ".join(f"{size / scale:.3g} m" for size in distances)
        found.append(f"taken for pixels of {taken}; say otherwise by --gsd")
    elif max(orthophoto.scale) != 1 or min(orthophoto.scale) != 1:
        found.append(f"resampled to {columns} x {rows} px, for a network trained at {trained}")
    return found


def _bands_remark(orthophoto: Orthophoto, reading: Reading) -> str:
    if reading.bands is None:
        return bands_remark(orthophoto.declared, orthophoto.bands)
    numbers = ", ".join(map(str, reading.bands))
    of_training = "bands" in reading.from_training
    return f"its bands {numbers} are read, as in training" if of_training else ""


def _size_remark(orthophoto: Orthophoto, reading: Reading) -> str:
    """Return a remark where the georeference contradicts the pixel size that was given."""
    if reading.gsd is None:
        return ""
    try:
        size = stated_size(orthophoto.frame)
    except ValueError:  # what the pixel size may be given for
        return ""
    if size is None or same_size(reading.gsd, size):
        return ""
    across, down = size
    given = f"pixels of {reading.gsd:.3g} m, as given by --gsd"
    return f"{given}; its georeference says {across:.3g} x {down:.3g} m"


def reading_for(info: ModelInfo, asked: Reading) -> Reading:
    """Return how images are read: as is asked for, and for the rest as those of the training."""
    bands, stretch = asked.bands or info.bands, asked.stretch or info.stretch
    taken = {"bands": bands != asked.bands, "stretch": stretch != asked.stretch}
    return replace(
        asked,
        bands=bands,
        stretch=stretch,
        assumed_scale=info.scale,
        from_training=frozenset(name for name, is_taken in taken.items() if is_taken),
    )


@dataclass(frozen=True, kw_only=True)
class Looked:
    """An image that fits the network: where it lies, and its shape in the network's pixels."""

    image: Path
    frame: Frame
    shape: tuple[int, int]

    @property
    def megapixels(self) -> float:
        """Its size in the file."""
        return self.frame.width * self.frame.height / 1e6


def look_at(image: Path, info: ModelInfo, reading: Reading, wanted: Wanted) -> Looked:
    """Open and check an image before hours of prediction, and print remarks on how it is read.

    Raises:
        ValueError: it cannot be read, or does not fit the network.
    """
    with open_orthophoto(image, info.ground_sampling_distances, reading) as orthophoto:
        check_trained_colours(image, orthophoto, info, reading)
        if wanted.areas or wanted.polygons or wanted.overlay:
            check_areas(image, orthophoto.frame)
        found = remarks(orthophoto, info, reading)
        if orthophoto.alpha:
            found.append(alpha_remark(image, orthophoto.alpha, "--bands"))
        for remark in filter(None, found):
            print(f"{image}: {remark}")
        return Looked(image=image, frame=orthophoto.frame, shape=orthophoto.shape)


def look_at_all(
    images: Sequence[Path], info: ModelInfo, reading: Reading, wanted: Wanted
) -> tuple[list[Looked], dict[Path, str]]:
    """Look at images before the first is predicted; return those that fit, and why others fail."""
    looked: list[Looked] = []
    failed: dict[Path, str] = {}
    for image in images:
        try:
            looked.append(look_at(image, info, reading, wanted))
        except (ValueError, OSError) as error:
            failed[image] = str(error)
            _tell_failed(image, failed, len(images))
    return looked, failed


def _tell_failed(image: Path, failed: Mapping[Path, str], asked: int) -> None:
    """Print at once why an image failed; if only one was asked for, that ends the command."""
    if asked > 1:
        print(f"{image}: failed: {failed[image]}", flush=True)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The areas of images with maps, where they were asked for, and why others have none."""

    areas: dict[Path, MapAreas]
    failed: dict[Path, str]


def predict_all(
    predictor: Predictor, images: Sequence[Looked], out: Path, wanted: Wanted
) -> dict[Path, str]:
    """Predict images one by one, with a progress bar and a line of output for each.

    Returns why images failed; the others go on.
    """
    failed: dict[Path, str] = {}
    for looked in images:
        image, size = looked.image, looked.megapixels
        started = time.perf_counter()
        with tqdm(total=size, desc=image.name, disable=None, bar_format=BAR) as bar:
            on_share = partial(_advance, bar, size)
            try:
                with memory_errors(image):
                    files = predict(predictor, image, out, wanted, on_share)
            except (ValueError, OSError) as error:
                failed[image] = str(error)
        if image in failed:
            _tell_failed(image, failed, len(images))
            continue
        seconds = time.perf_counter() - started
        names = ", ".join(file.name for file in files)
        runtime = predictor.model.runtime
        print(f"{image}: {size:.1f} Mpx in {seconds:.1f} s by {runtime}: {names}", flush=True)
    return failed


@contextmanager
def memory_errors(image: Path) -> Iterator[None]:
    """Turn a memory that is exhausted by an image into a ValueError."""
    try:
        yield
    except RuntimeError as error:
        if not out_of_memory(error):
            raise
        raise ValueError(f"{image}: out of memory: lower --batch-size or --tile") from error


def check_failures(failed: Mapping[Path, str], asked: int) -> None:
    """List on stderr why images failed, of so many.

    Raises:
        ValueError: any did.
    """
    reasons = [
        reason if str(image) in reason else f"{image}: {reason}" for image, reason in failed.items()
    ]
    if not reasons:
        return
    if asked == 1:
        raise ValueError(reasons[0])
    for reason in reasons:
        print(f"failed: {' '.join(reason.split())}", file=sys.stderr)
    raise ValueError(
        f"{len(reasons)} of {asked} images have failed, as listed above; --skip-existing goes on "
        "with those that have no maps of this network and these options"
    )


def check_trained_colours(
    image: Path, orthophoto: Orthophoto, info: ModelInfo, reading: Reading
) -> None:
    """Check that an image shows what the network was trained on, where both say what they show.

    Raises:
        ValueError: infrared was trained for red, for instance.
    """
    shown = colours_of(orthophoto.declared, orthophoto.bands)
    is_sure = reading.bands is not None and "bands" not in reading.from_training
    if not is_sure and None not in (shown, info.colours) and shown != info.colours:
        raise ValueError(
            f"{image}: its bands {_listed(orthophoto.bands)} are {_listed(shown)}, and the network "
            f"was trained on {_listed(info.colours)}; if you know better, name them by --bands"
        )


def _listed(items: Iterable[object] | None) -> str:
    return ", ".join(map(str, items or ()))


def check_areas(image: Path, frame: Frame) -> None:
    """Check that the areas of an image's pixels can be computed, before hours of prediction.

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
