"""The figure of the confusions shows the numbers it is given, readably."""

import itertools

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from numpy.typing import NDArray

from drawings import ARCHITECTURES, NAMES, NAN, RECIPES, extent, make_cells, make_matrices
from partialseg.evaluation.runs import cell_names
from partialseg.figures.confusion import confusions_figure


def shares(axes: Axes) -> NDArray[np.float64]:
    drawn = axes.images[0].get_array()
    assert drawn is not None
    return np.array(np.ma.filled(drawn, NAN), np.float64)


def test_confusions_are_shares_of_the_truth() -> None:
    counts = np.array([[8_000_000_000, 2_000_000_000], [300, 100]])
    figure = confusions_figure({"UNet 10 %": counts}, ["land", "water"])
    axes, bar = figure.axes
    np.testing.assert_allclose(shares(axes), [[80, 20], [75, 25]])
    written = {text.get_position(): text.get_text() for text in axes.texts}
    assert written == {(0, 0): "80", (1, 0): "20", (0, 1): "75", (1, 1): "25"}
    assert axes.get_title("left") == "UNet 10 %"
    assert (axes.get_ylabel(), axes.get_xlabel()) == ("truth", "prediction")
    for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
        assert [text.get_text() for text in labels] == ["land", "water"]
    assert axes.images[0].get_clim() == (0, 100)
    assert "%" in bar.get_ylabel()


def test_numbers_contrast_with_their_cells() -> None:
    (axes, _) = confusions_figure({"run": np.array([[97, 3], [45, 55]])}, ["a", "b"]).axes
    picture = axes.images[0]
    for text in axes.texts:
        share = float(text.get_text())
        cell = picture.get_cmap()(share / 100)
        ink = int(to_hex(text.get_color())[1:3], 16) / 255
        assert abs(np.mean(cell[:3]) - ink) > 0.35, share


def test_a_class_without_truth_has_an_empty_row() -> None:
    counts = np.array([[5, 5, 0], [0, 0, 0], [0, 1, 3]])
    (axes, _) = confusions_figure({"run": counts}, ["a", "b", "c"]).axes
    np.testing.assert_allclose(shares(axes), np.array([[50, 50, 0], [NAN, NAN, NAN], [0, 25, 75]]))
    assert [text.get_text() for text in axes.texts if text.get_position()[1] == 1] == ["no truth"]
    assert len(axes.texts) == 7


@pytest.mark.slow
@pytest.mark.parametrize(
    ("runs", "columns"), [(1, 1), (2, 2), (3, 3), (4, 2), (5, 3), (6, 3), (7, 3)]
)
def test_every_run_has_a_panel_under_the_names_of_its_column(runs: int, columns: int) -> None:
    figure = confusions_figure(make_matrices(runs, 5), NAMES)
    *panels, bar = figure.axes
    assert [panel.get_title("left") for panel in panels] == [f"run {run}" for run in range(runs)]
    named = [len(panel.get_xticks()) == len(NAMES) for panel in panels]
    assert named == [run + columns >= runs for run in range(runs)]
    named = [len(panel.get_yticks()) == len(NAMES) for panel in panels]
    assert named == [run % columns == 0 for run in range(runs)]
    assert bar.get_ylabel()


@pytest.mark.slow
def test_long_class_names_stay_inside() -> None:
    names = [f"a rather long name of class {number}" for number in range(6)]
    figure = confusions_figure(make_matrices(6, 6), names)
    figure.draw_without_rendering()
    page = figure.bbox
    for axes in figure.axes[:-1]:
        for text in (*axes.get_xticklabels(), *axes.get_yticklabels(), axes.title):
            box = extent(figure, text)
            assert page.x0 <= box.x0 and box.x1 <= page.x1 + 1
            assert page.y0 <= box.y0 and box.y1 <= page.y1 + 1


@pytest.mark.slow
@pytest.mark.parametrize("recipes", [RECIPES, (*RECIPES, "third")])
def test_names_with_recipes_never_meet(recipes: tuple[str, ...]) -> None:
    names = cell_names(make_cells([0.125], recipes))
    matrices = dict(zip(names.values(), make_matrices(len(names), 5).values(), strict=True))
    figure = confusions_figure(matrices, NAMES)
    figure.draw_without_rendering()
    boxes = [extent(figure, axes._left_title) for axes in figure.axes[:-1]]  # type: ignore[attr-defined]
    boxes.append(figure.axes[-1].get_window_extent())
    assert len(boxes) == len(ARCHITECTURES) * len(recipes) + 1
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))
