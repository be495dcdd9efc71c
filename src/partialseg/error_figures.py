"""The figures of errors: confusions of classes, and where on test patches the networks err."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Patch
from numpy.typing import NDArray
from PIL import Image

from partialseg.atomic import new_file
from partialseg.contact_sheet import NO_TRUTH_COLOUR, colour_mask
from partialseg.figures import INK, WIDTH, new_figure, save
from partialseg.truth import NO_TRUTH, Colour

QUIET = "#777777"
EMPTY = "#efefef"  # row of a class without truth
UNLABELLED: Colour = (165, 165, 165)  # light palettes and dark ones stand out from it
WRONG: Colour = (204, 0, 34)
FIXED = (WRONG, UNLABELLED, NO_TRUTH_COLOUR)
FADED = (150, 245)  # greys that black and white of an image become under its errors
# Sparse labels fade when a page is shrunk, so they are drawn up to this many pixels wide, until
# they cover about this share.
WIDEST_DOT, COVER = 4, 0.35
# Inches of the panel's parts; LETTER is a letter of its text, SWATCH a legend entry without text.
CELL, GAP, CAPTION, MARGIN = 1.7, 0.06, 0.22, 0.08
LINE, LETTER, SWATCH = 0.22, 0.075, 0.55
EXACT_COLOURS = 64  # of the 256 of the panel's file; the others are those of its photographs


@dataclass(frozen=True, kw_only=True)
class PanelRow:
    """A test patch: image (H, W, 3), truth (H, W) with NO_TRUTH, visible (H, W) pixels of it.

    predictions holds class ids (H, W) by the name of the run; all rows have the same runs.
    """

    name: str
    image: NDArray[np.uint8]
    truth: NDArray[np.uint8]
    visible: NDArray[np.bool_]
    predictions: dict[str, NDArray[np.uint8]]


def draw_confusions(
    matrices: Mapping[str, NDArray[np.int64]], class_names: Sequence[str], file: Path
) -> None:
    """Write a PNG of each run's counts[truth, prediction] (C, C), as shares of the truth.

    Raises:
        OSError: the picture cannot be written.
    """
    save(confusions_figure(matrices, class_names), file)


def draw_panel(
    rows: Sequence[PanelRow], class_names: Sequence[str], palette: Sequence[Colour], file: Path
) -> None:
    """Write a PNG of test patches: image, visible labels, truth, predictions and errors.

    Raises:
        OSError: the picture cannot be written.
    """
    _save_small(panel_figure(rows, class_names, palette), [*FIXED, *palette], file)


def confusions_figure(
    matrices: Mapping[str, NDArray[np.int64]], class_names: Sequence[str]
) -> Figure:
    """Return the figure of draw_confusions()."""
    columns = 2 if len(matrices) == 4 else min(len(matrices), 3)
    lines = math.ceil(len(matrices) / columns)
    side = WIDTH / max(columns, 2)
    figure = new_figure(side * columns + 0.6, 0.92 * side * lines)
    figure.set_layout_engine("constrained", w_pad=0.06, h_pad=0.06)
    grid = figure.subplots(lines, columns, squeeze=False).flat
    for place, (run, counts) in enumerate(matrices.items()):
        axes = grid[place]
        picture = _draw_confusion(axes, counts, cell=0.75 * side / len(class_names))
        axes.set_title(run, loc="left", fontsize=11, fontweight="bold", color=INK)
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


def panel_figure(
    rows: Sequence[PanelRow], class_names: Sequence[str], palette: Sequence[Colour]
) -> Figure:
    """Return the figure of draw_panel().

    A patch takes two lines of cells: its image, twice as large as a cell, then its visible labels
    above its truth, then each run's prediction above its errors.
    """
    columns = 3 + len(rows[0].predictions)
    cell = min(CELL, (WIDTH - 2 * MARGIN - (columns - 1) * GAP) / columns)
    width = 2 * MARGIN + columns * cell + (columns - 1) * GAP
    patch = 2 * (CAPTION + cell) + 2 * GAP
    entries = _legend_entries(rows, class_names, palette)
    per_line = _entries_per_line(entries, width)
    legend = MARGIN + LINE * math.ceil(len(entries) / per_line)
    figure = new_figure(width, patch * len(rows) + legend)
    for place, row in enumerate(rows):
        _draw_patch(figure, row, tuple(palette), cell, top=place * patch)
    figure.legend(
        handles=entries,
        loc="lower center",
        ncols=per_line,
        frameon=False,
        fontsize=9,
        labelcolor=INK,
        handlelength=1.2,
        handleheight=1.0,
        borderpad=0.2,
    )
    return figure


def _draw_patch(
    figure: Figure, row: PanelRow, palette: tuple[Colour, ...], cell: float, top: float
) -> None:
    """Draw a patch with cells of the given inches, `top` inches below the figure's upper edge."""
    large = 2 * cell + GAP
    left, upper, lower = MARGIN + large + GAP, top, top + CAPTION + cell
    _add_picture(figure, row.image, _shortened(row.name, large), (MARGIN, top, large))
    _add_picture(figure, visible_map(row, palette), "visible labels", (left, upper, cell))
    _add_picture(figure, colour_mask(row.truth, palette), "truth", (left, lower, cell))
    for run, prediction in row.predictions.items():
        left += cell + GAP
        _add_picture(figure, colour_mask(prediction, palette), run, (left, upper, cell))
        share = error_share(row.truth, prediction)
        errors = "no truth" if math.isnan(share) else f"{100 * share:.1f} % wrong"
        _add_picture(figure, error_map(row, prediction), errors, (left, lower, cell))


def _add_picture(
    figure: Figure, picture: NDArray[np.uint8], caption: str, place: tuple[float, float, float]
) -> None:
    """Add a picture below its caption; place is left, top and side in inches."""
    left, top, side = place
    width, height = figure.get_size_inches()
    bottom = height - top - CAPTION - side
    axes = figure.add_axes((left / width, bottom / height, side / width, side / height))
    axes.imshow(picture, interpolation="nearest")
    axes.set_axis_off()
    axes.set_title(caption, loc="left", fontsize=8.5, color=INK, pad=2.5)


def _shortened(name: str, inches: float) -> str:
    """Keep the end of a name that is too long: it has the number of the patch."""
    letters = int(inches / LETTER)
    return name if len(name) <= letters else "…" + name[1 - letters :]


def visible_map(row: PanelRow, palette: tuple[Colour, ...]) -> NDArray[np.uint8]:
    """Return the colours (H, W, 3) of the labels that are visible, UNLABELLED elsewhere."""
    labels = np.where(row.visible, row.truth, NO_TRUTH).astype(np.uint8)
    share = np.mean(labels != NO_TRUTH)
    if share > 0:
        labels = _widened(labels, min(WIDEST_DOT, round(math.sqrt(COVER / share))))
    colours = colour_mask(labels, palette)
    colours[labels == NO_TRUTH] = UNLABELLED
    return colours


def _widened(labels: NDArray[np.uint8], dot: int) -> NDArray[np.uint8]:
    """Repeat each label (H, W) to the right and below, dot pixels wide, where there is none."""
    wide = labels.copy()
    height, width = labels.shape
    for down, right in np.ndindex(dot, dot):
        target = wide[down:, right:]
        np.copyto(target, labels[: height - down, : width - right], where=target == NO_TRUTH)
    return wide


def error_map(row: PanelRow, prediction: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the faded grey image (H, W, 3), WRONG at wrong pixels, white without a truth."""
    grey = row.image @ np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
    faded = np.interp(grey, (0, 255), FADED).round().astype(np.uint8)
    colours = np.repeat(faded[..., None], 3, axis=2)
    colours[prediction != row.truth] = WRONG
    colours[row.truth == NO_TRUTH] = NO_TRUTH_COLOUR
    return colours


def error_share(truth: NDArray[np.uint8], prediction: NDArray[np.uint8]) -> float:
    """Return the share, 0..1, of the pixels with a truth that are predicted wrong; NaN if none."""
    known = truth != NO_TRUTH
    return float(np.mean((prediction != truth)[known])) if known.any() else math.nan


def _legend_entries(
    rows: Sequence[PanelRow], class_names: Sequence[str], palette: Sequence[Colour]
) -> list[Patch]:
    named = [*zip(class_names, palette, strict=True), ("unlabelled", UNLABELLED), ("wrong", WRONG)]
    if any((row.truth == NO_TRUTH).any() for row in rows):
        named.append(("no truth", NO_TRUTH_COLOUR))
    return [
        Patch(facecolor="#{:02x}{:02x}{:02x}".format(*colour), edgecolor=QUIET, lw=0.5, label=name)
        for name, colour in named
    ]


def _entries_per_line(entries: Sequence[Patch], width: float) -> int:
    lengths = [SWATCH + LETTER * len(str(entry.get_label())) for entry in entries]
    for columns in range(len(entries), 0, -1):
        # matplotlib fills a legend column by column, split like this.
        if sum(part.max() for part in np.array_split(lengths, columns)) <= width:
            break
    lines = math.ceil(len(entries) / columns)
    return math.ceil(len(entries) / lines)


def _save_small(figure: Figure, exact: Sequence[Colour], file: Path) -> None:
    """Write a figure as a PNG of 256 colours, a third in size; `exact` ones stay as they are."""
    buffer = BytesIO()
    figure.savefig(buffer, format="rgba", dpi=figure.dpi)
    size = figure.canvas.get_width_height()
    picture = Image.frombytes("RGBA", size, buffer.getvalue()).convert("RGB")
    exact = exact[:EXACT_COLOURS]
    others = picture.quantize(256 - len(exact), method=Image.Quantize.MEDIANCUT)
    indices = np.asarray(others) + np.uint8(len(exact))
    pixels = np.frombuffer(buffer.getvalue(), np.uint32).reshape(indices.shape)
    for index, colour in enumerate(exact):
        indices[pixels == np.array([*colour, 255], np.uint8).view(np.uint32)] = index
    small = Image.fromarray(indices)
    small.putpalette([*np.ravel(exact).tolist(), *(others.getpalette() or [])])
    with new_file(file) as part:
        small.save(part, format="PNG", optimize=True)
