"""Augmentation of training patches: flips, rotations, an affine move, changes of colour."""

import os
import random
from typing import Annotated

import albumentations as A  # noqa: N812
import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pydantic.dataclasses import dataclass

from partialseg.core.params import STRICT, Share

# On import, albumentations would go online to look for a newer version.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")


@dataclass(frozen=True, kw_only=True, config=STRICT)
class ShiftScaleRotate:
    """Limits of an affine move: shift in patch sides, scale as 1 +- scale, rotate in degrees."""

    probability: Share
    shift: Share
    scale: Annotated[float, Field(ge=0, lt=1)]
    rotate: Annotated[float, Field(ge=0, le=180)]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class ColourJitter:
    """Limits of changes of colour: factors of 1 +- each.

    balance is that of the white balance: a factor for each band, drawn by itself. It applies with
    the probability, whether or not the others do.
    """

    probability: Share
    brightness: Share
    contrast: Share
    saturation: Share
    balance: Share


NO_JITTER = ColourJitter(probability=0.0, brightness=0.0, contrast=0.0, saturation=0.0, balance=0.0)


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Augment:
    """Probabilities of flips and of a rotation by a multiple of 90 degrees; move and colours."""

    horizontal_flip: Share
    vertical_flip: Share
    rotate90: Share
    shift_scale_rotate: ShiftScaleRotate
    colour_jitter: ColourJitter = NO_JITTER


def moves(params: Augment) -> list[A.BasicTransform]:
    """Return the transforms in the order in which they are applied to a patch."""
    affine, colours = params.shift_scale_rotate, params.colour_jitter
    return [
        A.HorizontalFlip(p=params.horizontal_flip),
        A.VerticalFlip(p=params.vertical_flip),
        A.RandomRotate90(p=params.rotate90),
        # Pixels from outside the patch are black and, with a visibility of 0, unlabelled.
        A.Affine(
            translate_percent=(-affine.shift, affine.shift),
            scale=(1 - affine.scale, 1 + affine.scale),
            keep_ratio=True,
            rotate=(-affine.rotate, affine.rotate),
            p=affine.probability,
        ),
        A.ColorJitter(
            brightness=around(colours.brightness),
            contrast=around(colours.contrast),
            saturation=around(colours.saturation),
            hue=(0, 0),
            p=colours.probability,
        ),
        A.MultiplicativeNoise(
            multiplier=around(colours.balance),
            per_channel=True,
            elementwise=False,
            p=colours.probability,
        ),
    ]


def around(limit: float) -> tuple[float, float]:
    """Return the ends of 1 +- limit."""
    return 1 - limit, 1 + limit


class Augmenter:
    """Applies random flips, rotations and a move alike to all arrays of a patch.

    The colours of the image change at last.
    """

    def __init__(self, params: Augment) -> None:
        self._transform = A.Compose(moves(params))

    def __call__(
        self,
        seed: int,
        image: NDArray[np.uint8],
        truth: NDArray[np.uint8],
        visible: NDArray[np.bool_],
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.bool_]]:
        """Transform image (H, W, 3), truth (H, W) and visible (H, W) by the draws of a seed."""
        # Seeded for each patch, so that the draws do not depend on the number of workers.
        self._transform.set_random_state(np.random.default_rng(seed), random.Random(seed))
        moved = self._transform(image=image, masks=[truth, visible.view(np.uint8)])
        truth, visible = moved["masks"]
        return moved["image"], truth, visible.view(np.bool_)
