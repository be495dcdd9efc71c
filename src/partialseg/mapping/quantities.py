"""Probabilities as what the maps hold: class ids, and bytes from 0 to 250."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from partialseg.mapping.class_map import ONE


def most_probable(probabilities: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return the class ids (h, w) of probabilities (C, h, w), the first one of equals."""
    # Class by class: argmax over the first axis takes ten times as long.
    ids = np.zeros(probabilities.shape[1:], np.uint8)
    highest = probabilities[0].copy()
    for index, of_class in enumerate(probabilities[1:], start=1):
        np.copyto(ids, index, where=of_class > highest)
        np.maximum(highest, of_class, out=highest)
    return ids


def quantised(share: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return shares in 0..1 as bytes of 0..250."""
    return np.rint(share * ONE).astype(np.uint8)


def entropy(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the entropy (h, w) of probabilities (C, h, w) as a share of its maximum, ln C."""
    tiny = np.finfo(np.float32).tiny  # 0 ln 0 is 0
    nats = -sum(share * cv2.log(np.maximum(share, tiny)) for share in probabilities)
    return np.clip(nats / math.log(len(probabilities)), 0, 1)
