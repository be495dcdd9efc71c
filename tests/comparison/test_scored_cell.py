import math

import numpy as np
import pytest
import torch

from partialseg.comparison.cells import mean_and_std, miou, scored_cells
from partialseg.confusion import ConfusionMatrix
from partialseg.evaluation.runs import Run
from score_cells import equal_unions, make_cell, make_results, make_scored, random_counts

GOOD, BAD = [[3, 1], [0, 4]], [[1, 3], [2, 2]]


def test_miou_is_that_of_the_hand_computed_table() -> None:
    assert miou(np.array(GOOD)) == pytest.approx((3 / 4 + 4 / 5) / 2)
    assert miou(np.array(BAD)) == pytest.approx((1 / 6 + 2 / 7) / 2)


def test_absent_classes_are_left_out_and_without_a_pixel_it_is_nan() -> None:
    absent = np.array([[3, 1, 0], [0, 4, 0], [0, 0, 0]])
    only_predicted = np.array([[3, 0, 1], [0, 4, 0], [0, 0, 0]])
    assert miou(absent) == pytest.approx((3 / 4 + 4 / 5) / 2)
    assert miou(only_predicted) == pytest.approx((3 / 4 + 1 + 0) / 3)
    assert math.isnan(miou(np.zeros((3, 3), np.int64)))


def test_miou_of_many_agrees_with_that_of_the_evaluation() -> None:
    counts = random_counts(1, seeds=2, number=5, classes=4)
    counts[0, 1, 2], counts[0, 1, :, 2] = 0, 0
    scores = miou(counts)
    assert scores.shape == (2, 5)
    for place in np.ndindex(2, 5):
        matrix = ConfusionMatrix(4)
        matrix.counts = torch.from_numpy(counts[place])
        assert scores[place] == pytest.approx(matrix.miou(), rel=1e-12)


def test_a_cell_has_mean_and_deviation_of_its_seeds() -> None:
    scored = make_scored(equal_unions([[200, 600], [400, 800], [300, 700]]))
    assert scored.seed_mious().tolist() == pytest.approx([0.55, 0.7, 0.625])
    assert scored.miou() == pytest.approx(0.625)
    assert mean_and_std(scored.seed_mious().tolist()) == pytest.approx((0.625, 0.075))
    assert make_scored(equal_unions([[200, 600]])).seed_mious().tolist() == pytest.approx([0.55])


def test_runs_are_grouped_by_cell_in_order_and_orthophotos_by_name() -> None:
    late, early = make_cell(architecture="unetplusplus"), make_cell()
    runs = [
        make_results(Run(cell=late, seed=7), {"b": GOOD, "a": BAD}),
        make_results(Run(cell=early, seed=7), {"a": GOOD, "b": GOOD}),
        make_results(Run(cell=late, seed=3), {"a": GOOD, "b": BAD}),
        make_results(Run(cell=early, seed=3), {"a": BAD, "b": BAD}),
    ]
    first, second = scored_cells(runs)
    assert (first.cell, second.cell) == (late, early)
    assert first.seeds == second.seeds == (7, 3)
    assert first.orthophotos == second.orthophotos == ("b", "a")
    assert first.counts.dtype == np.int64
    assert first.counts.tolist() == [[GOOD, BAD], [BAD, GOOD]]
    assert second.counts.tolist() == [[GOOD, GOOD], [BAD, BAD]]


def test_orthophotos_without_known_pixels_are_left_out() -> None:
    run = make_results(Run(cell=make_cell(), seed=1), {"a": GOOD, "empty": [[0, 0], [0, 0]]})
    (scored,) = scored_cells([run])
    assert scored.orthophotos == ("a",)
    assert scored.counts.shape == (1, 1, 2, 2)


def test_a_test_split_without_known_pixels_is_refused() -> None:
    run = make_results(Run(cell=make_cell(), seed=1), {"empty": [[0, 0], [0, 0]]})
    with pytest.raises(ValueError, match="split main: no test orthophoto has a pixel of known"):
        scored_cells([run])


@pytest.mark.parametrize("change", [{}, {"recipe": "reproduction"}])
def test_other_orthophotos_under_one_split_are_refused(change: dict[str, str]) -> None:
    runs = [
        make_results(Run(cell=make_cell(), seed=1), {"a": GOOD, "b": BAD}),
        make_results(Run(cell=make_cell(**change), seed=2), {"b": BAD, "c": GOOD}),
    ]
    run = rf"run main/random/unet-0\.1-{runs[1].run.cell.recipe}-2"
    with pytest.raises(ValueError, match=rf"{run}: .* are b, c, those .* split a, b$"):
        scored_cells(runs)


def test_other_splits_may_have_other_orthophotos() -> None:
    runs = [
        make_results(Run(cell=make_cell(split="main"), seed=1), {"a": GOOD}),
        make_results(Run(cell=make_cell(split="other"), seed=1), {"b": BAD, "c": GOOD}),
    ]
    assert [scored.orthophotos for scored in scored_cells(runs)] == [("a",), ("b", "c")]


def test_cells_have_the_same_seeds() -> None:
    runs = [
        make_results(Run(cell=make_cell(), seed=1), {"a": GOOD}),
        make_results(Run(cell=make_cell(recipe="other"), seed=2), {"a": GOOD}),
    ]
    with pytest.raises(AssertionError, match="different seeds"):
        scored_cells(runs)
    assert scored_cells([]) == []
