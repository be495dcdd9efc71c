"""How the table of docs/label-budget.md is put together."""

from pathlib import Path
from typing import Any

import pytest

import label_budget
from partialseg.comparison.significance import Difference
from partialseg.evaluation.runs import Cell, Run
from score_cells import equal_unions, make_cell, make_results


def row(labelling: str, recipe: str, **values: Any) -> dict[str, Any]:
    place = {"split": "main", "label_fraction": 0.1, "labelling": labelling}
    return place | {"architecture": "unet", "recipe": recipe, "seeds": [42, 1, 2]} | values


def test_a_recorded_difference_is_that_from_the_reference() -> None:
    values = {"bootstrap": [0.1, 0.3], "jackknife": [0.05, 0.35], "orthophotos": [8]}
    rows = [row("points", "tuned"), row("points", "lovasz", difference=0.2, **values)]

    def cell(recipe: str) -> Cell:
        return Cell(
            split="main",
            fraction="0.1",
            labelling="points",
            architecture="unet",
            recipe=recipe,
        )

    expected = Difference(
        axis="recipe",
        first=(cell("tuned"),),
        second=(cell("lovasz"),),
        difference=0.2,
        bootstrap=(0.1, 0.3),
        jackknife=(0.05, 0.35),
        orthophotos=(8,),
        seeds=3,
    )
    assert label_budget.recorded_differences(rows) == [expected]


def test_settings_of_other_labellings_and_budgets_are_compared_with_the_reference_recipe() -> None:
    # mIoU of 10 pixels a class, of which n are right: n / (20 - n), if the errors are equal.
    right = {("random", "1.0"): 10, ("points", "0.1"): 5, ("scribbles", "0.0075"): 8}
    runs = {}
    for (labelling, fraction), hits in right.items():
        for recipe in ("tuned", "lovasz"):
            cell = make_cell(labelling=labelling, fraction=fraction, recipe=recipe)
            counts = [[hits, 10 - hits], [10 - hits, hits]]
            run = Run(cell=cell, seed=1)
            runs[cell] = [make_results(run, {"o1": counts, "o2": counts})]
    found = label_budget.compare_settings(runs)
    assert [(*item.values, item.difference) for item in found] == [
        ("random, 100 %", "points, 10 %", pytest.approx(5 / 15 - 1)),
        ("random, 100 %", "scribbles, 0.75 %", pytest.approx(8 / 12 - 1)),
        ("points, 10 %", "scribbles, 0.75 %", pytest.approx(8 / 12 - 5 / 15)),
    ]


def test_what_a_cell_scores_above_its_aim() -> None:
    # With equal unions a mIoU is 0.25 + 0.75 of the share of hits: a gap from 0.7 to 0.85.
    hits = {("random", "1.0", "tuned"): 800, ("patches", "0.1", "tuned"): 600}
    hits |= {("patches", "0.1", "lovasz"): 780, ("patches", "0.1", "dice"): 690}
    runs = {}
    for (labelling, fraction, recipe), right in hits.items():
        cell = make_cell(labelling=labelling, fraction=fraction, recipe=recipe)
        counts = equal_unions([[right, right], [right, right]])
        runs[cell] = [
            make_results(Run(cell=cell, seed=seed), {"o1": one.tolist(), "o2": other.tolist()})
            for seed, (one, other) in enumerate(counts)
        ]
        for item in runs[cell]:
            item.detail.update(dict.fromkeys(label_budget.LABELS), val={"miou": 0.5})
            item.detail.update(labelled_pixels=0.1)
            item.detail["test"]["miou"] = 0.25 + 0.75 * right / 1000
    rows = {(row["labelling"], row["recipe"]): row for row in label_budget.compare_methods(runs)}
    assert "above_aim" not in rows["random", "tuned"]
    for key, above in {
        ("patches", "tuned"): 0.7 - 0.98 * 0.85,
        ("patches", "lovasz"): 0.835 - 0.775,
        ("patches", "dice"): 0.7675 - 0.775,
    }.items():
        # Orthophotos and seeds are all alike, so the intervals have no length.
        assert rows[key]["above_aim"] == pytest.approx([above] * 3), key
    assert rows["patches", "lovasz"]["gap_closed"] == pytest.approx(0.9)
    assert "| +0.0600 (+0.0600 to +0.0600) | 90%" in label_budget.markdown([*rows.values()])


def test_without_full_labels_nothing_is_compared(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"unet-1.0-tuned-1.json: .* seeds \[1, 2\]: full labels"):
        label_budget.read_runs(tmp_path, "sample", "main", ["points:0.1"], ["dice"], [1, 2])
