"""Cells of an orthophoto resampled to the size of a patch."""

import cv2
import numpy as np
from numpy.typing import NDArray


def resampled_image(
    image: NDArray[np.uint8], covered: NDArray[np.bool_] | None, size: int
) -> NDArray[np.uint8]:
    """Return an image (H, H, 3) as (size, size, 3), each pixel a mean of those that have data.

    covered (H, H) says which these are, None: all. Where the pixel under the centre has none, the
    result is black, as images are that predict.py reads.
    """
    square = (size, size)
    how = cv2.INTER_AREA if len(image) > size else cv2.INTER_LINEAR
    if covered is None or covered.all():
        mean = cv2.resize(image, square, interpolation=how) if len(image) != size else image
        return mean  # type: ignore[return-value]
    if len(image) == size:
        return np.where(covered[..., None], image, np.uint8(0))
    weights = covered.astype(np.float32)
    total = cv2.resize(image * weights[..., None], square, interpolation=how)
    share = cv2.resize(weights, square, interpolation=how)
    mean = total / np.maximum(share, np.finfo(np.float32).tiny)[..., None]
    shown = resampled_mask(covered.view(np.uint8), size) > 0
    return np.where(shown[..., None], mean.round(), 0).astype(np.uint8)


def resampled_mask(mask: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Return class ids (H, H) as (size, size): those of the pixels under the centres."""
    if len(mask) == size:
        return mask
    # EXACT takes the pixel under the centre, as INTER_AREA does; INTER_NEAREST is off by half.
    return cv2.resize(mask, (size, size), interpolation=cv2.INTER_NEAREST_EXACT)  # type: ignore[return-value]
