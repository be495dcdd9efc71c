"""Random square crops of training patches: how many an epoch shows, and where they are cut."""

import numpy as np
from numpy.typing import NDArray

from partialseg.core.classes import IGNORE_INDEX, compose_label

TRIES = 10  # draws of a crop before one is placed around a labelled pixel

Window = tuple[slice, slice]  # rows and columns of a patch


def crops_per_patch(size: int, crop: int) -> int:
    """Return how many crops have about as many pixels as a patch, at least 1 (crop 0: whole)."""
    return max(1, round((size / crop) ** 2)) if crop else 1


def check_crop(crop: int, size: int) -> None:
    """Check that crops of this side can be cut from patches of size px (crop 0: whole patches).

    Raises:
        ValueError: they are larger.
    """
    if crop > size:
        raise ValueError(f"crop: must be at most {size}, the side in px of the patches, got {crop}")


def random_crop(
    seed: int, crop: int, truth: NDArray[np.uint8], visible: NDArray[np.bool_]
) -> Window:
    """Return a random window of crop x crop px, with a labelled pixel if the patch has one.

    All windows inside the patch are equally likely. One without a labelled pixel is drawn again;
    if TRIES draws had none, it is a random one of those around a random labelled pixel. In a patch
    that nobody has labelled the first draw is taken.

    Args:
        seed: that of all draws.
        crop: the side of the window in px.
        truth: class ids (H, W) of a square patch, NO_TRUTH where there is none.
        visible: (H, W), True where a pixel was annotated.
    """
    rng, size = np.random.default_rng(seed), len(visible)
    if not visible.any():
        return _anywhere(rng, size, crop)
    for _ in range(TRIES):
        window = _anywhere(rng, size, crop)
        if _labelled(truth[window], visible[window]).any():
            return window
    places = np.argwhere(_labelled(truth, visible))
    if not len(places):  # the annotated pixels have no truth
        return window
    row, column = rng.choice(places).tolist()
    return _around(rng, row, size, crop), _around(rng, column, size, crop)


def _anywhere(rng: np.random.Generator, size: int, crop: int) -> Window:
    top, left = rng.integers(0, size - crop, 2, endpoint=True).tolist()
    return slice(top, top + crop), slice(left, left + crop)


def _around(rng: np.random.Generator, place: int, size: int, crop: int) -> slice:
    """Return a range of length crop within 0..size that contains place."""
    start = int(rng.integers(max(0, place - crop + 1), min(place, size - crop), endpoint=True))
    return slice(start, start + crop)


def _labelled(truth: NDArray[np.uint8], visible: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return compose_label(truth, visible) != IGNORE_INDEX
