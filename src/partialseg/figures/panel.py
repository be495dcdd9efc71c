"""The panel: a figure of test patches with their labels, predictions and errors."""

import math
import textwrap
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from partialseg.core.classes import NO_TRUTH, Colour
from partialseg.figures.style import INK, QUIET, WIDTH, new_figure, save_small
from partialseg.tiling.contact_sheet import NO_TRUTH_COLOUR, colour_mask

UNLABELLED: Colour = (165, 165, 165)  # light palettes and dark ones stand out from it
WRONG: Colour = (204, 0, 34)
FADED = (150, 245)  # greys that black and white of an image become under its errors
# Sparse labels fade when a page is shrunk, so they are drawn up to this many pixels wide, until
# they cover about this share.
WIDEST_DOT, COVER = 4, 0.35
FIXED = (WRONG, UNLABELLED, NO_TRUTH_COLOUR)
# Inches of the panel's parts; LETTER is a letter of its text, SWATCH a legend entry without text.
CELL, GAP, CAPTION, MARGIN = 1.7, 0.06, 0.22, 0.08
LINE, LETTER, SWATCH = 0.22, 0.075, 0.55
FURTHER_LINE = 0.14  # of a caption


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


def draw_panel(
    rows: Sequence[PanelRow], class_names: Sequence[str], palette: Sequence[Colour], file: Path
) -> None:
    """Write a PNG of test patches: image, visible labels, truth, predictions and errors.

    Raises:
        OSError: the picture cannot be written.
    """
    save_small(panel_figure(rows, class_names, palette), [*FIXED, *palette], file)


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
    names = _captions(rows[0].predictions, cell)
    caption = CAPTION + FURTHER_LINE * max(name.count("\n") for name in names.values())
    patch = caption + CAPTION + 2 * cell + 2 * GAP
    entries = _legend_entries(rows, class_names, palette)
    per_line = _entries_per_line(entries, width)
    legend = MARGIN + LINE * math.ceil(len(entries) / per_line)
    figure = new_figure(width, patch * len(rows) + legend)
    for place, row in enumerate(rows):
        _draw_patch(figure, row, names, tuple(palette), cell, top=place * patch + caption)
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
    figure: Figure,
    row: PanelRow,
    names: Mapping[str, str],
    palette: tuple[Colour, ...],
    cell: float,
    top: float,
) -> None:
    """Draw a patch with cells of the given inches, `top` inches below the figure's upper edge.

    The captions of the upper cells are above that.
    """
    large = 2 * cell + GAP
    left, upper, lower = MARGIN + large + GAP, top, top + cell + CAPTION
    _add_picture(figure, row.image, _shortened(row.name, large), (MARGIN, upper, large))
    _add_picture(figure, visible_map(row, palette), "visible labels", (left, upper, cell))
    _add_picture(figure, colour_mask(row.truth, palette), "truth", (left, lower, cell))
    for run, prediction in row.predictions.items():
        left += cell + GAP
        _add_picture(figure, colour_mask(prediction, palette), names[run], (left, upper, cell))
        share = error_share(row.truth, prediction)
        errors = "no truth" if math.isnan(share) else f"{100 * share:.1f} % wrong"
        _add_picture(figure, error_map(row, prediction), errors, (left, lower, cell))


def _add_picture(
    figure: Figure, picture: NDArray[np.uint8], caption: str, place: tuple[float, float, float]
) -> None:
    """Add a picture with its caption above; place is left, top and side in inches."""
    left, top, side = place
    width, height = figure.get_size_inches()
    bottom = height - top - side
    axes = figure.add_axes((left / width, bottom / height, side / width, side / height))
    axes.imshow(picture, interpolation="nearest")
    axes.set_axis_off()
    axes.set_title(caption, loc="left", fontsize=8.5, color=INK, pad=3)


def _captions(runs: Collection[str], inches: float) -> dict[str, str]:
    """Return the names of runs, in several lines where not each fits into the inches."""
    letters = int(inches / LETTER)
    if all(len(run) <= letters for run in runs):
        return {run: run for run in runs}
    return {
        run: "\n".join(
            textwrap.fill(line, letters) for line in run.replace(", ", ",\n").splitlines()
        )
        for run in runs
    }


def _shortened(name: str, inches: float) -> str:
    """Keep the end of a name that is too long: it has the number of the patch."""
    letters = int(inches / LETTER)
    return name if len(name) <= letters else "…" + name[1 - letters :]


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
