"""What all figures share: size, colours and styles of cells, legends, and how they are written.

A figure becomes a PNG file, or an SVG element for a page of HTML.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from partialseg.core.classes import Colour
from partialseg.core.files import new_file
from partialseg.evaluation.runs import Cell

WIDTH = 9.0  # inches: text of 10 points is read well where a README shows this in 900 px
DPI = 144
INK, QUIET, FAINT = "#222222", "#777777", "#dddddd"
# One colour an architecture (Okabe and Ito 2008, https://jfly.uni-koeln.de/color/).
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
EXACT_COLOURS = 64  # of the 256 of a small PNG; the others are those of its photographs
LineStyle = str | tuple[int, tuple[float, ...]]
# Colour tells architectures apart; marker and line tell recipes and labellings apart (in the
# figure of the curves: fractions), also without colour.
MARKERS = ("o", "s", "^", "D", "v", "P")
LINES: tuple[LineStyle, ...] = ("-", (0, (4, 1.5)), (0, (1, 1.2)), "-.", (0, (8, 3)), (0, (1, 4)))
# matplotlib names its own fonts, which no reader has; without a name the page's is taken.
_FONT = re.compile(r" font-family: [^;\"]*;?")
_ID = re.compile(r' id="([^"]+)"')
_REFERENCE = re.compile(r'(?<=url\(#)[^)]+(?=\))|(?<=href="#)[^"]+(?=")')


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of the given inches that no window and no pyplot knows."""
    figure = Figure(figsize=(width, height), dpi=DPI)
    FigureCanvasAgg(figure)
    return figure


def new_chart(height: float) -> tuple[Figure, Axes]:
    """Return a figure as wide as a page, of the given inches in height, and its only axes."""
    figure = new_figure(WIDTH, height)
    figure.set_layout_engine("constrained", w_pad=0.08, h_pad=0.06)
    return figure, figure.subplots()


def colour_by_architecture(cells: Iterable[Cell]) -> dict[str, str]:
    """Return a colour for each architecture, in the order in which they come."""
    names = dict.fromkeys(cell.architecture for cell in cells)
    return {name: COLOURS[rank % len(COLOURS)] for rank, name in enumerate(names)}


def style_axes(axes: Axes, numbers: str) -> None:
    """Leave out the frame, and draw faint grid lines across the axis of numbers ('x' or 'y')."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="x" if numbers == "x" else "y", color=FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(colors=INK)


def name_rows(axes: Axes, places: Sequence[float], names: Sequence[str], margin: float) -> None:
    """Lay out a chart of rows: a name at each place from the top down, numbers along x.

    margin is the room above the first and below the last row, in rows.
    """
    axes.set_yticks(places, names)
    axes.set_ylim(places[-1] + margin if places else 1, -margin)
    style_axes(axes, "x")
    axes.tick_params(axis="y", length=0)


def add_legend(
    figure: Figure, columns: int, handles: Collection[Artist] | None = None, **layout: Any
) -> None:
    """Put a legend above the axes: of the given handles, or of all that have a label."""
    figure.legend(
        handles=handles,
        loc="outside upper center",
        ncols=columns,
        frameon=False,
        labelcolor=INK,
        **layout,
    )


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


@dataclass(frozen=True)
class CellStyle:
    """The colour, marker and line of a cell."""

    colour: str
    marker: str
    line: LineStyle


def cell_styles(cells: Sequence[Cell]) -> dict[Cell, CellStyle]:
    """Return a style for each cell of a chart; fraction and split make no difference.

    The second of two architectures begins with another marker, so black and white is enough.
    """
    architectures = list(dict.fromkeys(cell.architecture for cell in cells))
    looks = list(dict.fromkeys((cell.recipe, cell.labelling) for cell in cells))
    styles = {}
    for cell in cells:
        colour = architectures.index(cell.architecture)
        look = looks.index((cell.recipe, cell.labelling))
        mark = (look + len(looks) * colour) % len(MARKERS)
        # Another line beside the same marker, once the markers are used up.
        line = (look + look // len(MARKERS)) % len(LINES)
        styles[cell] = CellStyle(COLOURS[colour % len(COLOURS)], MARKERS[mark], LINES[line])
    return styles


def svg_text(figure: Figure, name: str) -> str:
    """Return a figure as an <svg> element to put into HTML; equal figures give equal text.

    name is a word that no other figure of the page has: the ids in the element begin with it.
    """
    stream = StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(
            stream,
            format="svg",
            facecolor="none",
            metadata={"Date": None, "Creator": None, "Format": None, "Type": None},
        )
    text = stream.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
    text = re.sub(r"<!--.*?-->\s*", "", text, flags=re.DOTALL)
    text = _FONT.sub("", text)
    return _with_own_ids(text, name).rstrip()


def _with_own_ids(text: str, name: str) -> str:
    """Leave the ids that something refers to, and let them begin with a name."""
    used = set(_REFERENCE.findall(text))
    text = _REFERENCE.sub(lambda found: f"{name}-{found[0]}", text)
    return _ID.sub(lambda found: f' id="{name}-{found[1]}"' if found[1] in used else "", text)
