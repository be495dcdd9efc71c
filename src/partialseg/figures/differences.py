"""The figure of the differences of test mIoU: their intervals, and which are significant."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from partialseg.comparison.difference_table import compared, where
from partialseg.comparison.significance import Difference
from partialseg.figures.style import COLOURS, INK, QUIET, add_legend, name_rows, new_chart, save

LINE, GAP = 0.3, 0.6  # inches of a difference; lines between two comparisons
SIGNIFICANT, OTHER = COLOURS[0], QUIET


def draw_differences(found: Sequence[Difference], file: Path) -> None:
    """Write a PNG of differences of test mIoU with both their intervals.

    Raises:
        OSError: the picture cannot be written.
    """
    save(differences_figure(found), file)


def differences_figure(found: Sequence[Difference]) -> Figure:
    """Return the figure of draw_differences(): one line per difference, means of pairs in bold."""
    places: list[float] = []
    for rank, difference in enumerate(found):
        new = rank > 0 and compared(difference) != compared(found[rank - 1])
        places.append(places[-1] + 1 + GAP * new if places else 0.0)
    figure, axes = new_chart(1.2 + LINE * (places[-1] + 1 if places else 1))
    for place, difference in zip(places, found, strict=True):
        _draw_difference(axes, place, difference)
    axes.axvline(0, color=INK, linewidth=1, zorder=1)
    names = [f"{compared(item)}: {where(item, found)}" for item in found]
    name_rows(axes, places, names, margin=0.7)
    for label, difference in zip(axes.get_yticklabels(), found, strict=True):
        label.set_fontweight("bold" if difference.pooled else "normal")
    quantity = f"difference of {found[0].scored} mIoU" if found else "nothing to compare"
    axes.set_xlabel(quantity, color=INK)
    handles = [
        Line2D([], [], color=INK, linewidth=3.5, label="95 %, bootstrap"),
        Line2D([], [], color=INK, linewidth=1.2, label="95 %, jackknife"),
        Line2D([], [], color=SIGNIFICANT, marker="o", linestyle="", label="significant"),
        Line2D([], [], color=OTHER, marker="o", mfc="white", linestyle="", label="not significant"),
    ]
    add_legend(figure, len(handles), handles)
    return figure


def _draw_difference(axes: Axes, place: float, difference: Difference) -> None:
    """Draw the bootstrap as a thick line, the jackknife as a thin one, the difference as a dot."""
    colour = SIGNIFICANT if difference.significant else OTHER
    for interval, width in ((difference.jackknife, 1.2), (difference.bootstrap, 3.5)):
        if interval is not None:
            axes.plot(interval, (place, place), color=colour, linewidth=width)
    face = colour if difference.significant else "white"
    axes.plot(difference.difference, place, "o", color=colour, markerfacecolor=face, zorder=3)
