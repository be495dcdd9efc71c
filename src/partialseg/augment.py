"""Augmentation of a training patch: image, truth and visible pixels move together."""

import os
import random
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pydantic.dataclasses import dataclass

from partialseg.params import STRICT, Share

# Albumentations would ask the network for a newer version of itself on import.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
import albumentations as A  # noqa: N812


@dataclass(frozen=True, kw_only=True, config=STRICT)
class ShiftScaleRotate:
    """Limits of one affine move: shift in sides of the patch, scale as 1 +- scale, degrees."""

    probability: Share
    shift: Share
    scale: Annotated[float, Field(ge=0, lt=1)]
    rotate: Annotated[float, Field(ge=0, le=180)]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Augment:
    """Probabilities of the flips and of a rotation by a multiple of 90 degrees; the affine move."""

    horizontal_flip: Share
    vertical_flip: Share
    rotate90: Share
    shift_scale_rotate: ShiftScaleRotate


def moves(params: Augment) -> list[A.BasicTransform]:
    """Return the moves in the order in which a patch makes them."""
    affine = params.shift_scale_rotate
    return [
        A.HorizontalFlip(p=params.horizontal_flip),
        A.VerticalFlip(p=params.vertical_flip),
        A.RandomRotate90(p=params.rotate90),
        # Pixels from outside the patch are black and, as their visibility is 0, unlabelled.
        A.Affine(
            translate_percent=(-affine.shift, affine.shift),
            scale=(1 - affine.scale, 1 + affine.scale),
            keep_ratio=True,
            rotate=(-affine.rotate, affine.rotate),
            p=affine.probability,
        ),
    ]


class Augmenter:
    """Applies random flips, rotations and an affine move, the same for all arrays of a patch."""

    def __init__(self, params: Augment) -> None:
        self._transform = A.Compose(moves(params))

    def __call__(
        self,
        seed: int,
        image: NDArray[np.uint8],
        truth: NDArray[np.uint8],
        visible: NDArray[np.bool_],
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.bool_]]:
        """Move image (H, W, 3), truth (H, W) and visible (H, W) as the seed says."""
        # Set for each patch, so that the draw does not depend on the number of workers.
        self._transform.set_random_state(np.random.default_rng(seed), random.Random(seed))
        moved = self._transform(image=image, masks=[truth, visible.view(np.uint8)])
        truth, visible = moved["masks"]
        return moved["image"], truth, visible.view(np.bool_)
