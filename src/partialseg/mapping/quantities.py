"""Probabilities as what the maps hold: bytes from 0 to 250."""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from partialseg.mapping.class_map import ONE


def quantised(share: Tensor) -> NDArray[np.uint8]:
    """Return shares in 0..1 as bytes of 0..250."""
    return (share * ONE).round_().to(torch.uint8).cpu().numpy()


def entropy(probabilities: Tensor) -> Tensor:
    """Return the entropy (h, w) of probabilities (C, h, w) as a share of its maximum, ln C."""
    return torch.special.entr(probabilities).sum(dim=0) / math.log(len(probabilities))
