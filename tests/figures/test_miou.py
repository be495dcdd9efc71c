"""The figure of the scores shows the numbers it is given, readably."""

import itertools
from collections.abc import Sequence

import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.transforms import Bbox

from drawings import NAN, RECIPES, extent, legend_texts, make_cells, make_scores, points
from partialseg.figures.miou import CellScore, miou_figure
from partialseg.figures.style import COLOURS, WIDTH


def bars(axes: Axes) -> list[Rectangle]:
    return [patch for patch in axes.patches if isinstance(patch, Rectangle)]


def marks(axes: Axes) -> list[Line2D]:
    return [line for line in axes.get_lines() if line.get_marker() == "D"]


def test_bars_are_test_scores_by_fraction_from_top_to_bottom() -> None:
    scores = make_scores(make_cells([0.15, 0.1], RECIPES))
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


@pytest.mark.slow
def test_colour_is_the_architecture_and_the_last_recipe_has_all_of_it() -> None:
    cells = make_cells([0.1, 0.15], RECIPES)
    (axes,) = miou_figure(make_scores(cells), 0.117, "background").axes
    colours = [to_hex(bar.get_facecolor()) for bar in bars(axes)]
    light, full = "#80b8d8", COLOURS[0].lower()  # half of the way to white
    assert colours == [light, full, "#eaae80", COLOURS[1].lower()] * 2
    (axes,) = miou_figure(make_scores(make_cells([0.1])), 0.117, "background").axes
    assert to_hex(bars(axes)[0].get_facecolor()) == full


def test_validation_is_a_mark_below_the_bar_of_its_run() -> None:
    scores = make_scores(make_cells([0.1, 0.15]))
    (axes,) = miou_figure(scores, 0.117, "background").axes
    for bar, mark, score in zip(bars(axes), marks(axes), scores, strict=True):
        (width,), (place,) = points(mark)
        assert width == score.val_miou
        assert bar.get_y() + bar.get_height() < place < bar.get_y() + 1
        assert to_hex(mark.get_markerfacecolor()) == to_hex(bar.get_facecolor())


def test_values_stand_at_their_marks() -> None:
    (cell, _) = make_cells([0.1])
    score = CellScore(cell=cell, val_miou=0.73449, test_miou=0.7126)
    (axes,) = miou_figure([score], 0.117, "background").axes
    assert {text.get_text(): text.xy[0] for text in axes.texts if hasattr(text, "xy")} == {
        "0.713": 0.7126,
        "0.734": 0.73449,
    }


def bar_ends(axes: Axes) -> list[tuple[float, float, float]]:
    """Return place, left and right end of the error bars, in the order of the bars."""
    lines = [lines.get_segments()[0] for lines in axes.collections]  # type: ignore[attr-defined]
    return [(float(one[1]), float(one[0]), float(other[0])) for one, other in lines]


def error_boxes(axes: Axes) -> list[Bbox]:
    """Return what the error bars take of the page, with the caps at their ends."""
    caps = [line.get_window_extent() for line in axes.get_lines() if line.get_marker() == "|"]
    return [Bbox.union(pair) for pair in zip(caps[::2], caps[1::2], strict=True)]


def test_an_error_bar_is_a_deviation_on_either_side_of_the_test_score() -> None:
    first, second = make_cells([0.1])
    scores = [
        CellScore(cell=first, val_miou=0.75, test_miou=0.5, test_deviation=0.125),
        CellScore(cell=second, val_miou=0.75, test_miou=0.5, test_deviation=None),  # of one seed
    ]
    (axes,) = miou_figure(scores, 0.117, "background").axes
    ((place, low, high),) = bar_ends(axes)
    assert (low, high) == (0.375, 0.625)
    upper, lower = bars(axes)
    assert place == pytest.approx(upper.get_y() + upper.get_height() / 2)
    texts = [text for text in axes.texts if hasattr(text, "xy")]
    assert [(text.get_text(), text.xy[0]) for text in texts if text.xy[1] == place] == [
        ("0.500", 0.625)
    ]
    place = lower.get_y() + lower.get_height() / 2
    beside = [text.xy[0] for text in texts if text.xy[1] == pytest.approx(place)]
    assert beside == [0.5]


def test_every_bar_has_the_error_bar_of_its_cell() -> None:
    scores = [
        CellScore(cell=cell, val_miou=0.7, test_miou=0.6, test_deviation=0.01 * (1 + place))
        for place, cell in enumerate(make_cells([0.15, 0.1], RECIPES))
    ]
    (axes,) = miou_figure(scores, 0.117, "background").axes
    expected = [*scores[4:], *scores[:4]]
    drawn = zip(bar_ends(axes), bars(axes), expected, strict=True)
    for (place, low, high), bar, score in drawn:
        deviation = score.test_deviation
        assert deviation is not None
        assert place == pytest.approx(bar.get_y() + bar.get_height() / 2)
        assert (low, high) == pytest.approx((0.6 - deviation, 0.6 + deviation))


def test_cells_of_two_splits_are_named_by_their_split() -> None:
    cells = make_cells([0.1], splits=("main", "official"))
    (axes,) = miou_figure(make_scores(cells), 0.117, "background").axes
    assert [text.get_text() for text in axes.get_yticklabels()] == [
        *("UNet 10 %, main", "UNet++ 10 %, main", "UNet 10 %, official", "UNet++ 10 %, official")
    ]


GAPS = (-0.01, 0.0, 0.011, 0.03)  # from the test to the validation score of a row
MANY_FRACTIONS, MANY_RECIPES = [0.005, 0.05, 0.1, 0.15, 1.0], [*RECIPES, "third"]


@pytest.mark.slow
@pytest.mark.parametrize("deviation", [None, 0.0, 0.02, 0.3])
@pytest.mark.parametrize(
    ("fractions", "recipes", "gaps"),
    [
        *(([0.1], ["tuned"], [gap]) for gap in GAPS),
        # Larger figures have rows of every gap.
        ([0.1], MANY_RECIPES, GAPS),
        (MANY_FRACTIONS, ["tuned"], GAPS),
        (MANY_FRACTIONS, MANY_RECIPES, GAPS),
    ],
)
def test_texts_never_meet_and_stay_inside(
    fractions: list[float], recipes: list[str], gaps: Sequence[float], deviation: float | None
) -> None:
    cells = make_cells(fractions, recipes)
    scores = [
        CellScore(cell=cell, val_miou=0.6 + gap, test_miou=0.6, test_deviation=deviation)
        for cell, gap in zip(cells, itertools.cycle(gaps))
    ]
    figure = miou_figure(scores, 0.117, "background")
    figure.draw_without_rendering()
    (axes,) = figure.axes
    assert figure.get_figwidth() == WIDTH
    values = [extent(figure, text) for text in axes.texts]
    assert len(values) == 2 * len(scores) + 1
    boxes = [*values, *(extent(figure, text) for text in axes.get_yticklabels())]
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))
    errors = error_boxes(axes)
    assert len(errors) == (0 if deviation is None else len(scores))
    drawn = [*errors, *(mark.get_window_extent() for mark in (*bars(axes), *marks(axes)))]
    assert not any(box.overlaps(text) for box, text in itertools.product(drawn, boxes))
    assert all(figure.bbox.padded(0.5).contains(*box.min) for box in boxes)
    assert all(figure.bbox.padded(0.5).contains(*box.max) for box in boxes)
    inside = axes.get_window_extent()
    assert all(inside.x0 < error.x0 and error.x1 < inside.x1 for error in errors)


@pytest.mark.parametrize(("scores", "top"), [((0.7, 0.6), 0.7), ((0.6, 0.7), 0.7), ((0, 0), 0.3)])
def test_scale_starts_at_zero_and_holds_everything(scores: tuple[float, float], top: float) -> None:
    val, test = scores
    (cell, _) = make_cells([0.1])
    score = CellScore(cell=cell, val_miou=val, test_miou=test)
    (axes,) = miou_figure([score], 0.3, "background").axes
    low, high = axes.get_xlim()
    assert low == 0
    assert top < high < 1.2 * top


def test_trivial_answer_is_a_named_dashed_line() -> None:
    (axes,) = miou_figure(make_scores(make_cells([0.1])), 0.1174, "land without any name").axes
    (line,) = [line for line in axes.get_lines() if line.get_marker() == "None"]
    assert points(line)[0] == [0.1174, 0.1174]
    assert line.get_linestyle() == "--"
    assert line.get_zorder() > bars(axes)[0].get_zorder()
    (label,) = [text for text in axes.texts if "all" in text.get_text()]
    assert label.get_text() == "all land without any name: 0.117"
    assert label.get_position()[0] == 0.1174


def test_scores_that_do_not_exist_are_said_to_be_none() -> None:
    (cell, _) = make_cells([0.1])
    score = CellScore(cell=cell, val_miou=NAN, test_miou=NAN)
    figure = miou_figure([score], NAN, "background")
    figure.draw_without_rendering()
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.texts] == ["none", "none"]
    assert not [line for line in axes.get_lines() if line.get_marker() == "None"]
    axis = axes.get_window_extent().x0
    assert all(extent(figure, text).x0 > axis for text in axes.texts)
