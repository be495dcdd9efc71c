"""The figure of test patches shows the pictures it is given, readably."""

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_hex
from PIL import Image

from drawings import (
    NAMES,
    PALETTE,
    RECIPES,
    WHITE,
    extent,
    legend_of,
    legend_texts,
    make_cells,
    make_row,
    with_truth,
)
from partialseg.core.classes import NO_TRUTH
from partialseg.evaluation.runs import cell_names
from partialseg.figures.panel import (
    UNLABELLED,
    WRONG,
    draw_panel,
    error_map,
    panel_figure,
    visible_map,
)
from partialseg.figures.style import WIDTH


def test_panel_holds_each_picture_under_its_caption() -> None:
    row = make_row()
    figure = panel_figure([row], NAMES, PALETTE)
    colours = np.array(PALETTE, np.uint8)
    first, second = row.predictions.values()
    wrong = 100 * np.mean(second != row.truth)
    expected = [
        ("orthophoto_3", row.image),
        ("visible labels", visible_map(row, PALETTE)),
        ("truth", colours[row.truth]),
        ("UNet 10 %", colours[first]),
        ("0.0 % wrong", error_map(row, first)),
        ("UNet 20 %", colours[second]),
        (f"{wrong:.1f} % wrong", error_map(row, second)),
    ]
    assert wrong > 1
    for axes, (caption, picture) in zip(figure.axes, expected, strict=True):
        assert axes.get_title("left") == caption
        np.testing.assert_array_equal(axes.images[0].get_array(), picture)
        assert axes.images[0].get_interpolation() == "nearest"  # no mixtures of class colours


@pytest.mark.slow
@pytest.mark.parametrize(("patches", "runs"), [(1, 1), (1, 6), (3, 4)])
def test_panel_places(patches: int, runs: int) -> None:
    names = [f"UNet {run} %" for run in range(runs)]
    rows = [make_row(f"patch_{patch}", 8, names) for patch in range(patches)]
    figure = panel_figure(rows, NAMES, PALETTE)
    figure.draw_without_rendering()
    block = 3 + 2 * runs
    assert len(figure.axes) == patches * block
    boxes = [axes.get_window_extent() for axes in figure.axes]
    texts = [extent(figure, axes.title) for axes in figure.axes]
    texts += [extent(figure, axes._left_title) for axes in figure.axes]  # type: ignore[attr-defined]
    legend = legend_of(figure).get_window_extent()
    everything = [*boxes, *(text for text in texts if text.width), legend]
    assert not any(one.overlaps(other) for one, other in itertools.combinations(everything, 2))
    page = figure.bbox.padded(0.5)
    assert all(page.contains(*box.min) and page.contains(*box.max) for box in everything)
    image, visible, truth, prediction, errors, *_ = boxes
    assert 2 * visible.width <= image.width < 2.2 * visible.width
    assert truth.x0 == pytest.approx(visible.x0) and truth.y1 < visible.y0
    assert errors.x0 == pytest.approx(prediction.x0) and errors.y1 < prediction.y0
    assert figure.get_figwidth() <= WIDTH + 1e-9
    assert [axes.get_title("left") for axes in figure.axes[::block]] == [row.name for row in rows]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("recipes", "captions"),
    [
        (["tuned"], ["UNet 10 %", "UNet++ 10 %"]),
        (
            RECIPES,
            [
                *("UNet 10 %,\nreproduction", "UNet 10 %,\ntuned"),
                *("UNet++ 10 %,\nreproduction", "UNet++ 10 %,\ntuned"),
            ],
        ),
        (
            ["a", "b", "of_a_rather_long_name"],
            [
                *("UNet 10 %,\na", "UNet 10 %,\nb", "UNet 10 %,\nof_a_rather_\nlong_name"),
                *("UNet++ 10 %,\na", "UNet++ 10 %,\nb", "UNet++ 10 %,\nof_a_rather_\nlong_name"),
            ],
        ),
    ],
)
def test_names_of_runs_take_as_many_lines_as_they_need(
    recipes: Sequence[str], captions: list[str]
) -> None:
    names = [*cell_names(make_cells([0.1], recipes)).values()]
    figure = panel_figure([make_row(runs=names), make_row(runs=names)], NAMES, PALETTE)
    figure.draw_without_rendering()
    block = 3 + 2 * len(names)
    assert [axes.get_title("left") for axes in figure.axes[3:block:2]] == captions
    texts = [extent(figure, axes._left_title) for axes in figure.axes]  # type: ignore[attr-defined]
    boxes = [*texts, *(axes.get_window_extent() for axes in figure.axes)]
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))
    assert all(figure.bbox.padded(0.5).contains(*text.max) for text in texts)


def test_legend_of_the_panel_names_what_occurs() -> None:
    row = make_row()
    common = [*NAMES, "unlabelled", "wrong"]
    figure = panel_figure([row], NAMES, PALETTE)
    assert legend_texts(figure) == common
    colours = [to_hex(patch.get_facecolor()) for patch in legend_of(figure).get_patches()]
    expected = [*PALETTE, UNLABELLED, WRONG]
    assert colours == ["#{:02x}{:02x}{:02x}".format(*colour) for colour in expected]
    truth = row.truth.copy()
    truth[0, 0] = NO_TRUTH
    assert legend_texts(panel_figure([row, with_truth(row, truth)], NAMES, PALETTE)) == [
        *common,
        "no truth",
    ]


@pytest.mark.slow
@pytest.mark.parametrize("classes", [2, 5, 30])
@pytest.mark.parametrize("runs", [1, 6])
def test_legend_of_the_panel_fits(classes: int, runs: int) -> None:
    names = [f"class with the number {number}" for number in range(classes)]
    row = with_truth(
        make_row(runs=[f"UNet {run} %" for run in range(runs)]), np.zeros((64, 64), np.uint8)
    )
    figure = panel_figure([row], names, [PALETTE[0]] * classes)
    figure.draw_without_rendering()
    legend = legend_of(figure).get_window_extent()
    assert legend.x0 >= 0 and legend.x1 <= figure.bbox.x1
    assert legend.y1 < min(axes.get_window_extent().y0 for axes in figure.axes)


def test_a_long_name_keeps_its_end() -> None:
    (axes, *_) = panel_figure([make_row("x" * 80 + "_117")], NAMES, PALETTE).axes
    caption = axes.get_title("left")
    assert caption.startswith("…x") and caption.endswith("x_117")
    assert 20 < len(caption) < 60


@pytest.mark.slow
def test_the_file_of_the_panel_keeps_the_colours_of_rare_classes_and_white(tmp_path: Path) -> None:
    row = make_row(side=384)  # noise: the worst case for a palette of 256 colours
    truth = np.zeros((384, 384), np.uint8)
    truth[:6, :6] = 4
    truth[100:300, 100:300] = NO_TRUTH
    draw_panel([with_truth(row, truth)], NAMES, PALETTE, tmp_path / "panel.png")
    with Image.open(tmp_path / "panel.png") as picture:
        assert picture.mode == "P"
        colours, counts = np.unique(
            np.asarray(picture.convert("RGB")).reshape(-1, 3), axis=0, return_counts=True
        )
    shown = {tuple(colour.tolist()): count for colour, count in zip(colours, counts, strict=True)}
    assert all(shown[colour] > 100 for colour in (*PALETTE, UNLABELLED, WRONG, WHITE))
    assert shown[PALETTE[0]] > 30_000
    assert shown[WHITE] > 100_000


@pytest.mark.slow
def test_a_panel_of_384_pixels_is_small_enough_for_a_repository(tmp_path: Path) -> None:
    draw_panel(
        [make_row(f"patch_{n}", 384, list("abcd")) for n in range(2)],
        NAMES,
        PALETTE,
        tmp_path / "p.png",
    )
    assert (tmp_path / "p.png").stat().st_size < 600_000
