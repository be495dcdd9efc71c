"""Made-up numbers and pictures for the tests of the figures, and what a figure shows."""

import itertools
import math
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.transforms import Bbox
from numpy.typing import NDArray

from partialseg.comparison.cells import CellCurves
from partialseg.core.classes import Colour
from partialseg.evaluation.runs import Cell
from partialseg.figures.curves import CURVES
from partialseg.figures.miou import CellScore
from partialseg.figures.panel import PanelRow

NAN = math.nan
ARCHITECTURES = ("unet", "unetplusplus")
RECIPES = ("reproduction", "tuned")
NAMES = ("background", "building", "woodland", "water", "road")
PALETTE: tuple[Colour, ...] = (
    (230, 218, 190),
    (213, 62, 0),
    (0, 114, 80),
    (60, 150, 220),
    (70, 60, 80),
)
WHITE = (255, 255, 255)


def make_cells(
    fractions: Sequence[float],
    recipes: Sequence[str] = RECIPES[:1],
    architectures: Sequence[str] = ARCHITECTURES,
    splits: Sequence[str] = ("main",),
    labellings: Sequence[str] = ("random",),
) -> list[Cell]:
    return [
        Cell(
            split=split,
            fraction=str(fraction),
            labelling=labelling,
            architecture=architecture,
            recipe=recipe,
        )
        for split, fraction, labelling, architecture, recipe in itertools.product(
            splits, fractions, labellings, architectures, recipes
        )
    ]


def make_curves(cells: Sequence[Cell], epochs: int, deviation: float = 0.0) -> list[CellCurves]:
    """Return curves whose deviation over the seeds grows by the given one each epoch."""
    rng = np.random.default_rng(3)
    names = [name for name, _, _ in CURVES]
    return [
        CellCurves(
            cell=cell,
            epochs=list(range(1, epochs + 1)),
            values={name: rng.uniform(0.3, 0.9, epochs).tolist() for name in names},
            deviations={name: [deviation * (1 + n) for n in range(epochs)] for name in names},
        )
        for cell in cells
    ]


def make_scores(
    cells: Sequence[Cell], test: float = 0.6, deviation: float | None = None
) -> list[CellScore]:
    return [
        CellScore(
            cell=cell,
            val_miou=test + 0.011 * place + 0.02,
            test_miou=test + 0.011 * place,
            test_deviation=deviation,
        )
        for place, cell in enumerate(cells)
    ]


def make_matrices(runs: int, classes: int) -> dict[str, NDArray[np.int64]]:
    rng = np.random.default_rng(5)
    return {f"run {run}": rng.integers(1, 9000, (classes, classes)) for run in range(runs)}


def make_row(
    name: str = "orthophoto_3", side: int = 64, runs: Sequence[str] = ("UNet 10 %", "UNet 20 %")
) -> PanelRow:
    rng = np.random.default_rng(7)
    truth = np.repeat(np.arange(side, dtype=np.uint8) % len(NAMES), side).reshape(side, side)
    return PanelRow(
        name=name,
        image=rng.integers(0, 256, (side, side, 3)).astype(np.uint8),
        truth=truth,
        visible=rng.random((side, side)) < 0.1,
        predictions={run: np.roll(truth, place) for place, run in enumerate(runs)},
    )


def with_truth(row: PanelRow, truth: NDArray[np.uint8]) -> PanelRow:
    predictions = dict.fromkeys(row.predictions, np.zeros_like(truth))
    return PanelRow(
        name=row.name,
        image=row.image,
        truth=truth,
        visible=row.visible,
        predictions=predictions,
    )


def legend_of(figure: Figure) -> Legend:
    assert not any(axes.get_legend() for axes in figure.axes)
    (legend,) = figure.legends
    return legend


def legend_texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in legend_of(figure).get_texts()]


def points(line: Line2D) -> tuple[list[float], list[float]]:
    return np.asarray(line.get_xdata()).tolist(), np.asarray(line.get_ydata()).tolist()


def extent(figure: Figure, text: Text) -> Bbox:
    return text.get_window_extent(figure.canvas.get_renderer())  # type: ignore[attr-defined]
