"""The figure of the curves shows the numbers it is given, readably."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace

import pytest
from matplotlib.colors import to_hex
from matplotlib.lines import Line2D

from drawings import NAN, RECIPES, extent, legend_of, legend_texts, make_cells, make_curves, points
from partialseg.comparison.cells import CellCurves
from partialseg.figures.curves import MARKED_EPOCHS, curves_figure

COLUMN = ("train/loss", "val/loss", "val/miou", "val/accuracy")


def test_the_panels_of_one_recipe_show_all_cells_with_their_data() -> None:
    curves = make_curves(make_cells([0.1, 0.15]), 12)
    figure = curves_figure(curves)
    titles = [axes.get_title("left") for axes in figure.axes]
    assert titles == ["Training loss", "Validation loss", "Validation mIoU", "Validation accuracy"]
    names = ["UNet 10 %", "UNet++ 10 %", "UNet 15 %", "UNet++ 15 %"]
    for axes, curve in zip(figure.axes, COLUMN, strict=True):
        assert axes.get_ylabel()
        for line, item, name in zip(axes.get_lines(), curves, names, strict=True):
            assert points(line) == (item.epochs, item.values[curve])
            assert line.get_label() == name
    assert [axes.get_xlabel() for axes in figure.axes] == ["", "", "epoch", "epoch"]


def test_several_recipes_have_a_column_each_on_common_scales() -> None:
    cells = make_cells([0.1, 0.15], RECIPES)
    curves = [*make_curves(cells[:-1], 12), *make_curves(cells[-1:], 30)]
    figure = curves_figure(curves)
    left, right = figure.axes[0::2], figure.axes[1::2]
    assert [axes.get_title("left") for axes in figure.axes] == [*RECIPES, *[""] * 6]
    assert [axes.get_ylabel().split("\n")[0] for axes in left] == [
        *("Training loss", "Validation loss", "Validation mIoU", "Validation accuracy")
    ]
    assert [axes.get_xlabel() for axes in figure.axes] == [*[""] * 6, "epoch", "epoch"]
    for column, recipe in zip((left, right), RECIPES, strict=True):
        of_recipe = [item for item in curves if item.cell.recipe == recipe]
        assert len(of_recipe) == 4
        for axes, curve in zip(column, COLUMN, strict=True):
            for line, item in zip(axes.get_lines(), of_recipe, strict=True):
                assert points(line) == (item.epochs, item.values[curve])
    assert all(one.get_ylim() == other.get_ylim() for one, other in zip(left, right, strict=True))
    assert left[0].get_xlim()[1] < 15 and right[0].get_xlim()[1] > 30


def test_twelve_cells_have_a_legend_of_six_lines_drawn_alike_in_both_columns() -> None:
    figure = curves_figure(make_curves(make_cells([0.05, 0.1, 0.15], RECIPES), 3))
    assert legend_texts(figure) == [
        *("UNet 5 %", "UNet++ 5 %", "UNet 10 %", "UNet++ 10 %", "UNet 15 %", "UNet++ 15 %")
    ]
    looks = [
        {line.get_label(): (line.get_color(), dashes(line)) for line in axes.get_lines()}
        for axes in figure.axes
    ]
    assert all(look == looks[0] for look in looks)
    assert len(set(looks[0].values())) == 6


@pytest.mark.slow
@pytest.mark.parametrize("recipes", [RECIPES, (*RECIPES, "third"), list("abcde")])
def test_the_headings_of_recipes_never_meet(recipes: Sequence[str]) -> None:
    figure = curves_figure(make_curves(make_cells([0.1], recipes), 3))
    figure.draw_without_rendering()
    heads = [extent(figure, axes._left_title) for axes in figure.axes[: len(recipes)]]  # type: ignore[attr-defined]
    assert not any(one.overlaps(other) for one, other in itertools.combinations(heads, 2))
    labels = [extent(figure, axes.yaxis.label) for axes in figure.axes[:: len(recipes)]]
    assert not any(one.overlaps(other) for one, other in itertools.combinations(labels, 2))


def test_colour_is_the_architecture_and_line_style_the_fraction() -> None:
    cells = make_cells([0.05, 0.1, 0.15])
    for axes in curves_figure(make_curves(cells, 3)).axes:
        lines = axes.get_lines()
        for one, other in itertools.combinations(range(len(cells)), 2):
            same = cells[one].architecture == cells[other].architecture
            assert (lines[one].get_color() == lines[other].get_color()) is same
            same = cells[one].fraction == cells[other].fraction
            assert (dashes(lines[one]) == dashes(lines[other])) is same
            assert (lines[one].get_marker() == lines[other].get_marker()) is same
        assert lines[-1].get_linestyle() == "-"  # most labels


def dashes(line: Line2D) -> object:
    return line._unscaled_dash_pattern  # type: ignore[attr-defined]


def test_colours_and_styles_start_again_when_they_run_out() -> None:
    fractions, names = [step / 20 for step in range(1, 10)], [f"net{i}" for i in range(9)]
    cells = make_cells(fractions, ["tuned"], names)
    assert len(curves_figure(make_curves(cells, 2)).axes[0].get_lines()) == 81


def test_legend_has_a_line_an_architecture_and_a_column_a_fraction() -> None:
    figure = curves_figure(make_curves(make_cells([0.05, 0.1, 0.15]), 3))
    assert legend_texts(figure) == [
        *("UNet 5 %", "UNet++ 5 %"),
        *("UNet 10 %", "UNet++ 10 %"),
        *("UNet 15 %", "UNet++ 15 %"),
    ]
    assert legend_of(figure)._ncols == 3  # type: ignore[attr-defined]


def test_legend_shows_each_cell_by_its_own_line() -> None:
    figure = curves_figure(make_curves(make_cells([0.15, 0.1]), 3))
    lines = {line.get_label(): line for line in figure.axes[0].get_lines()}
    for handle, text in zip(
        legend_of(figure).get_lines(), legend_of(figure).get_texts(), strict=True
    ):
        assert handle.get_color() == lines[text.get_text()].get_color()
        assert handle.get_linestyle() == lines[text.get_text()].get_linestyle()


@pytest.mark.parametrize(
    ("epochs", "marked"), [(1, True), (MARKED_EPOCHS, True), (MARKED_EPOCHS + 1, False)]
)
def test_few_epochs_are_marked(epochs: int, marked: bool) -> None:
    for line in curves_figure(make_curves(make_cells([0.1]), epochs)).axes[3].get_lines():
        assert (line.get_marker() not in ("", "None")) is marked


@pytest.mark.slow
@pytest.mark.parametrize("epochs", [1, 2, 12, 100])
def test_epochs_are_whole_numbers(epochs: int) -> None:
    figure = curves_figure(make_curves(make_cells([0.1]), epochs))
    figure.draw_without_rendering()
    low, high = figure.axes[2].get_xlim()
    ticks = [tick for tick in figure.axes[2].get_xticks() if low <= tick <= high]
    assert ticks
    assert all(tick == round(tick) for tick in ticks)


def with_value(item: CellCurves, curve: str, epoch: int, value: float) -> CellCurves:
    values = {name: list(numbers) for name, numbers in item.values.items()}
    values[curve][epoch] = value
    return replace(item, values=values)


def test_one_bad_epoch_does_not_flatten_the_losses() -> None:
    curves = make_curves(make_cells([0.1]), 5)
    assert [axes.get_yscale() for axes in curves_figure(curves).axes] == ["linear"] * 4
    curves[0] = with_value(curves[0], "val/loss", 0, 40.0)
    axes = curves_figure(curves).axes
    assert [panel.get_yscale() for panel in axes] == ["linear", "log", "linear", "linear"]
    assert "log" in axes[1].get_ylabel()
    assert "log" not in axes[0].get_ylabel()
    labels = [axes[1].yaxis.get_major_formatter()(value, 0) for value in (0.5, 1, 20)]
    assert labels == ["0.5", "1", "20"]


@pytest.mark.slow
def test_a_bad_epoch_of_one_recipe_sets_the_scale_of_all() -> None:
    curves = make_curves(make_cells([0.1], RECIPES), 5)
    curves[0] = with_value(curves[0], "train/loss", 0, 40.0)
    axes = curves_figure(curves).axes
    assert [panel.get_yscale() for panel in axes] == ["log"] * 2 + ["linear"] * 6
    assert axes[0].get_ylabel().endswith("(log scale)") and axes[1].get_ylabel() == ""


@pytest.mark.slow
@pytest.mark.parametrize("value", [0.0, NAN, math.inf])
def test_a_loss_without_logarithm_is_drawn(value: float) -> None:
    curves = [with_value(make_curves(make_cells([0.1]), 3)[0], "train/loss", 1, value)]
    figure = curves_figure(curves)
    figure.draw_without_rendering()
    assert figure.axes[0].get_yscale() == "linear"


def test_a_band_is_a_deviation_on_either_side_of_the_mean() -> None:
    first, second = make_curves(make_cells([0.1]), 3, 0.01)
    still = replace(second, deviations=dict.fromkeys(COLUMN, [0.0] * 3))  # of one seed
    for panel, curve in zip(curves_figure([first, still]).axes, COLUMN, strict=True):
        (band,) = panel.collections
        means = first.values[curve]
        low = [mean - by for mean, by in zip(means, (0.01, 0.02, 0.03), strict=True)]
        high = [mean + by for mean, by in zip(means, (0.01, 0.02, 0.03), strict=True)]
        (outline,) = band.get_paths()
        corners = {(float(x), round(float(y), 9)) for x, y in outline.vertices}
        expected = zip([1, 2, 3] * 2, low + high, strict=True)
        assert corners == {(float(x), round(y, 9)) for x, y in expected}
        assert to_hex(band.get_facecolor()[0]) == panel.get_lines()[0].get_color().lower()
        assert band.get_alpha() < 0.3


def test_bands_stand_with_the_recipe_they_belong_to() -> None:
    figure = curves_figure(make_curves(make_cells([0.1, 0.15], RECIPES), 4, 0.01))
    assert [len(axes.collections) for axes in figure.axes] == [4] * 8
    assert len(legend_texts(figure)) == 4  # bands are not in the legend


@pytest.mark.slow
def test_a_band_down_to_zero_leaves_the_scale_of_a_wide_loss_alone() -> None:
    (curves, _) = make_curves(make_cells([0.1]), 3)
    curves = with_value(curves, "val/loss", 0, 40.0)
    curves.values["val/loss"][1:] = [1.0, 0.5]
    curves.deviations["val/loss"][1:] = [1.5, 0.2]  # 1 - 1.5 has no logarithm
    figure = curves_figure([curves])
    figure.draw_without_rendering()
    panel = figure.axes[1]
    assert panel.get_yscale() == "log"
    low, high = panel.get_ylim()
    assert 0.1 < low < 0.3 and 40 < high < 100
