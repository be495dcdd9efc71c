"""The figure of the confusions of classes."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from numpy.typing import NDArray

from partialseg.figures.style import INK, QUIET, WIDTH, new_figure, save

EMPTY = "#efefef"  # row of a class without truth


def draw_confusions(
    matrices: Mapping[str, NDArray[np.int64]], class_names: Sequence[str], file: Path
) -> None:
    """Write a PNG of each run's counts[truth, prediction] (C, C), as shares of the truth.

    Raises:
        OSError: the picture cannot be written.
    """
    save(confusions_figure(matrices, class_names), file)


def confusions_figure(
    matrices: Mapping[str, NDArray[np.int64]], class_names: Sequence[str]
) -> Figure:
    """Return the figure of draw_confusions()."""
    columns = 2 if len(matrices) == 4 else min(len(matrices), 3)
    lines = math.ceil(len(matrices) / columns)
    side = WIDTH / max(columns, 2)
    title = 11 if columns < 3 else 9  # points: the longest names, with a recipe, fit
    figure = new_figure(side * columns + 0.6, 0.92 * side * lines)
    figure.set_layout_engine("constrained", w_pad=0.06, h_pad=0.06)
    grid = figure.subplots(lines, columns, squeeze=False).flat
    for place, (run, counts) in enumerate(matrices.items()):
        axes = grid[place]
        picture = _draw_confusion(axes, counts, cell=0.75 * side / len(class_names))
        axes.set_title(run, loc="left", fontsize=title, fontweight="bold", color=INK)
        _name_truth(axes, class_names if place % columns == 0 else [])
        _name_predictions(axes, class_names if place + columns >= len(matrices) else [])
    for axes in grid[len(matrices) :]:
        axes.remove()
    bar = figure.colorbar(picture, ax=figure.axes, shrink=0.6, aspect=30, pad=0.02)
    bar.set_label("share of the truth (%)", color=INK)
    bar.outline.set_visible(False)
    return figure


def _draw_confusion(axes: Axes, counts: NDArray[np.int64], cell: float) -> AxesImage:
    """Draw counts[truth, prediction] as percent of their row, in cells of the given inches."""
    truth = counts.sum(axis=1, keepdims=True)
    shares = 100 * np.divide(counts, truth, where=truth > 0, out=np.full(counts.shape, np.nan))
    size = max(5.0, min(10.0, 22 * cell))
    for row, of_truth in enumerate(shares):
        if math.isnan(of_truth[0]):
            _write(axes, (len(counts) - 1) / 2, row, "no truth", size, QUIET)
            continue
        for column, share in enumerate(of_truth):
            _write(axes, column, row, f"{share:.0f}", size, "white" if share > 55 else INK)
    axes.set_facecolor(EMPTY)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, colors=INK, labelsize=9)
    return axes.imshow(shares, cmap="Blues", vmin=0, vmax=100)


def _write(axes: Axes, column: float, row: float, text: str, size: float, colour: str) -> None:
    axes.text(column, row, text, ha="center", va="center", fontsize=size, color=colour)


def _name_truth(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), names)
    axes.set_ylabel("truth" if names else "", color=INK)


def _name_predictions(axes: Axes, names: Sequence[str]) -> None:
    axes.set_xticks(range(len(names)), names, rotation=40, ha="right", rotation_mode="anchor")
    axes.set_xlabel("prediction" if names else "", color=INK)
