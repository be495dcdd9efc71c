"""The best and the worst held-out patches of each class, and their pictures in the page."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from partialseg.core.classes import NO_TRUTH, Colour
from partialseg.evaluation.results import SPLIT_NAMES, shown_split
from partialseg.figures.panel import WRONG, PanelRow, error_map
from partialseg.report.tables import Detail
from partialseg.tiling.contact_sheet import NO_TRUTH_COLOUR
from partialseg.tiling.patches import PatchStore

SIDE = 256  # px: shown 190 px wide, this is sharp on most screens
QUALITY = 70  # of WebP
RANKS: tuple[Literal["best"], Literal["worst"]] = ("best", "worst")


@dataclass(frozen=True, kw_only=True)
class ExamplePictures:
    """The data URIs of a patch: image, truth, prediction, and where the prediction is wrong."""

    image: str
    truth: str
    prediction: str
    errors: str


def example_pictures(
    image: NDArray[np.uint8],
    truth: NDArray[np.uint8],
    prediction: NDArray[np.uint8],
    palette: Sequence[Colour],
) -> ExamplePictures:
    """Return the pictures of a patch: image (H, W, 3), truth and prediction (H, W) of class ids.

    truth holds NO_TRUTH where there is none.
    """
    row = PanelRow(name="", image=image, truth=truth, visible=truth != NO_TRUTH, predictions={})
    return ExamplePictures(
        image=photo_uri(image),
        truth=map_uri(truth, palette),
        prediction=map_uri(prediction, palette),
        errors=photo_uri(error_map(row, prediction)),
    )


def photo_uri(pixels: NDArray[np.uint8], side: int = SIDE) -> str:
    """Return colours (H, W, 3) as a lossy WebP of at most `side` px a side."""
    picture = Image.fromarray(pixels)
    picture.thumbnail((side, side), Image.Resampling.BOX, reducing_gap=None)
    buffer = BytesIO()
    picture.save(buffer, format="WEBP", quality=QUALITY, method=6)
    return _uri("image/webp", buffer)


def map_uri(ids: NDArray[np.uint8], palette: Sequence[Colour], side: int = SIDE) -> str:
    """Return class ids (H, W) as a PNG of the palette's exact colours, at most `side` px a side.

    NO_TRUTH becomes NO_TRUTH_COLOUR.
    """
    colours = [*palette, NO_TRUTH_COLOUR]
    places = np.where(ids == NO_TRUTH, len(palette), ids).astype(np.uint8)
    picture = Image.fromarray(places)
    # Nearest: between two classes there is no colour that means anything.
    picture.thumbnail((side, side), Image.Resampling.NEAREST, reducing_gap=None)
    picture.putpalette(np.array(colours, np.uint8).tobytes())
    buffer = BytesIO()
    picture.save(buffer, format="PNG", optimize=True, bits=_bits(len(colours)))
    return _uri("image/png", buffer)


def css_colour(colour: Colour = WRONG) -> str:
    """Return a colour as CSS has it: '#cc0022'."""
    return "#{:02x}{:02x}{:02x}".format(*colour)


def _bits(colours: int) -> int:
    """Return how many bits a pixel of a PNG needs for so many colours."""
    return next(bits for bits in (1, 2, 4, 8) if colours <= 2**bits)


def _uri(kind: str, buffer: BytesIO) -> str:
    return f"data:{kind};base64,{b64encode(buffer.getvalue()).decode('ascii')}"


@dataclass(frozen=True, kw_only=True)
class Example:
    """A held-out patch that is among the best or the worst of a class, by its IoU there."""

    class_name: str
    rank: str
    patch: str
    iou: float
    pictures: ExamplePictures


def examples(
    store: PatchStore, detail: Detail, predictions: Mapping[str, NDArray[np.uint8]]
) -> list[Example]:
    """Return the examples that the details of a run name, in the order of the classes.

    predictions holds class ids (H, W) by the name of the patch. A patch may be shown for several
    classes; its pictures are made once.

    Raises:
        ValueError: a patch is not in the store, or has no prediction of its size.
    """
    split = shown_split(detail)
    patches = {patch.name: patch for patch in store.of_split(split)}
    made: dict[str, ExamplePictures] = {}
    found = []
    for class_name, ranks in detail[f"{split}_examples"].items():
        for rank in RANKS:
            for item in ranks[rank]:
                name = item["patch"]
                if name not in patches:
                    raise ValueError(
                        f"{store.folder}: no {SPLIT_NAMES[split]} patch is named {name!r}"
                    )
                truth = store.truth(patches[name])
                if name not in predictions or predictions[name].shape != truth.shape:
                    raise ValueError(f"example patch {name!r}: no prediction of {truth.shape} px")
                if name not in made:
                    made[name] = example_pictures(
                        np.asarray(store.image(patches[name])),
                        np.asarray(truth),
                        predictions[name],
                        store.summary.palette,
                    )
                found.append(
                    Example(
                        class_name=class_name,
                        rank=rank,
                        patch=name,
                        iou=item["iou"],
                        pictures=made[name],
                    )
                )
    return found
