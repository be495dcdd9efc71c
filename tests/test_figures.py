"""The figures show the numbers they are given, readably, and their files are reproducible."""

import itertools
import math
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from matplotlib.transforms import Bbox
from numpy.typing import NDArray
from PIL import Image

from partialseg import error_figures, figures
from partialseg.error_figures import (
    FADED,
    UNLABELLED,
    WIDEST_DOT,
    WRONG,
    PanelRow,
    confusions_figure,
    draw_confusions,
    draw_panel,
    error_map,
    error_share,
    panel_figure,
    visible_map,
)
from partialseg.figures import (
    CURVES,
    MARKED_EPOCHS,
    RunCurves,
    RunScore,
    curves_figure,
    draw_curves,
    draw_miou,
    miou_figure,
)
from partialseg.run_name import run_name
from partialseg.truth import NO_TRUTH, Colour

NAN = math.nan
ARCHITECTURES = ("unet", "unetplusplus")
NAMES = ("background", "building", "woodland", "water", "road")
PALETTE: tuple[Colour, ...] = (
    (230, 218, 190),
    (213, 62, 0),
    (0, 114, 80),
    (60, 150, 220),
    (70, 60, 80),
)
WHITE = (255, 255, 255)


def make_curves(
    fractions: Sequence[float], epochs: int, architectures: Sequence[str] = ARCHITECTURES
) -> list[RunCurves]:
    rng = np.random.default_rng(3)
    return [
        RunCurves(
            architecture=architecture,
            fraction=fraction,
            epochs=list(range(1, epochs + 1)),
            values={name: rng.uniform(0.3, 0.9, epochs).tolist() for name, _, _ in CURVES},
        )
        for architecture in architectures
        for fraction in fractions
    ]


def make_scores(fractions: Sequence[float], test: float = 0.6) -> list[RunScore]:
    places = enumerate(itertools.product(ARCHITECTURES, fractions))
    return [
        RunScore(
            architecture=architecture,
            fraction=fraction,
            val_miou=test + 0.011 * place + 0.02,
            test_miou=test + 0.011 * place,
        )
        for place, (architecture, fraction) in places
    ]


def make_matrices(runs: int, classes: int) -> dict[str, NDArray[np.int64]]:
    rng = np.random.default_rng(5)
    return {f"run {run}": rng.integers(1, 9000, (classes, classes)) for run in range(runs)}


def make_row(name: str = "orthophoto_3", side: int = 64, runs: int = 2) -> PanelRow:
    rng = np.random.default_rng(7)
    truth = np.repeat(np.arange(side, dtype=np.uint8) % len(NAMES), side).reshape(side, side)
    return PanelRow(
        name=name,
        image=rng.integers(0, 256, (side, side, 3)).astype(np.uint8),
        truth=truth,
        visible=rng.random((side, side)) < 0.1,
        predictions={run_name("unet", (run + 1) / 10): np.roll(truth, run) for run in range(runs)},
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


# ------------------------------------------------------------------ curves


def test_each_panel_shows_all_runs_with_their_data() -> None:
    runs = make_curves([0.1, 0.15], 12)
    figure = curves_figure(runs)
    titles = [axes.get_title("left") for axes in figure.axes]
    assert titles == ["Training loss", "Validation loss", "Validation mIoU", "Validation accuracy"]
    for axes, curve in zip(
        figure.axes, ("train/loss", "val/loss", "val/miou", "val/accuracy"), strict=True
    ):
        assert axes.get_ylabel()
        for line, run in zip(axes.get_lines(), runs, strict=True):
            assert points(line) == (run.epochs, run.values[curve])
            assert line.get_label() == run_name(run.architecture, run.fraction)
    assert [axes.get_xlabel() for axes in figure.axes] == ["", "", "epoch", "epoch"]


def test_colour_is_the_architecture_and_line_style_the_fraction() -> None:
    runs = make_curves([0.05, 0.1, 0.15], 3)
    for axes in curves_figure(runs).axes:
        lines = axes.get_lines()
        for one, other in itertools.combinations(range(len(runs)), 2):
            same = runs[one].architecture == runs[other].architecture
            assert (lines[one].get_color() == lines[other].get_color()) is same
            same = runs[one].fraction == runs[other].fraction
            assert (dashes(lines[one]) == dashes(lines[other])) is same
            assert (lines[one].get_marker() == lines[other].get_marker()) is same
        assert lines[2].get_linestyle() == "-"  # most labels


def dashes(line: Line2D) -> object:
    return line._unscaled_dash_pattern  # type: ignore[attr-defined]


def test_colours_and_styles_start_again_when_they_run_out() -> None:
    runs = make_curves([step / 20 for step in range(1, 10)], 2, [f"net{i}" for i in range(9)])
    assert len(curves_figure(runs).axes[0].get_lines()) == 81


def test_legend_has_a_line_an_architecture_and_a_column_a_fraction() -> None:
    figure = curves_figure(make_curves([0.05, 0.1, 0.15], 3))
    assert legend_texts(figure) == [
        *("UNet 5 %", "UNet++ 5 %"),
        *("UNet 10 %", "UNet++ 10 %"),
        *("UNet 15 %", "UNet++ 15 %"),
    ]
    assert legend_of(figure)._ncols == 3  # type: ignore[attr-defined]


def test_legend_shows_each_run_by_its_own_line() -> None:
    figure = curves_figure(make_curves([0.15, 0.1], 3))
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
    for line in curves_figure(make_curves([0.1], epochs)).axes[3].get_lines():
        assert (line.get_marker() not in ("", "None")) is marked


@pytest.mark.parametrize("epochs", [1, 2, 12, 100])
def test_epochs_are_whole_numbers(epochs: int) -> None:
    figure = curves_figure(make_curves([0.1], epochs))
    figure.draw_without_rendering()
    low, high = figure.axes[2].get_xlim()
    ticks = [tick for tick in figure.axes[2].get_xticks() if low <= tick <= high]
    assert ticks
    assert all(tick == round(tick) for tick in ticks)


def with_value(run: RunCurves, curve: str, epoch: int, value: float) -> RunCurves:
    values = {name: list(numbers) for name, numbers in run.values.items()}
    values[curve][epoch] = value
    return RunCurves(
        architecture=run.architecture, fraction=run.fraction, epochs=run.epochs, values=values
    )


def test_one_bad_epoch_does_not_flatten_the_losses() -> None:
    runs = make_curves([0.1], 5)
    assert [axes.get_yscale() for axes in curves_figure(runs).axes] == ["linear"] * 4
    runs[0] = with_value(runs[0], "val/loss", 0, 40.0)
    axes = curves_figure(runs).axes
    assert [panel.get_yscale() for panel in axes] == ["linear", "log", "linear", "linear"]
    assert "log" in axes[1].get_ylabel()
    assert "log" not in axes[0].get_ylabel()
    labels = [axes[1].yaxis.get_major_formatter()(value, 0) for value in (0.5, 1, 20)]
    assert labels == ["0.5", "1", "20"]


@pytest.mark.parametrize("value", [0.0, NAN, math.inf])
def test_a_loss_without_logarithm_is_drawn(value: float) -> None:
    runs = [with_value(make_curves([0.1], 3)[0], "train/loss", 1, value)]
    figure = curves_figure(runs)
    figure.draw_without_rendering()
    assert figure.axes[0].get_yscale() == "linear"


# -------------------------------------------------------------------- mIoU


def bars(axes: Axes) -> list[Rectangle]:
    return [patch for patch in axes.patches if isinstance(patch, Rectangle)]


def test_bars_are_test_scores_ordered_by_fraction_then_architecture() -> None:
    scores = make_scores([0.15, 0.1])
    figure = miou_figure(scores, 0.117, "background")
    (axes,) = figure.axes
    drawn = sorted(bars(axes), key=lambda bar: bar.get_x())
    expected = sorted(scores, key=lambda score: (score.fraction, score.architecture))
    assert [bar.get_height() for bar in drawn] == [score.test_miou for score in expected]
    assert len({to_hex(bar.get_facecolor()) for bar in drawn}) == 2
    assert drawn[0].get_facecolor() == drawn[2].get_facecolor()
    assert [text.get_text() for text in axes.get_xticklabels()] == ["10 %", "15 %"]
    assert legend_texts(figure) == ["UNet, test", "UNet++, test", "validation"]
    colours = [to_hex(patch.get_facecolor()) for patch in legend_of(figure).get_patches()]
    assert colours == [to_hex(bar.get_facecolor()) for bar in drawn[:2]]


def test_validation_is_a_mark_beside_the_bar_of_its_run() -> None:
    scores = make_scores([0.1, 0.15])
    (axes,) = miou_figure(scores, 0.117, "background").axes
    marks = [line for line in axes.get_lines() if line.get_marker() == "D"]
    for bar, mark, score in zip(bars(axes), marks, scores, strict=True):
        (place,), (height,) = points(mark)
        assert height == score.val_miou
        assert bar.get_x() + bar.get_width() < place < bar.get_x() + 1
        assert to_hex(mark.get_color()) == to_hex(bar.get_facecolor())


def test_values_stand_at_their_marks() -> None:
    score = RunScore(architecture="unet", fraction=0.1, val_miou=0.73449, test_miou=0.7126)
    (axes,) = miou_figure([score], 0.117, "background").axes
    assert {text.get_text(): text.xy[1] for text in axes.texts if hasattr(text, "xy")} == {
        "0.713": 0.7126,
        "0.734": 0.73449,
    }


@pytest.mark.parametrize("fractions", [[0.1], [0.005, 0.05, 0.1, 0.15, 1.0]])
@pytest.mark.parametrize("gap", [-0.01, 0.0, 0.011])
def test_values_never_meet(fractions: list[float], gap: float) -> None:
    scores = [
        RunScore(architecture=architecture, fraction=fraction, val_miou=0.6 + gap, test_miou=0.6)
        for architecture in (*ARCHITECTURES, "third")
        for fraction in fractions
    ]
    figure = miou_figure(scores, 0.117, "background")
    figure.draw_without_rendering()
    (axes,) = figure.axes
    boxes = [extent(figure, text) for text in axes.texts]
    assert len(boxes) == 2 * len(scores) + 1
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))
    for bar, text in itertools.product(bars(axes), boxes[:-1]):
        assert not bar.get_window_extent().overlaps(text)


@pytest.mark.parametrize(("scores", "top"), [((0.7, 0.6), 0.7), ((0.6, 0.7), 0.7), ((0, 0), 0.3)])
def test_scale_starts_at_zero_and_holds_everything(scores: tuple[float, float], top: float) -> None:
    val, test = scores
    score = RunScore(architecture="unet", fraction=0.1, val_miou=val, test_miou=test)
    (axes,) = miou_figure([score], 0.3, "background").axes
    low, high = axes.get_ylim()
    assert low == 0
    assert top < high < 1.2 * top


def test_trivial_answer_is_a_named_dashed_line() -> None:
    (axes,) = miou_figure(make_scores([0.1]), 0.1174, "land without any name").axes
    (line,) = [line for line in axes.get_lines() if line.get_marker() == "None"]
    assert points(line)[1] == [0.1174, 0.1174]
    assert line.get_linestyle() == "--"
    assert line.get_zorder() > bars(axes)[0].get_zorder()
    (label,) = [text for text in axes.texts if "all" in text.get_text()]
    assert " ".join(label.get_text().split()) == "all land without any name: 0.117"
    assert max(map(len, label.get_text().split("\n"))) <= 18


def test_scores_that_do_not_exist_are_said_to_be_none() -> None:
    score = RunScore(architecture="unet", fraction=0.1, val_miou=NAN, test_miou=NAN)
    figure = miou_figure([score], NAN, "background")
    figure.draw_without_rendering()
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.texts] == ["none", "none"]
    assert not [line for line in axes.get_lines() if line.get_marker() == "None"]
    axis = axes.get_window_extent().y0
    assert all(extent(figure, text).y0 > axis for text in axes.texts)


# -------------------------------------------------------------- confusions


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


# ------------------------------------------------------------------- panel


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


@pytest.mark.parametrize(("patches", "runs"), [(1, 1), (1, 6), (3, 4)])
def test_panel_places(patches: int, runs: int) -> None:
    rows = [make_row(f"patch_{patch}", 8, runs) for patch in range(patches)]
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
    assert figure.get_figwidth() <= figures.WIDTH + 1e-9
    assert [axes.get_title("left") for axes in figure.axes[::block]] == [row.name for row in rows]


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


@pytest.mark.parametrize("classes", [2, 5, 30])
@pytest.mark.parametrize("runs", [1, 6])
def test_legend_of_the_panel_fits(classes: int, runs: int) -> None:
    names = [f"class with the number {number}" for number in range(classes)]
    row = with_truth(make_row(runs=runs), np.zeros((64, 64), np.uint8))
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


def test_visible_map_of_dense_labels_is_exact() -> None:
    row = make_row()
    visible = np.random.default_rng(0).random(row.truth.shape) < 0.5
    row = PanelRow(
        name="", image=row.image, truth=row.truth, visible=visible, predictions=row.predictions
    )
    expected = np.where(visible[..., None], np.array(PALETTE)[row.truth], UNLABELLED)
    np.testing.assert_array_equal(visible_map(row, PALETTE), expected)


def one_visible(row: int, column: int) -> PanelRow:
    visible = np.zeros((64, 64), np.bool_)
    visible[row, column] = True
    truth = np.full((64, 64), 3, np.uint8)
    return PanelRow(
        name="", image=np.zeros((64, 64, 3), np.uint8), truth=truth, visible=visible, predictions={}
    )


@pytest.mark.parametrize(("at", "height", "width"), [((9, 20), 4, 4), ((62, 0), 2, 4)])
def test_a_lonely_label_is_a_dot(at: tuple[int, int], height: int, width: int) -> None:
    row, column = at
    expected = np.full((64, 64, 3), UNLABELLED)
    expected[row : row + height, column : column + width] = PALETTE[3]
    assert WIDEST_DOT == 4
    np.testing.assert_array_equal(visible_map(one_visible(row, column), PALETTE), expected)


def test_visible_map_of_sparse_labels_covers_a_third_with_the_right_colours() -> None:
    row = make_row(side=200)
    drawn = visible_map(row, PALETTE)
    np.testing.assert_array_equal(drawn[row.visible], np.array(PALETTE)[row.truth[row.visible]])
    cover = (drawn != UNLABELLED).any(axis=2).mean()
    assert 0.3 < cover < 0.4  # 10 % are labelled


def test_visible_map_hides_pixels_without_truth() -> None:
    row = with_truth(make_row(), np.full((64, 64), NO_TRUTH, np.uint8))
    assert (visible_map(row, PALETTE) == UNLABELLED).all()


def test_error_map_is_red_where_wrong_white_without_truth_and_else_the_faded_image() -> None:
    image = np.array([[[0, 0, 0], [255, 255, 255]], [[255, 0, 0], [9, 9, 9]]], np.uint8)
    truth = np.array([[0, 1], [2, NO_TRUTH]], np.uint8)
    row = PanelRow(name="", image=image, truth=truth, visible=truth == 0, predictions={})
    low, high = FADED
    right = error_map(row, np.array([[0, 1], [2, 1]], np.uint8))
    red = round(low + 0.299 * (high - low))
    np.testing.assert_array_equal(right, [[[low] * 3, [high] * 3], [[red] * 3, WHITE]])
    wrong = error_map(row, np.array([[1, 1], [0, 0]], np.uint8))
    np.testing.assert_array_equal(wrong, [[WRONG, [high] * 3], [WRONG, WHITE]])
    assert image[0, 0, 0] == 0  # the caller's image is left alone


def test_error_share_counts_pixels_with_a_truth() -> None:
    truth = np.array([[0, 1, 2], [3, NO_TRUTH, NO_TRUTH]], np.uint8)
    prediction = np.array([[0, 1, 1], [3, 0, 0]], np.uint8)
    assert error_share(truth, prediction) == 0.25
    assert math.isnan(error_share(np.full((2, 2), NO_TRUTH, np.uint8), np.zeros((2, 2), np.uint8)))
    empty = with_truth(make_row(), np.full((64, 64), NO_TRUTH, np.uint8))
    captions = [axes.get_title("left") for axes in panel_figure([empty], NAMES, PALETTE).axes]
    assert captions[4] == captions[6] == "no truth"


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


def test_many_classes_leave_colours_for_the_photographs(tmp_path: Path) -> None:
    photograph = make_row().image
    figure = figures.new_figure(2, 2)
    figure.figimage(photograph)
    file = tmp_path / "small.png"
    error_figures._save_small(figure, [(value, 255 - value, 80) for value in range(255)], file)
    with Image.open(file) as picture:
        shown = np.asarray(picture.convert("RGB"))[-64:, :64].astype(int)
    assert np.abs(shown - photograph).mean() < 20


# ------------------------------------------------------------------- files


Draw = Callable[[Path], None]
DRAWS: dict[str, tuple[Draw, Draw]] = {
    "curves": (
        lambda file: draw_curves(make_curves([0.1], 3), file),
        lambda file: draw_curves(make_curves([0.1], 4), file),
    ),
    "miou": (
        lambda file: draw_miou(make_scores([0.1]), 0.117, "background", file),
        lambda file: draw_miou(make_scores([0.1], 0.5), 0.117, "background", file),
    ),
    "confusions": (
        lambda file: draw_confusions(make_matrices(2, 3), NAMES[:3], file),
        lambda file: draw_confusions(make_matrices(2, 4), NAMES[:4], file),
    ),
    "panel": (
        lambda file: draw_panel([make_row()], NAMES, PALETTE, file),
        lambda file: draw_panel([make_row("other")], NAMES, PALETTE, file),
    ),
}


@pytest.mark.parametrize("figure", DRAWS)
def test_equal_data_gives_equal_bytes(figure: str, tmp_path: Path) -> None:
    draw, draw_other = DRAWS[figure]
    files = [tmp_path / "new" / f"{figure}{number}.png" for number in range(3)]
    for file, drawn in zip(files, (draw, draw, draw_other), strict=True):
        drawn(file)
    one, two, other = (file.read_bytes() for file in files)
    assert one == two != other
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [f.name for f in files]
    with Image.open(files[0]) as picture:
        assert picture.format == "PNG"
        assert "Software" not in picture.info
        assert picture.width >= 900


@pytest.mark.parametrize("figure", DRAWS)
def test_nothing_is_left_of_a_figure_that_cannot_be_written(
    figure: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_off(_: object, file: Path, **options: object) -> None:
        Path(file).write_bytes(b"half a picture")
        raise OSError("disk full")

    file = tmp_path / "figure.png"
    file.write_bytes(b"the earlier one")
    owner, method = (Image.Image, "save") if figure == "panel" else (Figure, "savefig")
    monkeypatch.setattr(owner, method, break_off)
    with pytest.raises(OSError, match="disk full"):
        DRAWS[figure][0](file)
    assert [path.name for path in tmp_path.iterdir()] == ["figure.png"]
    assert file.read_bytes() == b"the earlier one"


def test_a_panel_of_384_pixels_is_small_enough_for_a_repository(tmp_path: Path) -> None:
    draw_panel(
        [make_row(f"patch_{n}", 384, 4) for n in range(2)], NAMES, PALETTE, tmp_path / "p.png"
    )
    assert (tmp_path / "p.png").stat().st_size < 600_000


def test_figures_need_neither_pyplot_nor_torch() -> None:
    code = (
        "import sys; import partialseg.error_figures; "
        "sys.exit(any(name in sys.modules for name in ('matplotlib.pyplot', 'torch')))"
    )
    source = Path(figures.__file__).parents[1]
    subprocess.run([sys.executable, "-c", code], cwd=source, check=True)


def test_only_the_figures_import_matplotlib() -> None:
    source = Path(figures.__file__).parents[1]
    users = {file.name for file in source.rglob("*.py") if "import matplotlib" in file.read_text()}
    users |= {file.name for file in source.rglob("*.py") if "from matplotlib" in file.read_text()}
    assert users == {"figures.py", "error_figures.py"}
