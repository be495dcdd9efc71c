"""The figure of the differences shows the numbers it is given, readably."""

import itertools

import pytest
from matplotlib.axes import Axes

from drawings import extent, legend_texts, points
from partialseg.comparison.significance import Difference, differences
from partialseg.figures.differences import OTHER, SIGNIFICANT, differences_figure
from score_cells import make_cell, make_scored, random_counts


def difference(value: float, low: float, high: float, pairs: int = 1) -> Difference:
    return Difference(
        axis="architecture",
        first=(make_cell(),) * pairs,
        second=(make_cell(architecture="unetplusplus"),) * pairs,
        difference=value,
        bootstrap=(low, high),
        jackknife=(low - 0.01, high + 0.01),
        orthophotos=(8,),
        seeds=3,
    )


def lines_of(axes: Axes) -> list[tuple[list[float], float, str]]:
    return [
        (points(line)[0], line.get_linewidth(), str(line.get_color()))
        for line in axes.get_lines()
        if len(points(line)[0]) == 2 and points(line)[0] != [0, 0]
    ]


def test_intervals_and_differences_have_their_values() -> None:
    found = [difference(0.05, 0.02, 0.08, pairs=2), difference(0.01, -0.02, 0.04)]
    (axes,) = differences_figure(found).axes
    assert lines_of(axes) == [
        ([pytest.approx(0.01), pytest.approx(0.09)], 1.2, SIGNIFICANT),
        ([0.02, 0.08], 3.5, SIGNIFICANT),
        ([pytest.approx(-0.03), pytest.approx(0.05)], 1.2, OTHER),
        ([-0.02, 0.04], 3.5, OTHER),
    ]
    dots = [line for line in axes.get_lines() if line.get_marker() == "o"]
    assert [points(dot)[0] for dot in dots] == [[0.05], [0.01]]
    assert [dot.get_markerfacecolor() for dot in dots] == [SIGNIFICANT, "white"]
    assert [label.get_fontweight() for label in axes.get_yticklabels()] == ["bold", "normal"]
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        "UNet++ against UNet: mean of 2 pairs",
        "UNet++ against UNet: one pair",
    ]


@pytest.mark.slow
@pytest.mark.parametrize("fractions", [["0.1"], ["0.01", "0.05", "0.1", "0.15"]])
def test_texts_never_meet(fractions: list[str]) -> None:
    cells = [
        make_scored(random_counts(place), fraction=fraction, architecture=a, recipe=r)
        for place, (fraction, a, r) in enumerate(
            itertools.product(fractions, ("unet", "unetplusplus"), ("reproduction", "tuned"))
        )
    ]
    figure = differences_figure(differences(cells))
    figure.draw_without_rendering()
    (axes,) = figure.axes
    boxes = [extent(figure, label) for label in axes.get_yticklabels()]
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))
    assert all(
        figure.bbox.padded(0.5).contains(*corner) for box in boxes for corner in box.get_points()
    )
    assert legend_texts(figure)[-2:] == ["significant", "not significant"]


def test_nothing_to_compare_is_said() -> None:
    (axes,) = differences_figure([]).axes
    assert axes.get_xlabel() == "nothing to compare"
