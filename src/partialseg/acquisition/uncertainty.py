"""How unsure a network is of a pixel: the higher, the more its label is worth."""

import numpy as np
from numpy.typing import NDArray


def entropy(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the entropy (H, W), in nats, of class probabilities (C, H, W).

    0 where one class is certain, ln C where all are equally likely. Source: Settles 2009, "Active
    Learning Literature Survey", section 3.1.
    """
    logarithms = np.log(np.maximum(probabilities, np.finfo(np.float32).tiny))  # 0 ln 0 is 0
    surprise: NDArray[np.float32] = -(probabilities * logarithms).sum(axis=0)
    return surprise


def margin(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return 1 - (p1 - p2) (H, W) of the two largest class probabilities (C, H, W).

    0 where one class is certain, 1 where two are equally likely. Source: Scheffer et al. 2001,
    "Active Hidden Markov Models for Information Extraction", IDA.
    """
    second, first = np.partition(probabilities, (-2, -1), axis=0)[-2:]
    closeness: NDArray[np.float32] = 1 - (first - second)
    return closeness
