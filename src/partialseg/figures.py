"""The figures of scores: training curves and mIoU of all runs."""

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from partialseg.atomic import new_file
from partialseg.run_name import architecture_name, percent, run_name

WIDTH = 9.0  # inches: text of 10 points is read well where a README shows this in 900 px
DPI = 144
INK, FAINT = "#222222", "#dddddd"
# One colour an architecture (Okabe and Ito 2008, https://jfly.uni-koeln.de/color/) ...
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
# ... and one line and marker a fraction, the densest line for the most labels.
LineStyle = str | tuple[int, tuple[float, ...]]
LINES: tuple[LineStyle, ...] = ("-", (0, (4, 1.5)), (0, (1, 1.2)), "-.", (0, (8, 3)), (0, (1, 4)))
MARKERS = ("o", "s", "^", "D", "v", "P")
MARKED_EPOCHS = 20  # with more, markers would hide the line
# Losses that span more than this factor get a logarithmic axis: one bad epoch would flatten them.
WIDE_RANGE = 10
CURVES = (
    ("train/loss", "Training loss", "cross-entropy"),
    ("val/loss", "Validation loss", "cross-entropy"),
    ("val/miou", "Validation mIoU", "mean IoU of the classes"),
    ("val/accuracy", "Validation accuracy", "share of pixels predicted right"),
)


@dataclass(frozen=True, kw_only=True)
class RunCurves:
    """The curves of a run: values[name][i] after epochs[i], for each name of CURVES."""

    architecture: str
    fraction: float
    epochs: list[int]
    values: dict[str, list[float]]


@dataclass(frozen=True, kw_only=True)
class RunScore:
    """The mIoU, 0..1 or NaN, of a run on the validation and on the test split."""

    architecture: str
    fraction: float
    val_miou: float
    test_miou: float


def draw_curves(runs: Sequence[RunCurves], file: Path) -> None:
    """Write a PNG of all runs' curves, overlaid: colour is architecture, line style is fraction.

    Raises:
        OSError: the picture cannot be written.
    """
    save(curves_figure(runs), file)


def draw_miou(
    scores: Sequence[RunScore], majority_miou: float, majority_class: str, file: Path
) -> None:
    """Write a PNG of all runs' mIoU, beside that of answering majority_class everywhere.

    Raises:
        OSError: the picture cannot be written.
    """
    save(miou_figure(scores, majority_miou, majority_class), file)


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of the given inches that no window and no pyplot knows."""
    figure = Figure(figsize=(width, height), dpi=DPI)
    FigureCanvasAgg(figure)
    return figure


def save(figure: Figure, file: Path) -> None:
    """Write a figure as PNG, whole or not at all; equal figures give equal bytes.

    Raises:
        OSError: the picture cannot be written.
    """
    with new_file(file) as part:
        # The version of matplotlib, otherwise in the file, would change it with every upgrade.
        figure.savefig(part, format="png", dpi=figure.dpi, metadata={"Software": None})


def curves_figure(runs: Sequence[RunCurves]) -> Figure:
    """Return the figure of draw_curves()."""
    figure = new_figure(WIDTH, 6.4)
    figure.set_layout_engine("constrained", w_pad=0.08, h_pad=0.06)
    grid = figure.subplots(2, 2, sharex=True)
    for axes, (curve, title, unit) in zip(grid.flat, CURVES, strict=True):
        _plot_curve(axes, runs, curve)
        _dress(axes, unit)
        axes.set_title(title, loc="left", fontsize=11, fontweight="bold", color=INK)
        if curve.endswith("loss"):
            _scale_loss(axes, [loss for run in runs for loss in run.values[curve]])
    for axes in grid[1]:
        axes.set_xlabel("epoch", color=INK)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10], min_n_ticks=1))
    _add_run_legend(figure, runs)
    return figure


def _plot_curve(axes: Axes, runs: Sequence[RunCurves], curve: str) -> None:
    colours = _colour_by_architecture(runs)
    fractions = sorted({run.fraction for run in runs}, reverse=True)
    for run in runs:
        rank = fractions.index(run.fraction)
        marker = MARKERS[rank % len(MARKERS)] if len(run.epochs) <= MARKED_EPOCHS else ""
        axes.plot(
            run.epochs,
            run.values[curve],
            color=colours[run.architecture],
            linestyle=LINES[rank % len(LINES)],
            linewidth=1.6,
            marker=marker,
            markersize=3.5,
            label=run_name(run.architecture, run.fraction),
        )


def _colour_by_architecture(runs: Sequence[RunCurves] | Sequence[RunScore]) -> dict[str, str]:
    names = dict.fromkeys(run.architecture for run in runs)
    return {name: COLOURS[rank % len(COLOURS)] for rank, name in enumerate(names)}


def _dress(axes: Axes, unit: str) -> None:
    axes.set_ylabel(unit, color=INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color=FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(colors=INK)


def _scale_loss(axes: Axes, losses: Sequence[float]) -> None:
    positive = [loss for loss in losses if loss > 0 and math.isfinite(loss)]
    if not positive or max(positive) <= WIDE_RANGE * min(positive):
        return
    axes.set_yscale("log")
    axes.set_ylabel(f"{axes.get_ylabel()} (log scale)")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda loss, _: f"{loss:g}"))


def _add_run_legend(figure: Figure, runs: Sequence[RunCurves]) -> None:
    """Name the runs above the panels: a line an architecture, a column a fraction."""
    names = list(_colour_by_architecture(runs))
    lines = zip(runs, figure.axes[0].get_lines(), strict=True)
    # matplotlib fills a legend column by column.
    ordered = sorted(lines, key=lambda pair: (pair[0].fraction, names.index(pair[0].architecture)))
    figure.legend(
        handles=[line for _, line in ordered],
        loc="outside upper center",
        ncols=len({run.fraction for run in runs}),
        frameon=False,
        handlelength=3.2,
        columnspacing=3,
        labelcolor=INK,
    )


def miou_figure(scores: Sequence[RunScore], majority_miou: float, majority_class: str) -> Figure:
    """Return the figure of draw_miou()."""
    colours = _colour_by_architecture(scores)
    fractions = sorted({score.fraction for score in scores})
    group = len(colours) + 0.4  # places of a fraction and the gap after them
    figure = new_figure(max(WIDTH, 2 + group * len(fractions)), 4.4)
    figure.set_layout_engine("constrained", w_pad=0.08, h_pad=0.06)
    axes = figure.subplots()
    for score in scores:
        place = group * fractions.index(score.fraction) + [*colours].index(score.architecture)
        _draw_score(axes, place, score, colours[score.architecture])
    centres = [group * rank + (len(colours) - 1) / 2 for rank in range(len(fractions))]
    axes.set_xticks(centres, [percent(fraction) for fraction in fractions], fontsize=11)
    axes.set_xlim(-0.7, group * len(fractions) - 0.65)
    axes.set_xlabel("labelled share of the training pixels", color=INK)
    _dress(axes, "mIoU (mean IoU of the classes)")
    axes.tick_params(axis="x", length=0)
    values = [majority_miou, *(v for score in scores for v in (score.val_miou, score.test_miou))]
    axes.set_ylim(0, 1.12 * max((value for value in values if value > 0), default=1))
    _draw_majority(axes, majority_miou, majority_class)
    _add_score_legend(figure, colours)
    return figure


def _draw_score(axes: Axes, place: float, score: RunScore, colour: str) -> None:
    """Draw a bar for the test and, right of it so that no texts meet, a mark for validation."""
    bar, beside = place - 0.22, place + 0.09
    axes.bar(bar, score.test_miou, width=0.44, color=colour)
    axes.plot(beside, score.val_miou, "D", color=colour, markerfacecolor="white", markersize=5.5)
    _write_value(axes, bar, score.test_miou, shift=(0, 9), align="center", weight="bold")
    _write_value(axes, beside, score.val_miou, shift=(6, 0), align="left", weight="normal")


def _write_value(
    axes: Axes,
    place: float,
    value: float,
    *,
    shift: tuple[float, float],
    align: Literal["left", "center"],
    weight: str,
) -> None:
    """Write a value, shifted by points from its mark; "none" above the axis for NaN."""
    known = not math.isnan(value)
    axes.annotate(
        f"{value:.3f}" if known else "none",
        (place, value if known else 0),
        shift if known else (shift[0], 9),
        textcoords="offset points",
        ha=align,
        va="center",
        fontsize=9,
        fontweight=weight,
        color=INK,
    )


def _draw_majority(axes: Axes, miou: float, class_name: str) -> None:
    """Draw the score of the trivial answer across the bars, with its name in the right margin."""
    if math.isnan(miou):
        return
    axes.axhline(miou, color=INK, linestyle=(0, (5, 3)), linewidth=1.2, zorder=3)
    answer = textwrap.fill(f"all {class_name}:", 18)
    margin = axes.get_yaxis_transform()
    axes.text(1.01, miou, f"{answer}\n{miou:.3f}", transform=margin, va="center", color=INK)


def _add_score_legend(figure: Figure, colours: Mapping[str, str]) -> None:
    handles: list[Patch | Line2D] = [
        Patch(color=colour, label=f"{architecture_name(name)}, test")
        for name, colour in colours.items()
    ]
    handles.append(
        Line2D([], [], color=INK, marker="D", mfc="white", linestyle="", label="validation")
    )
    figure.legend(
        handles=handles,
        loc="outside upper center",
        ncols=len(handles),
        frameon=False,
        labelcolor=INK,
    )
