"""How cells are told apart in a chart: colour is architecture, marker and line the rest."""

from collections.abc import Sequence
from dataclasses import dataclass

from partialseg.figures.page import COLOURS
from partialseg.run import Cell

LineStyle = str | tuple[int, tuple[float, ...]]
# Colour alone would not do: architectures differ in it, and recipes and labellings in marker and
# line.
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
