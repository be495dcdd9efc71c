"""The budget figure: the score over the label fraction."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from partialseg.comparison.cells import SeedScore
from partialseg.evaluation.runs import Cell, architecture_name, percent
from partialseg.figures.style import (
    INK,
    QUIET,
    CellStyle,
    add_legend,
    cell_styles,
    new_chart,
    save,
    style_axes,
)

APART = 1.012  # factor between lines, so that error bars do not hide each other
MARGIN = 1.15  # factor on either side of the fractions
ALL = 0.99  # labelled share of the pixels that counts as all: a few have no truth


def draw_budget(
    scores: Mapping[Cell, SeedScore], majority_miou: float, majority_class: str, file: Path
) -> None:
    """Write a PNG of the mIoU of cells of one split over their label fractions.

    A label fraction is of what the labelling counts: pixels, or clicks for points. Where all pixels
    are labelled at the last fraction of a line, a dotted line shows its score across the figure.

    Raises:
        OSError: the picture cannot be written.
    """
    save(budget_figure(scores, majority_miou, majority_class), file)


def budget_figure(
    scores: Mapping[Cell, SeedScore], majority_miou: float, majority_class: str
) -> Figure:
    """Return the figure of draw_budget(): one line per architecture, recipe and labelling."""
    assert len({cell.split for cell in scores}) == 1, "a figure of one split"
    figure, axes = new_chart(4.2)
    styles = cell_styles(list(scores))
    several = len({cell.labelling for cell in scores}) > 1
    series = list(dict.fromkeys(map(_series, scores)))
    for rank, (architecture, recipe, labelling) in enumerate(series):
        cells = [cell for cell in scores if _series(cell) == series[rank]]
        cells.sort(key=lambda cell: cell.label_fraction)
        shift = APART ** (rank - (len(series) - 1) / 2)
        name = f"{architecture_name(architecture)}, {recipe}"
        name += f", {labelling}" if several else ""
        _draw_line(axes, cells, scores, styles[cells[0]], shift, name)
        if scores[cells[-1]].labelled > ALL:
            _draw_ceiling(axes, scores[cells[-1]].mean, styles[cells[-1]].colour)
    _draw_majority(axes, majority_miou, majority_class)
    _scale(axes, sorted({cell.label_fraction for cell in scores}))
    (scored,) = {score.scored for score in scores.values()}
    axes.set_ylabel(f"{scored} mIoU", color=INK)
    add_legend(figure, 2)
    return figure


def _series(cell: Cell) -> tuple[str, str, str]:
    return cell.architecture, cell.recipe, cell.labelling


def _draw_line(
    axes: Axes,
    cells: Sequence[Cell],
    scores: Mapping[Cell, SeedScore],
    style: CellStyle,
    shift: float,
    name: str,
) -> None:
    axes.errorbar(
        [shift * cell.label_fraction for cell in cells],
        [scores[cell].mean for cell in cells],
        # One seed has no spread to show, which is not a spread of 0.
        yerr=[scores[cell].std or float("nan") for cell in cells],
        color=style.colour,
        linestyle=style.line,
        marker=style.marker,
        markersize=6,
        linewidth=1.6,
        capsize=3,
        label=name,
    )


def _draw_ceiling(axes: Axes, miou: float, colour: str) -> None:
    axes.axhline(miou, color=colour, linestyle=":", linewidth=1, zorder=1)
    axes.annotate(
        "all pixels labelled",
        (0.98, miou),
        xycoords=("axes fraction", "data"),
        xytext=(-8, -4),
        textcoords="offset points",
        horizontalalignment="right",
        verticalalignment="top",
        fontsize=8,
        color=colour,
    )


def _draw_majority(axes: Axes, miou: float, class_name: str) -> None:
    """Draw the score of the trivial answer across, with its name."""
    axes.axhline(miou, color=QUIET, linestyle=(0, (5, 3)), linewidth=1.2)
    axes.annotate(
        f"all {class_name}: {miou:.3f}",
        (0.01, miou),
        xycoords=("axes fraction", "data"),
        xytext=(0, 3),
        textcoords="offset points",
        fontsize=9,
        color=INK,
    )


def _scale(axes: Axes, fractions: Sequence[float]) -> None:
    axes.set_xscale("log")
    axes.set_xlim(fractions[0] / MARGIN, fractions[-1] * MARGIN)
    axes.xaxis.set_major_locator(FixedLocator(list(fractions)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda fraction, _: percent(fraction)))
    axes.set_ylim(bottom=0)
    axes.set_xlabel("label fraction (log scale)", color=INK)
    style_axes(axes, "y")
