"""The figure of the accuracy over the distance of a pixel to the next border of classes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from partialseg.evaluation.runs import Cell
from partialseg.figures.style import INK, add_legend, cell_styles, new_chart, save, style_axes


@dataclass(frozen=True, kw_only=True)
class DistanceBand:
    """The pixels more than low and up to high px from a border (None: and farther).

    accuracy, 0..1, is None without any pixel.
    """

    low: int
    high: int | None
    pixels: int
    accuracy: float | None

    @property
    def name(self) -> str:
        """Its range as text: '≤ 1', '1–2', '> 32'."""
        if self.high is None:
            return f"> {self.low}"
        return f"{self.low}–{self.high}" if self.low else f"≤ {self.high}"


def draw_border_distance(
    bands: Mapping[Cell, Sequence[DistanceBand]], names: Mapping[Cell, str], file: Path
) -> None:
    """Write a PNG of the accuracy of cells over the distance to a border.

    Raises:
        OSError: the picture cannot be written.
    """
    save(border_distance_figure(bands, names), file)


def border_distance_figure(
    bands: Mapping[Cell, Sequence[DistanceBand]], names: Mapping[Cell, str]
) -> Figure:
    """Return the figure of draw_border_distance(); the cells have the same bands.

    Raises:
        ValueError: their bands differ.
    """
    ranges = {tuple(band.name for band in of_cell) for of_cell in bands.values()}
    if len(ranges) != 1:
        raise ValueError("accuracy over distance: the runs have different bands of distance")
    figure, axes = new_chart(4.0)
    styles = cell_styles(list(bands))
    for cell, of_cell in bands.items():
        known = [
            (place, band.accuracy)
            for place, band in enumerate(of_cell)
            if band.accuracy is not None
        ]
        axes.plot(
            [place for place, _ in known],
            [accuracy for _, accuracy in known],
            color=styles[cell].colour,
            linestyle=styles[cell].line,
            marker=styles[cell].marker,
            markersize=5,
            linewidth=1.6,
            label=names[cell],
        )
    (texts,) = ranges
    axes.set_xticks(range(len(texts)), texts)
    axes.set_xlabel("distance to the next border of the truth (px)", color=INK)
    axes.set_ylabel("accuracy", color=INK)
    style_axes(axes, "y")
    add_legend(figure, 2)
    return figure
