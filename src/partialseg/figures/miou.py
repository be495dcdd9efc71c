"""The figure of the scores: the mIoU of all cells."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from partialseg.evaluation.runs import Cell, cell_names
from partialseg.figures.style import (
    INK,
    QUIET,
    add_legend,
    colour_by_architecture,
    name_rows,
    new_chart,
    save,
)

Colour = tuple[float, float, float]
# A cell takes a line of this many inches; fractions lie GAP lines apart.
LINE, GAP = 0.42, 0.5
# Lines by which the bar lies above the middle of its line and the mark below it, so that no
# texts meet however near the scores.
ABOVE, BELOW, THICKNESS = 0.16, 0.28, 0.44


@dataclass(frozen=True, kw_only=True)
class CellScore:
    """The mIoU, 0..1 or NaN, of a cell on validation and test: means over its seeds.

    test_miou is None where there is no test split. Deviations are standard deviations over the
    seeds, None for one seed; that of validation is shown only where it is alone.
    """

    cell: Cell
    val_miou: float
    test_miou: float | None
    test_deviation: float | None = None
    val_deviation: float | None = None

    @property
    def bar(self) -> float:
        """What the bar shows: the score on the test, without one that on validation."""
        return self.val_miou if self.test_miou is None else self.test_miou

    @property
    def deviation(self) -> float | None:
        """The deviation of what the bar shows."""
        return self.val_deviation if self.test_miou is None else self.test_deviation

    @property
    def bar_end(self) -> float:
        """Where the bar and its deviation end."""
        return self.bar + (self.deviation or 0)


def draw_miou(
    scores: Sequence[CellScore], majority_miou: float, majority_class: str, file: Path
) -> None:
    """Write a PNG of all cells' mIoU, beside that of predicting majority_class everywhere.

    Colour is architecture; of several recipes and labellings the last has the full colour.

    Raises:
        OSError: the picture cannot be written.
    """
    save(miou_figure(scores, majority_miou, majority_class), file)


def miou_figure(scores: Sequence[CellScore], majority_miou: float, majority_class: str) -> Figure:
    """Return the figure of draw_miou()."""
    ordered = sorted(scores, key=lambda score: score.cell.label_fraction)
    cells = [score.cell for score in ordered]
    fractions = sorted({cell.label_fraction for cell in cells})
    places = [rank + GAP * fractions.index(cell.label_fraction) for rank, cell in enumerate(cells)]
    figure, axes = new_chart(1.4 + LINE * (places[-1] + 1))
    for place, score, colour in zip(places, ordered, _colours(cells), strict=True):
        _draw_score(axes, place, score, colour)
    names = cell_names(cells)
    name_rows(axes, places, [names[cell] for cell in cells], margin=0.6)
    axes.set_xlabel("mIoU (mean IoU of the classes)", color=INK)
    values = [majority_miou, *(v for score in scores for v in (score.val_miou, score.bar_end))]
    axes.set_xlim(0, 1.12 * max((value for value in values if value > 0), default=1))
    _draw_majority(axes, majority_miou, majority_class)
    handles: list[Patch | Line2D] = [Patch(color=QUIET, label="validation")]
    if any(score.test_miou is not None for score in scores):
        handles = [
            Patch(color=QUIET, label="test"),
            Line2D([], [], color=INK, marker="D", mfc=QUIET, linestyle="", label="validation"),
        ]
    add_legend(figure, len(handles), handles)
    return figure


def _colours(cells: Sequence[Cell]) -> list[Colour]:
    """Return the colour of each cell's architecture; earlier recipes and labellings are lighter."""
    of_architecture = colour_by_architecture(cells)
    kinds = list(dict.fromkeys((cell.recipe, cell.labelling) for cell in cells))
    colours = []
    for cell in cells:
        strength = (kinds.index((cell.recipe, cell.labelling)) + 1) / len(kinds)
        red, green, blue = to_rgb(of_architecture[cell.architecture])
        colours.append((_tint(red, strength), _tint(green, strength), _tint(blue, strength)))
    return colours


def _tint(channel: float, strength: float) -> float:
    return 1 - strength * (1 - channel)


def _draw_score(axes: Axes, place: float, score: CellScore, colour: Colour) -> None:
    """Draw a bar with its deviation over seeds, and below it a mark for the validation.

    Without a test split the bar is for the validation, and there is no mark.
    """
    bar, mark = place - ABOVE, place + BELOW
    axes.barh(bar, score.bar, height=THICKNESS, color=colour)
    if score.deviation is not None:
        axes.errorbar(score.bar, bar, xerr=score.deviation, color=INK, capsize=3)
    _write_value(axes, bar, score.bar, "bold", score.bar_end)
    if score.test_miou is not None:
        axes.plot(score.val_miou, mark, "D", color=INK, markerfacecolor=colour, markersize=5)
        _write_value(axes, mark, score.val_miou, "normal")


def _write_value(
    axes: Axes, place: float, value: float, weight: str, end: float | None = None
) -> None:
    """Write a value right of its mark, which ends there or at `end`; "none" at the axis for NaN."""
    known = not math.isnan(value)
    axes.annotate(
        f"{value:.3f}" if known else "none",
        ((value if end is None else end) if known else 0, place),
        (6, 0),
        textcoords="offset points",
        va="center_baseline",
        fontsize=9,
        fontweight=weight,
        color=INK,
        zorder=4,
        # Where the line of the trivial answer passes.
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
    )


def _draw_majority(axes: Axes, miou: float, class_name: str) -> None:
    """Draw the score of the trivial answer across the bars, with its name above them."""
    if math.isnan(miou):
        return
    axes.axvline(miou, color=INK, linestyle=(0, (5, 3)), linewidth=1.2, zorder=3)
    answer, top = f"all {class_name}: {miou:.3f}", axes.get_xaxis_transform()
    axes.text(miou, 1.01, answer, transform=top, ha="center", va="bottom", fontsize=9, color=INK)
