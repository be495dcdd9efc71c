"""The page that the figures are drawn on: size, inks, colours, and the way into a PNG."""

from collections.abc import Iterable, Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from partialseg.atomic import new_file
from partialseg.run import Cell
from partialseg.truth import Colour

WIDTH = 9.0  # inches: text of 10 points is read well where a README shows this in 900 px
DPI = 144
INK, QUIET, FAINT = "#222222", "#777777", "#dddddd"
# One colour an architecture (Okabe and Ito 2008, https://jfly.uni-koeln.de/color/).
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
EXACT_COLOURS = 64  # of the 256 of a small PNG; the others are those of its photographs


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of the given inches that no window and no pyplot knows."""
    figure = Figure(figsize=(width, height), dpi=DPI)
    FigureCanvasAgg(figure)
    return figure


def colour_by_architecture(cells: Iterable[Cell]) -> dict[str, str]:
    """Return a colour for each architecture, in the order in which they come."""
    names = dict.fromkeys(cell.architecture for cell in cells)
    return {name: COLOURS[rank % len(COLOURS)] for rank, name in enumerate(names)}


def dress(axes: Axes, numbers: str) -> None:
    """Draw axes quietly, with lines across the axis of the numbers ('x' or 'y')."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="x" if numbers == "x" else "y", color=FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(colors=INK)


def save(figure: Figure, file: Path) -> None:
    """Write a figure as PNG, whole or not at all; equal figures give equal bytes.

    Raises:
        OSError: the picture cannot be written.
    """
    with new_file(file) as part:
        # The version of matplotlib, otherwise in the file, would change it with every upgrade.
        figure.savefig(part, format="png", dpi=figure.dpi, metadata={"Software": None})


def save_small(figure: Figure, exact: Sequence[Colour], file: Path) -> None:
    """Write a figure as a PNG of 256 colours, a third in size; `exact` ones stay as they are.

    Raises:
        OSError: the picture cannot be written.
    """
    buffer = BytesIO()
    figure.savefig(buffer, format="rgba", dpi=figure.dpi)
    size = figure.canvas.get_width_height()
    picture = Image.frombytes("RGBA", size, buffer.getvalue()).convert("RGB")
    exact = exact[:EXACT_COLOURS]
    others = picture.quantize(256 - len(exact), method=Image.Quantize.MEDIANCUT)
    indices = np.asarray(others) + np.uint8(len(exact))
    pixels = np.frombuffer(buffer.getvalue(), np.uint32).reshape(indices.shape)
    for index, colour in enumerate(exact):
        indices[pixels == np.array([*colour, 255], np.uint8).view(np.uint32)] = index
    small = Image.fromarray(indices)
    small.putpalette([*np.ravel(exact).tolist(), *(others.getpalette() or [])])
    with new_file(file) as part:
        small.save(part, format="PNG", optimize=True)
