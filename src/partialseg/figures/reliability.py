"""Reliability diagrams: how often a network is right where it says how sure it is."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from partialseg.figures.style import COLOURS, FAINT, INK, QUIET, WIDTH, new_figure, save, style_axes

COLUMNS = 4


@dataclass(frozen=True, kw_only=True)
class ReliabilityBin:
    """The pixels whose confidence is in (low, high]: their number, and means of both, 0..1.

    confidence and accuracy are None without any pixel.
    """

    low: float
    high: float
    pixels: int
    confidence: float | None
    accuracy: float | None


@dataclass(frozen=True, kw_only=True)
class Reliability:
    """The expected calibration error, 0..1, of a network, and the bins it is the mean of."""

    ece: float
    bins: tuple[ReliabilityBin, ...]


def draw_reliability(items: Mapping[str, Reliability], file: Path) -> None:
    """Write a PNG of a reliability diagram each, by display name (Guo et al. 2017).

    Raises:
        OSError: the picture cannot be written.
    """
    save(reliability_figure(items), file)


def reliability_figure(items: Mapping[str, Reliability]) -> Figure:
    """Return the figure of draw_reliability().

    Grey bars are the share of the pixels in each bin.
    """
    columns = min(len(items), COLUMNS)
    lines = math.ceil(len(items) / columns)
    side = WIDTH / max(columns, 3)
    figure = new_figure(side * columns, (side + 0.5) * lines + 0.3)
    figure.set_layout_engine("constrained", w_pad=0.06, h_pad=0.06)
    grid = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False).flat
    for axes, (name, item) in zip(grid, items.items(), strict=False):
        _draw_diagram(axes, item.bins)
        title = f"{name}, ECE {item.ece:.3f}".replace(", ", ",\n")  # in one line it is too wide
        axes.set_title(title, loc="left", fontsize=9, fontweight="bold", color=INK)
    for place, axes in enumerate(grid[: len(items)]):
        lowest = place + columns >= len(items)
        axes.tick_params(labelbottom=lowest)
        axes.set_xlabel("confidence" if lowest else "", color=INK)
        axes.set_ylabel("accuracy" if place % columns == 0 else "", color=INK)
    for axes in grid[len(items) :]:
        axes.remove()
    return figure


def _draw_diagram(axes: Axes, bins: Sequence[ReliabilityBin]) -> None:
    pixels = sum(item.pixels for item in bins)
    axes.bar(
        [(item.low + item.high) / 2 for item in bins],
        [item.pixels / pixels if pixels else 0.0 for item in bins],
        width=[0.9 * (item.high - item.low) for item in bins],
        color=FAINT,
    )
    axes.plot([0, 1], [0, 1], color=QUIET, linestyle=(0, (5, 3)), linewidth=1)
    points = [
        (item.confidence, item.accuracy)
        for item in bins
        if item.confidence is not None and item.accuracy is not None
    ]
    axes.plot(
        [confidence for confidence, _ in points],
        [accuracy for _, accuracy in points],
        color=COLOURS[0],
        marker="o",
        markersize=4,
        linewidth=1.6,
        clip_on=False,  # markers at 1
    )
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    axes.set_yticks([0, 0.5, 1], ["0", "0.5", "1"])
    axes.set_aspect("equal")
    style_axes(axes, "y")
