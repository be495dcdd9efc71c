"""The figures of the report show the numbers they are given: budget, reliability, borders; SVG."""

import itertools
import math
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure

from drawings import extent, legend_texts, make_cells, points
from partialseg.comparison.cells import SeedScore
from partialseg.figures.border_distance import DistanceBand, border_distance_figure
from partialseg.figures.budget import budget_figure
from partialseg.figures.reliability import Reliability, ReliabilityBin, reliability_figure
from partialseg.figures.style import new_figure, svg_text

RECIPES = ("reproduction", "tuned")
CELLS = make_cells([0.15, 0.1], RECIPES)
SCORES = {
    cell: SeedScore(mean=0.3 + 0.01 * place, std=0.02 if place % 2 else None, labelled=0.1)
    for place, cell in enumerate(CELLS)
}


def errorbars(axes: Axes) -> list[ErrorbarContainer]:
    return [item for item in axes.containers if isinstance(item, ErrorbarContainer)]


def test_budget_has_a_line_an_architecture_and_recipe_by_ascending_fraction() -> None:
    figure = budget_figure(SCORES, 0.13, "background")
    (axes,) = figure.axes
    assert axes.get_xscale() == "log"
    assert [text.get_text() for text in axes.get_xticklabels()] == ["10 %", "15 %"]
    assert legend_texts(figure) == [
        *("UNet, reproduction", "UNet, tuned", "UNet++, reproduction", "UNet++, tuned")
    ]
    drawn = [points(item.lines[0]) for item in errorbars(axes)]
    # CELLS has 15 % first, and a line takes its cells in the order of the fractions.
    assert [ys for _, ys in drawn] == [
        pytest.approx(values) for values in ([0.34, 0.3], [0.35, 0.31], [0.36, 0.32], [0.37, 0.33])
    ]
    for xs, _ in drawn:
        assert xs == pytest.approx([0.1, 0.15], rel=0.03)
    assert len({xs[0] for xs, _ in drawn}) == 4  # beside each other


def test_budget_has_the_score_with_all_labels_across() -> None:
    whole = {
        cell: SeedScore(mean=0.6 + 0.01 * place, std=None, labelled=0.999)
        for place, cell in enumerate(make_cells([1.0], RECIPES[:1]))
    }
    few = {cell: SCORES[cell] for cell in make_cells([0.1], RECIPES[:1])}
    (axes,) = budget_figure(few | whole, 0.13, "background").axes
    dotted = [line for line in axes.lines if line.get_linestyle() == ":"]
    assert [line.get_ydata() for line in dotted] == [[0.6, 0.6], [0.61, 0.61]]
    assert len({line.get_color() for line in dotted}) == 2
    (axes,) = budget_figure(few, 0.13, "background").axes
    assert [line for line in axes.lines if line.get_linestyle() == ":"] == []


def test_all_clicks_of_points_are_not_all_labels() -> None:
    clicked = {
        cell: SeedScore(mean=0.6, std=None, labelled=0.003)
        for cell in make_cells([1.0], RECIPES[:1])
    }
    (axes,) = budget_figure(clicked, 0.13, "background").axes
    assert [line for line in axes.lines if line.get_linestyle() == ":"] == []


def test_budget_bars_are_the_deviation_and_of_one_seed_there_is_none() -> None:
    (axes,) = budget_figure(SCORES, 0.13, "background").axes
    halves = []
    for item in errorbars(axes):
        for segment in item.lines[2][0].get_segments():
            halves.append((segment[1][1] - segment[0][1]) / 2 if len(segment) else math.nan)
    assert len(halves) == 8
    known = [half for half in halves if not math.isnan(half)]
    assert known == pytest.approx([0.02] * 4)


def test_budget_names_the_trivial_answer() -> None:
    (axes,) = budget_figure(SCORES, 0.128, "background").axes
    assert [text.get_text() for text in axes.texts] == ["all background: 0.128"]
    assert any(points(line)[1] == [0.128, 0.128] for line in axes.get_lines())
    assert axes.get_ylim()[0] == 0


def test_budget_of_two_splits_is_a_defect() -> None:
    cells = make_cells([0.1], splits=("main", "official"))
    with pytest.raises(AssertionError, match="one split"):
        budget_figure(
            dict.fromkeys(cells, SeedScore(mean=0.5, std=None, labelled=0.1)), 0.1, "field"
        )


def make_reliability(ece: float) -> Reliability:
    return Reliability(
        ece=ece,
        bins=(
            ReliabilityBin(low=0, high=0.5, pixels=0, confidence=None, accuracy=None),
            ReliabilityBin(low=0.5, high=0.75, pixels=100, confidence=0.7, accuracy=0.6),
            ReliabilityBin(low=0.75, high=1, pixels=300, confidence=0.9, accuracy=0.95),
        ),
    )


def test_reliability_leaves_out_empty_bins_and_shows_the_shares_of_pixels() -> None:
    figure = reliability_figure({"UNet 10 %, tuned": make_reliability(0.0423)})
    (axes,) = figure.axes
    lines = [points(line) for line in axes.get_lines()]
    assert ([0.7, 0.9], [0.6, 0.95]) in lines
    assert ([0, 1], [0, 1]) in lines
    bars = [(bar.get_x() + bar.get_width() / 2, bar.get_height()) for bar in axes.patches]
    assert bars == [pytest.approx(bar) for bar in ((0.25, 0), (0.625, 0.25), (0.875, 0.75))]
    assert axes.get_title("left").split() == ["UNet", "10", "%,", "tuned,", "ECE", "0.042"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("confidence", "accuracy")


@pytest.mark.slow
@pytest.mark.parametrize(("runs", "columns"), [(1, 1), (4, 4), (5, 4), (8, 4)])
def test_reliability_names_its_axes_at_the_edges(runs: int, columns: int) -> None:
    items = {f"UNet++ 15 %, reproduction {run}": make_reliability(0.1) for run in range(runs)}
    figure = reliability_figure(items)
    assert len(figure.axes) == runs
    below = [axes.get_xlabel() == "confidence" for axes in figure.axes]
    assert below == [run + columns >= runs for run in range(runs)]
    left = [axes.get_ylabel() == "accuracy" for axes in figure.axes]
    assert left == [run % columns == 0 for run in range(runs)]
    figure.draw_without_rendering()
    titles = [extent(figure, axes._left_title) for axes in figure.axes]  # type: ignore[attr-defined]
    ticks = [extent(figure, text) for axes in figure.axes for text in axes.get_xticklabels()]
    assert not any(one.overlaps(two) for one, two in itertools.pairwise(ticks))
    assert not any(one.overlaps(two) for one, two in itertools.pairwise(titles))


BANDS = [
    DistanceBand(low=0, high=1, pixels=10, accuracy=0.5),
    DistanceBand(low=1, high=4, pixels=20, accuracy=0.75),
    DistanceBand(low=4, high=8, pixels=0, accuracy=None),
    DistanceBand(low=8, high=None, pixels=5, accuracy=0.875),
]


def test_border_distance_skips_a_band_without_pixels() -> None:
    first, second = make_cells([0.1])
    worse = [DistanceBand(low=b.low, high=b.high, pixels=1, accuracy=0.25) for b in BANDS]
    figure = border_distance_figure({first: BANDS, second: worse}, {first: "a", second: "b"})
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.get_xticklabels()] == ["≤ 1", "1–4", "4–8", "> 8"]
    assert [points(line) for line in axes.get_lines()] == [
        ([0, 1, 3], [0.5, 0.75, 0.875]),
        ([0, 1, 2, 3], [0.25] * 4),
    ]
    assert legend_texts(figure) == ["a", "b"]


def test_border_distance_refuses_bands_that_differ() -> None:
    first, second = make_cells([0.1])
    with pytest.raises(ValueError, match="different bands of distance"):
        border_distance_figure({first: BANDS, second: BANDS[:3]}, {first: "a", second: "b"})


def make_drawing(title: str = "a < b & c") -> Figure:
    figure = new_figure(4, 3)
    axes = figure.subplots()
    axes.plot([0, 1], [1, 0], marker="o")
    axes.imshow(np.eye(2))
    axes.set_title(title)
    return figure


def test_svg_is_one_element_with_its_text_as_text() -> None:
    text = svg_text(make_drawing(), "drawing")
    root = ElementTree.fromstring(text)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    texts = ["".join(item.itertext()) for item in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "a < b & c" in texts
    assert "font-family" not in text and "<metadata" not in text and "<!--" not in text
    assert not re.search(r"https?://(?!www\.w3\.org/)", text)


def test_svg_has_no_ids_but_its_own_and_every_reference_is_met() -> None:
    text = svg_text(make_drawing(), "drawing")
    ids = re.findall(r'\sid="([^"]+)"', text)
    references = {*re.findall(r'href="#([^"]+)"', text), *re.findall(r"url\(#([^)]+)\)", text)}
    assert len(ids) == len(set(ids)) >= 3
    assert set(ids) == references
    assert all(name.startswith("drawing-") for name in ids)
    other = set(re.findall(r'\sid="([^"]+)"', svg_text(make_drawing(), "other")))
    assert not other & set(ids)


def test_equal_figures_give_equal_svg() -> None:
    one, two = (svg_text(make_drawing(), "drawing") for _ in range(2))
    assert one == two != svg_text(make_drawing("other"), "drawing")
