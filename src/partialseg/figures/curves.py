"""The figure of the training curves."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from partialseg.figures.page import (
    INK,
    WIDTH,
    colour_by_architecture,
    dress,
    new_figure,
    save,
)
from partialseg.run import Run
from partialseg.run_name import run_names

# A line and a marker a fraction, the densest line for the most labels.
LineStyle = str | tuple[int, tuple[float, ...]]
LINES: tuple[LineStyle, ...] = ("-", (0, (4, 1.5)), (0, (1, 1.2)), "-.", (0, (8, 3)), (0, (1, 4)))
MARKERS = ("o", "s", "^", "D", "v", "P")
MARKED_EPOCHS = 20  # with more, markers would hide the line
# Losses that span more than this factor get a logarithmic axis: one bad epoch would flatten them.
WIDE_RANGE = 10
NARROWEST = 2.6  # inches of a panel and its numbers
CURVES = (
    ("train/loss", "Training loss", "cross-entropy"),
    ("val/loss", "Validation loss", "cross-entropy"),
    ("val/miou", "Validation mIoU", "mean IoU of the classes"),
    ("val/accuracy", "Validation accuracy", "share of pixels predicted right"),
)


@dataclass(frozen=True, kw_only=True)
class RunCurves:
    """The curves of a run: values[name][i] after epochs[i], for each name of CURVES."""

    run: Run
    epochs: list[int]
    values: dict[str, list[float]]


@dataclass(frozen=True)
class _Style:
    colour: str
    line: LineStyle
    marker: str


def draw_curves(curves: Sequence[RunCurves], file: Path) -> None:
    """Write a PNG of all runs' curves: colour is architecture, line style is fraction.

    Recipes stand side by side, on equal scales.

    Raises:
        OSError: the picture cannot be written.
    """
    save(curves_figure(curves), file)


def curves_figure(curves: Sequence[RunCurves]) -> Figure:
    """Return the figure of draw_curves()."""
    styles = _styles([item.run for item in curves])
    recipes = list(dict.fromkeys(item.run.recipe for item in curves))
    figure, columns = _one_recipe() if len(recipes) == 1 else _columns(recipes)
    figure.set_layout_engine("constrained", w_pad=0.08, h_pad=0.06)
    lines: dict[Run, Line2D] = {}
    for recipe, panels in zip(recipes, columns, strict=True):
        shown = [item for item in curves if item.run.recipe == recipe]
        for axes, (curve, _, _) in zip(panels, CURVES, strict=True):
            dress(axes, "y")
            lines |= _plot_curve(axes, shown, curve, styles)
            if curve.endswith("loss"):
                # All recipes' losses: the scale is theirs together.
                _scale_loss(axes, [loss for item in curves for loss in item.values[curve]])
    _add_legend(figure, lines)
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


def _styles(runs: Sequence[Run]) -> dict[Run, _Style]:
    colours = colour_by_architecture(runs)
    fractions = sorted({run.label_fraction for run in runs}, reverse=True)
    ranks = {run: fractions.index(run.label_fraction) for run in runs}
    return {
        run: _Style(
            colours[run.architecture], LINES[rank % len(LINES)], MARKERS[rank % len(MARKERS)]
        )
        for run, rank in ranks.items()
    }


def _plot_curve(
    axes: Axes, curves: Sequence[RunCurves], curve: str, styles: Mapping[Run, _Style]
) -> dict[Run, Line2D]:
    names = run_names([item.run for item in curves])
    lines: dict[Run, Line2D] = {}
    for item in curves:
        style = styles[item.run]
        (lines[item.run],) = axes.plot(
            item.epochs,
            item.values[curve],
            color=style.colour,
            linestyle=style.line,
            linewidth=1.6,
            marker=style.marker if len(item.epochs) <= MARKED_EPOCHS else "",
            markersize=3.5,
            label=names[item.run],
        )
    return lines


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


def _add_legend(figure: Figure, lines: Mapping[Run, Line2D]) -> None:
    """Name the lines above the panels: a line an architecture, a column a fraction."""
    architectures = list(colour_by_architecture(lines))
    # matplotlib fills a legend column by column.
    ordered = sorted(
        lines, key=lambda run: (run.label_fraction, architectures.index(run.architecture))
    )
    # Recipes have panels of their own, so the lines of one name look alike.
    handles = {str(lines[run].get_label()): lines[run] for run in ordered}
    figure.legend(
        handles=list(handles.values()),
        loc="outside upper center",
        ncols=len({run.label_fraction for run in lines}),
        frameon=False,
        handlelength=3.2,
        columnspacing=3,
        labelcolor=INK,
    )
