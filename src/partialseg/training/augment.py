"""Augmentation of training patches: flips, rotations, an affine move, changes of colour."""

import os
import random
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pydantic.dataclasses import dataclass

from partialseg.core.params import STRICT, Share

# Before the import, at which albumentations would go online to look for a newer version.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
import albumentations as A  # noqa: N812


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


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Augment:
    """Probabilities of flips and of a rotation by a multiple of 90 degrees; move and colours."""

    horizontal_flip: Share
    vertical_flip: Share
    rotate90: Share
    shift_scale_rotate: ShiftScaleRotate
    colour_jitter: ColourJitter


def moves(params: Augment) -> list[A.BasicTransform]:
    """Return the transforms of image, truth and visibility, in their order."""
    affine = params.shift_scale_rotate
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
    ]


def colour_changes(limits: ColourJitter) -> list[A.BasicTransform]:
    """Return the transforms of the image alone, in their order; none of probability 0."""
    if not limits.probability:
        return []
    return [
        A.ColorJitter(
            brightness=around(limits.brightness),
            contrast=around(limits.contrast),
            saturation=around(limits.saturation),
            hue=(0, 0),
            p=limits.probability,
        ),
        A.MultiplicativeNoise(
            multiplier=around(limits.balance),
            per_channel=True,
            elementwise=False,
            p=limits.probability,
        ),
    ]


def around(limit: float) -> tuple[float, float]:
    """Return the ends of 1 +- limit."""
    return 1 - limit, 1 + limit


class Augmenter:
    """Applies random flips, rotations and a move alike to all arrays of a patch.

    The colours of the image change at last. What is black has no image: it stays black, and what
    is not does not become so.
    """

    def __init__(self, params: Augment) -> None:
        self._move = A.Compose(moves(params))
        self._colour = A.Compose(colour_changes(params.colour_jitter))

    def __call__(
        self,
        seed: int,
        image: NDArray[np.uint8],
        truth: NDArray[np.uint8],
        visible: NDArray[np.bool_],
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.bool_]]:
        """Transform image (H, W, 3), truth (H, W) and visible (H, W) by the draws of a seed."""
        # Seeded for each patch, so that the draws do not depend on the number of workers.
        draws = np.random.default_rng(seed), random.Random(seed)
        self._move.set_random_state(*draws)
        moved = self._move(image=image, masks=[truth, visible.view(np.uint8)])
        truth, visible = moved["masks"]
        image = moved["image"]
        if self._colour.transforms:
            self._colour.set_random_state(*draws)
            changed = self._colour(image=image)["image"]
            image = np.where(image.any(axis=-1, keepdims=True), np.maximum(changed, 1), 0)
        return image, truth, visible.view(np.bool_)
