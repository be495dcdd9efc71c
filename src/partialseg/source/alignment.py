"""Whether an image and its mask are of one size and lie at one place."""

import math
from pathlib import Path

from affine import Affine
from pyproj import Transformer
from pyproj.exceptions import ProjError

from partialseg.source.placement import FILLED_IN, NO_TRANSFORM
from partialseg.source.raster import Header

MOST_APART = 0.5  # px: less is rounding
SCALED = 0.02  # logarithm of a factor: less is rounding
Point = tuple[float, float]


def check_alignment(image: Path, image_header: Header, mask: Path, mask_header: Header) -> None:
    """Compare the size of an image with that of its mask, and their places if both have one.

    A transform counts also without a CRS, as that of a world file; without a CRS of its own, a file
    is taken to lie in that of the other.

    Raises:
        ValueError: the sizes differ, or the places by more than half a pixel.
    """
    image_size = image_header.width, image_header.height
    mask_size = mask_header.width, mask_header.height
    if image_size != mask_size:
        size = f"{image_size[0]} {image_size[1]}"
        resampling = (
            f"; if they show the same ground: gdal_translate -r nearest -outsize {size}"
            if _are_alike(image_size, mask_size)
            else ""
        )
        raise ValueError(
            f"{mask}: size {mask_size[0]} x {mask_size[1]} px differs from "
            f"{image_size[0]} x {image_size[1]} px of {image}{resampling}"
        )
    transforms = Affine(*image_header.transform), Affine(*mask_header.transform)
    if NO_TRANSFORM in transforms or FILLED_IN in transforms:
        return
    a, b, _, d, e, _ = image_header.transform
    pixel = min(math.hypot(a, d), math.hypot(b, e))
    far = _apart(image_header, mask_header)
    if far > MOST_APART * pixel:
        crs = {image_header.crs, mask_header.crs} - {""}
        in_what = f", in {mask_header.crs} and {image_header.crs}" if len(crs) > 1 else ""
        why = _why(image_header, mask_header, MOST_APART * pixel)
        raise ValueError(
            f"{mask}: lies {far:g} map units away from {image}{in_what}: {far / pixel:.3g} px, "
            f"more than half a pixel{why}"
        )


def _are_alike(size: tuple[int, int], other: tuple[int, int]) -> bool:
    """Return whether two sizes differ by one factor, so that they may show the same ground."""
    across, down = (own / of for own, of in zip(size, other, strict=True))
    return max(abs(math.log(across)), abs(math.log(down))) > SCALED > abs(math.log(across / down))


def _why(image: Header, mask: Header, tolerance: float) -> str:
    """Return what explains that two headers of one size lie apart, '' if nothing else does."""
    of_image, of_mask = _corners(image, mask)
    nearest = [min(math.dist(corner, other) for other in of_image) for corner in of_mask]
    if max(nearest) <= tolerance:
        return "; it shows the same ground, but turned or mirrored: write one as the other is"
    if image.crs and mask.crs and image.crs != mask.crs:
        return ""  # pixel sizes in other units
    sides = [math.sqrt(abs(Affine(*header.transform).determinant)) for header in (image, mask)]
    if abs(math.log(sides[1] / sides[0])) > SCALED:
        return f"; its pixels are {sides[1]:g} wide, and those of the image {sides[0]:g}"
    return ""


def _apart(image: Header, mask: Header) -> float:
    """Return how far the corners of a mask lie from those of its image, in units of the image."""
    of_image, of_mask = _corners(image, mask)
    return max(math.dist(*pair) for pair in zip(of_image, of_mask, strict=True))


def _corners(image: Header, mask: Header) -> tuple[list[Point], list[Point]]:
    """Return the corners of an image and of its mask in the coordinates of the image."""
    width, height = image.width, image.height
    corners = ((0, 0), (width, 0), (0, height), (width, height))
    of_image, of_mask = (
        [Affine(*header.transform) @ corner for corner in corners] for header in (image, mask)
    )
    if image.crs and mask.crs and image.crs != mask.crs:
        try:
            to_image = Transformer.from_crs(mask.crs, image.crs, always_xy=True)
        except ProjError:  # a local system: nothing but the coordinates to compare
            pass
        else:
            of_mask = [to_image.transform(*corner) for corner in of_mask]
    return of_image, of_mask
