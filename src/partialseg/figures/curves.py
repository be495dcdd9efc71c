"""The figure of the training curves."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from partialseg.comparison.cells import CellCurves
from partialseg.evaluation.runs import Cell, cell_names
from partialseg.figures.style import (
    INK,
    LINES,
    MARKERS,
    WIDTH,
    CellStyle,
    add_legend,
    colour_by_architecture,
    new_figure,
    save,
    style_axes,
)

MARKED_EPOCHS = 20  # with more, markers would hide the line
# Losses that span more than this factor get a logarithmic axis: one bad epoch would flatten them.
WIDE_RANGE = 10
NARROWEST = 2.6  # inches of a panel and its numbers
CURVES = (
    ("train/loss", "Training loss", "cross-entropy"),
    ("val/loss", "Validation loss", "cross-entropy"),
    ("val/miou", "Validation mIoU", "mean IoU of the classes"),
    ("val/accuracy", "Validation accuracy", "share of the pixels"),
)


def draw_curves(curves: Sequence[CellCurves], file: Path) -> None:
    """Write a PNG of all cells' curves: colour is architecture, line style is fraction.

    Recipes stand side by side, on equal scales; a band is a standard deviation over the seeds.

    Raises:
        OSError: the picture cannot be written.
    """
    save(curves_figure(curves), file)


def curves_figure(curves: Sequence[CellCurves]) -> Figure:
    """Return the figure of draw_curves()."""
    styles = _styles([item.cell for item in curves])
    recipes = list(dict.fromkeys(item.cell.recipe for item in curves))
    figure, columns = _one_recipe() if len(recipes) == 1 else _columns(recipes)
    figure.set_layout_engine("constrained", w_pad=0.08, h_pad=0.06)
    lines: dict[Cell, Line2D] = {}
    for recipe, panels in zip(recipes, columns, strict=True):
        shown = [item for item in curves if item.cell.recipe == recipe]
        for axes, (curve, _, _) in zip(panels, CURVES, strict=True):
            style_axes(axes, "y")
            lines |= _plot_curve(axes, shown, curve, styles)
            if curve.endswith("loss"):
                # All recipes' losses: the scale is theirs together.
                _scale_loss(axes, [loss for item in curves for loss in item.values[curve]])
    _name_lines(figure, lines)
    return figure


def _one_recipe() -> tuple[Figure, list[list[Axes]]]:
    """Return a figure and its one list of panels, in the order of CURVES."""
    figure = new_figure(WIDTH, 6.4)
    grid = figure.subplots(2, 2, sharex=True)
    for axes, (_, title, unit) in zip(grid.flat, CURVES, strict=True):
        axes.set_title(title, loc="left", fontsize=11, fontweight="bold", color=INK)
        axes.set_ylabel(unit, color=INK)
    for axes in grid[-1]:
        _number_epochs(axes)
    return figure, [list(grid.flat)]


def _columns(recipes: Sequence[str]) -> tuple[Figure, list[list[Axes]]]:
    """Return a figure and for each recipe its column of panels, in the order of CURVES."""
    figure = new_figure(max(WIDTH, NARROWEST * len(recipes)), 9.6)
    grid = figure.subplots(len(CURVES), len(recipes), sharex="col", sharey="row")
    for axes, recipe in zip(grid[0], recipes, strict=True):
        axes.set_title(recipe, loc="left", fontsize=11, fontweight="bold", color=INK)
    for axes, (_, title, unit) in zip(grid[:, 0], CURVES, strict=True):
        axes.set_ylabel(f"{title}\n{unit}", color=INK)
    for axes in grid[-1]:
        _number_epochs(axes)
    return figure, [list(column) for column in grid.T]


def _number_epochs(axes: Axes) -> None:
    axes.set_xlabel("epoch", color=INK)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10], min_n_ticks=1))


def _styles(cells: Sequence[Cell]) -> dict[Cell, CellStyle]:
    """Return a line and a marker a fraction, the densest line for the most labels."""
    colours = colour_by_architecture(cells)
    fractions = sorted({cell.label_fraction for cell in cells}, reverse=True)
    ranks = {cell: fractions.index(cell.label_fraction) for cell in cells}
    return {
        cell: CellStyle(
            colours[cell.architecture], MARKERS[rank % len(MARKERS)], LINES[rank % len(LINES)]
        )
        for cell, rank in ranks.items()
    }


def _plot_curve(
    axes: Axes, curves: Sequence[CellCurves], curve: str, styles: Mapping[Cell, CellStyle]
) -> dict[Cell, Line2D]:
    names = cell_names([item.cell for item in curves])
    lines: dict[Cell, Line2D] = {}
    for item in curves:
        style = styles[item.cell]
        (lines[item.cell],) = axes.plot(
            item.epochs,
            item.values[curve],
            color=style.colour,
            linestyle=style.line,
            linewidth=1.6,
            marker=style.marker if len(item.epochs) <= MARKED_EPOCHS else "",
            markersize=3.5,
            label=names[item.cell],
        )
        _draw_band(axes, item, curve, style.colour)
    return lines


def _draw_band(axes: Axes, item: CellCurves, curve: str, colour: str) -> None:
    """Shade a standard deviation around the mean of several seeds."""
    if not any(item.deviations[curve]):
        return
    pairs = list(zip(item.values[curve], item.deviations[curve], strict=True))
    low, high = [mean - by for mean, by in pairs], [mean + by for mean, by in pairs]
    axes.fill_between(item.epochs, low, high, color=colour, alpha=0.15, linewidth=0)


def _scale_loss(axes: Axes, losses: Sequence[float]) -> None:
    positive = [loss for loss in losses if loss > 0 and math.isfinite(loss)]
    if not positive or max(positive) <= WIDE_RANGE * min(positive):
        return
    axes.set_yscale("log")
    if axes.get_ylabel():
        axes.set_ylabel(f"{axes.get_ylabel()} (log scale)")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda loss, _: f"{loss:g}"))


def _name_lines(figure: Figure, lines: Mapping[Cell, Line2D]) -> None:
    """Name the lines above the panels: one line per architecture, one column per fraction."""
    architectures = list(colour_by_architecture(lines))
    # matplotlib fills a legend column by column.
    ordered = sorted(
        lines, key=lambda cell: (cell.label_fraction, architectures.index(cell.architecture))
    )
    # Recipes have panels of their own, so the lines of one name look alike.
    handles = {str(lines[cell].get_label()): lines[cell] for cell in ordered}
    columns = len({cell.label_fraction for cell in lines})
    add_legend(figure, columns, list(handles.values()), handlelength=3.2, columnspacing=3)
