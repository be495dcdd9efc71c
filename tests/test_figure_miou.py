"""The figure of the scores shows the numbers it is given, readably."""

import itertools

import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from drawings import NAN, RECIPES, extent, legend_texts, make_runs, make_scores, points
from partialseg.figures.miou import RunScore, miou_figure
from partialseg.figures.page import COLOURS, WIDTH


def bars(axes: Axes) -> list[Rectangle]:
    return [patch for patch in axes.patches if isinstance(patch, Rectangle)]


def marks(axes: Axes) -> list[Line2D]:
    return [line for line in axes.get_lines() if line.get_marker() == "D"]


def test_bars_are_test_scores_by_fraction_from_top_to_bottom() -> None:
    scores = make_scores(make_runs([0.15, 0.1], RECIPES))
    figure = miou_figure(scores, 0.117, "background")
    figure.draw_without_rendering()
    (axes,) = figure.axes
    drawn = sorted(bars(axes), key=lambda bar: -bar.get_window_extent().y0)
    expected = [*scores[4:], *scores[:4]]
    assert [bar.get_width() for bar in drawn] == [score.test_miou for score in expected]
    assert [text.get_text() for text in axes.get_yticklabels()] == [
        *("UNet 10 %, reproduction", "UNet 10 %, tuned"),
        *("UNet++ 10 %, reproduction", "UNet++ 10 %, tuned"),
        *("UNet 15 %, reproduction", "UNet 15 %, tuned"),
        *("UNet++ 15 %, reproduction", "UNet++ 15 %, tuned"),
    ]
    gaps = [two.get_y() - one.get_y() for one, two in itertools.pairwise(drawn)]
    assert gaps[3] > 1.3 * gaps[0]  # between the fractions
    assert gaps[:3] + gaps[4:] == pytest.approx([gaps[0]] * 6)
    assert legend_texts(figure) == ["test", "validation"]


def test_colour_is_the_architecture_and_the_last_recipe_has_all_of_it() -> None:
    runs = make_runs([0.1, 0.15], RECIPES)
    (axes,) = miou_figure(make_scores(runs), 0.117, "background").axes
    colours = [to_hex(bar.get_facecolor()) for bar in bars(axes)]
    light, full = "#80b8d8", COLOURS[0].lower()  # half of the way to white
    assert colours == [light, full, "#eaae80", COLOURS[1].lower()] * 2
    (axes,) = miou_figure(make_scores(make_runs([0.1])), 0.117, "background").axes
    assert to_hex(bars(axes)[0].get_facecolor()) == full


def test_validation_is_a_mark_below_the_bar_of_its_run() -> None:
    scores = make_scores(make_runs([0.1, 0.15]))
    (axes,) = miou_figure(scores, 0.117, "background").axes
    for bar, mark, score in zip(bars(axes), marks(axes), scores, strict=True):
        (width,), (place,) = points(mark)
        assert width == score.val_miou
        assert bar.get_y() + bar.get_height() < place < bar.get_y() + 1
        assert to_hex(mark.get_markerfacecolor()) == to_hex(bar.get_facecolor())


def test_values_stand_at_their_marks() -> None:
    (run, _) = make_runs([0.1])
    score = RunScore(run=run, val_miou=0.73449, test_miou=0.7126)
    (axes,) = miou_figure([score], 0.117, "background").axes
    assert {text.get_text(): text.xy[0] for text in axes.texts if hasattr(text, "xy")} == {
        "0.713": 0.7126,
        "0.734": 0.73449,
    }


@pytest.mark.parametrize("fractions", [[0.1], [0.005, 0.05, 0.1, 0.15, 1.0]])
@pytest.mark.parametrize("recipes", [["tuned"], [*RECIPES, "third"]])
@pytest.mark.parametrize("gap", [-0.01, 0.0, 0.011])
def test_texts_never_meet_and_stay_inside(
    fractions: list[float], recipes: list[str], gap: float
) -> None:
    runs = make_runs(fractions, recipes)
    scores = [RunScore(run=run, val_miou=0.6 + gap, test_miou=0.6) for run in runs]
    figure = miou_figure(scores, 0.117, "background")
    figure.draw_without_rendering()
    (axes,) = figure.axes
    assert figure.get_figwidth() == WIDTH
    values = [extent(figure, text) for text in axes.texts]
    assert len(values) == 2 * len(scores) + 1
    boxes = [*values, *(extent(figure, text) for text in axes.get_yticklabels())]
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))
    for bar, text in itertools.product(bars(axes), boxes):
        assert not bar.get_window_extent().overlaps(text)
    assert all(figure.bbox.padded(0.5).contains(*box.min) for box in boxes)
    assert all(figure.bbox.padded(0.5).contains(*box.max) for box in boxes)


@pytest.mark.parametrize(("scores", "top"), [((0.7, 0.6), 0.7), ((0.6, 0.7), 0.7), ((0, 0), 0.3)])
def test_scale_starts_at_zero_and_holds_everything(scores: tuple[float, float], top: float) -> None:
    val, test = scores
    (run, _) = make_runs([0.1])
    score = RunScore(run=run, val_miou=val, test_miou=test)
    (axes,) = miou_figure([score], 0.3, "background").axes
    low, high = axes.get_xlim()
    assert low == 0
    assert top < high < 1.2 * top


def test_trivial_answer_is_a_named_dashed_line() -> None:
    (axes,) = miou_figure(make_scores(make_runs([0.1])), 0.1174, "land without any name").axes
    (line,) = [line for line in axes.get_lines() if line.get_marker() == "None"]
    assert points(line)[0] == [0.1174, 0.1174]
    assert line.get_linestyle() == "--"
    assert line.get_zorder() > bars(axes)[0].get_zorder()
    (label,) = [text for text in axes.texts if "all" in text.get_text()]
    assert label.get_text() == "all land without any name: 0.117"
    assert label.get_position()[0] == 0.1174


def test_scores_that_do_not_exist_are_said_to_be_none() -> None:
    (run, _) = make_runs([0.1])
    score = RunScore(run=run, val_miou=NAN, test_miou=NAN)
    figure = miou_figure([score], NAN, "background")
    figure.draw_without_rendering()
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.texts] == ["none", "none"]
    assert not [line for line in axes.get_lines() if line.get_marker() == "None"]
    axis = axes.get_window_extent().x0
    assert all(extent(figure, text).x0 > axis for text in axes.texts)
