"""Pictures of the page as data URIs: the page is one file."""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from partialseg.contact_sheet import NO_TRUTH_COLOUR
from partialseg.figures.maps import WRONG, PanelRow, error_map
from partialseg.truth import NO_TRUTH, Colour

SIDE = 256  # px: shown 190 px wide, this is sharp on most screens
QUALITY = 70  # of WebP


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
    """Bits of a pixel that tell so many colours apart, as PNG allows them."""
    return next(bits for bits in (1, 2, 4, 8) if colours <= 2**bits)


def _uri(kind: str, buffer: BytesIO) -> str:
    return f"data:{kind};base64,{b64encode(buffer.getvalue()).decode('ascii')}"
