"""What made a map: tags in its raster, which tell a later run what it need not do again."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from partialseg.mapping.maps import POLYGONS, Wanted
from partialseg.mapping.model import Views
from partialseg.mapping.orthophoto import Reading
from partialseg.mapping.rasters import CLASSES, RUNTIME_TAG
from partialseg.mapping.tiles import Stitching
from partialseg.source.raster import open_raster

NETWORK_TAG, OPTIONS_TAG, MAPS_TAG = "NETWORK_SHA256", "OPTIONS", "MAPS"
# What differs where a tag does, in the order in which it is told.
DIFFERENCES = {
    NETWORK_TAG: "another network",
    RUNTIME_TAG: "another runtime",
    OPTIONS_TAG: "other options",
}
OTHER_RUN = "runs without all of these files"
NO_TAGS = "an earlier version of predict.py, or damaged"


def file_digest(file: Path) -> str:
    """Return a digest of a file."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def origin_of(
    digest: str, views: Views, reading: Reading, stitching: Stitching, wanted: Wanted
) -> dict[str, str]:
    """Return the tags that say by which network, asked in which way, the maps of a run are made.

    digest is that of the network's file.
    """
    options = {
        "tile": stitching.tile,
        "overlap": stitching.overlap,
        "tta": views,
        "bands": reading.bands,
        "stretch": reading.stretch,
        "gsd": reading.gsd,
    }
    return {
        NETWORK_TAG: digest,
        OPTIONS_TAG: json.dumps(options),
        MAPS_TAG: json.dumps(_made(wanted)),
    }


def _made(wanted: Wanted) -> list[str]:
    return [
        f"{name} from {wanted.min_area:g}" if name == POLYGONS else name for name in wanted.files()
    ]


@dataclass(frozen=True, kw_only=True)
class Existing:
    """Images that have their maps, those that have not, and why maps that are there do not count.

    Both keep the order in which the images were given.
    """

    mapped: list[Path]
    missing: list[Path]
    outdated: Counter[str]

    def told(self, out: Path) -> str:
        """Return a line on them for people."""
        number = len(self.mapped) + len(self.missing)
        line = f"{len(self.mapped)} of {number} images have their maps in {out}"
        if not self.outdated:
            return line
        reasons = ", ".join(f"{count} by {why}" for why, count in self.outdated.items())
        return f"{line}; maps that are made again: {reasons}"


def existing_maps(
    images: Sequence[Path], out: Path, wanted: Wanted, tags: Mapping[str, str]
) -> Existing:
    """Find the images whose maps in `out` are what a run with these tags would write.

    A tag that is empty is not compared: the runtime, where this machine has none that fits.
    """
    found = Existing(mapped=[], missing=[], outdated=Counter())
    for image in images:
        files = [out / f"{image.stem}_{name}" for name in wanted.files()]
        if not all(file.exists() for file in files):
            found.missing.append(image)
            continue
        why = _difference(out / f"{image.stem}_{CLASSES}", wanted, tags)
        if why:
            found.outdated[why] += 1
        (found.missing if why else found.mapped).append(image)
    return found


def _difference(class_map: Path, wanted: Wanted, tags: Mapping[str, str]) -> str:
    """Return why a class map, and what lies beside it, is not of such a run; '' if it is."""
    # The class map is written last and in each run: it tells which of the others are as old.
    try:
        with open_raster(class_map) as raster:
            there = raster.tags()
    except ValueError:
        return NO_TAGS
    if not {MAPS_TAG, *DIFFERENCES} <= there.keys():
        return NO_TAGS
    for tag, why in DIFFERENCES.items():
        if tags[tag] and there[tag] != tags[tag]:
            return why
    made = json.loads(there[MAPS_TAG])
    return "" if set(_made(wanted)) <= set(made) else OTHER_RUN
