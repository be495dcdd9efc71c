"""How cells are told apart in a chart: colour is architecture, marker and line are recipe."""

from collections.abc import Sequence
from dataclasses import dataclass

from partialseg.figures.page import COLOURS
from partialseg.run import Cell

LineStyle = str | tuple[int, tuple[float, ...]]
# Colour alone would not do: architectures differ in it, and recipes in marker and line.
MARKERS = ("o", "s", "^", "D", "v", "P")
LINES: tuple[LineStyle, ...] = (
    "-",
    (0, (4, 1.5)),
    (0, (1, 1.2)),
    "-.",
    (0, (8, 3)),
    (0, (1, 4)),
)


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
    recipes = list(dict.fromkeys(cell.recipe for cell in cells))
    styles = {}
    for cell in cells:
        colour, look = architectures.index(cell.architecture), recipes.index(cell.recipe)
        mark = (look + len(recipes) * colour) % len(MARKERS)
        styles[cell] = CellStyle(
            COLOURS[colour % len(COLOURS)], MARKERS[mark], LINES[look % len(LINES)]
        )
    return styles
