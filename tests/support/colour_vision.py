"""How far apart colours are for readers of any colour vision."""

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from partialseg.core.classes import Colour

# Machado, Oliveira and Fernandes 2009, doi:10.1109/TVCG.2009.113: severity 1.0, of linear RGB.
SIMULATED = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritanopia": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}
# sRGB's primaries, IEC 61966-2-1.
XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def lab(colours: Sequence[Colour], vision: str) -> NDArray[np.float64]:
    """Return CIE L*a*b* (N, 3), white D65, of colours as seen with one of SIMULATED."""
    shares = np.array(colours) / 255
    linear = np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)
    seen = (linear @ SIMULATED[vision].T).clip(0, 1)
    relative = (seen @ XYZ.T) / XYZ.sum(1)
    root = np.where(
        relative > (6 / 29) ** 3, np.cbrt(relative), relative / (3 * (6 / 29) ** 2) + 4 / 29
    )
    x, y, z = root.T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1)


def nearest_pair(colours: Sequence[Colour], vision: str) -> tuple[float, tuple[int, int]]:
    """Return the least CIE76 distance between two of the colours, and their places."""
    seen = lab(colours, vision)
    pairs = itertools.combinations(range(len(colours)), 2)
    return min((float(np.linalg.norm(seen[a] - seen[b])), (a, b)) for a, b in pairs)
