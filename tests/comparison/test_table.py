import csv
import json
from pathlib import Path
from typing import Any

import pytest

from partialseg.comparison.table import markdown, table_rows, write_table
from partialseg.evaluation.results import RunResults
from partialseg.evaluation.runs import Cell, Run

MAJORITY = ("background", 0.1165)


def run_of(
    architecture: str,
    fraction: float,
    recipe: str = "reproduction",
    split: str = "main",
    seed: int = 42,
    labelling: str = "random",
    **changes: Any,
) -> RunResults:
    cell = Cell(
        split=split,
        fraction=str(fraction),
        labelling=labelling,
        architecture=architecture,
        recipe=recipe,
    )
    detail: dict[str, Any] = {
        "labelled_pixels": fraction,
        "clicks": None,
        "annotation_seconds": None,
        "parameters": 31_037_893,
        "train_seconds": 62.4,
        "final_val_miou": 0.5,
        "final_val_accuracy": 0.8125,
        "final_val_batch_miou": 0.48,
        "best_val_miou": 0.61284,
        "best_val_batch_miou": 0.49,
        "val": {"miou": 0.6, "accuracy": 0.9},
        "test": {"miou": 0.58996, "accuracy": 0.875},
    }
    return RunResults(run=Run(cell=cell, seed=seed), detail=detail | changes, predictions={})


RUNS = [
    run_of("unet", 0.05),
    run_of("unet", 0.05, "tuned"),
    run_of("unetplusplus", 0.1, final_val_miou=0.0, train_seconds=3599.6, parameters=9_160_000),
    run_of("unetplusplus", 0.1, "tuned"),
]
# Three seeds of one cell: means by hand, deviations of 0.125, 0.25 and 30.
SEEDS = [
    run_of(
        "unetplusplus",
        0.1,
        seed=seed,
        final_val_miou=0.5 + step / 8,
        labelled_pixels=0.125 + step / 16,
        best_val_batch_miou=0.5 + step / 4,
        train_seconds=90.0 + 30 * step,
        test={"miou": 0.625 + step / 8, "accuracy": 0.75},
    )
    for seed, step in ((42, 0), (7, -1), (1, 1))
]
# The table is as wide as its widest cells.
TABLE = """\
| Label fraction   | Architecture   | Recipe       | Final val mIoU   | Best val mIoU   | \
Final val accuracy   | Test mIoU   | Training time   | Parameters   |
|------------------|----------------|--------------|------------------|-----------------|\
----------------------|-------------|-----------------|--------------|
| 5 %              | UNet           | reproduction | 0.5000           | 0.6128          | \
0.8125               | 0.5900      | 1 min 02 s      | 31.04 M      |
| 5 %              | UNet           | tuned        | 0.5000           | 0.6128          | \
0.8125               | 0.5900      | 1 min 02 s      | 31.04 M      |
| 10 %             | UNet++         | reproduction | 0.0000           | 0.6128          | \
0.8125               | 0.5900      | 60 min 00 s     | 9.16 M       |
| 10 %             | UNet++         | tuned        | 0.5000           | 0.6128          | \
0.8125               | 0.5900      | 1 min 02 s      | 31.04 M      |
|                  | all background |              |                  |                 | \
                     | 0.1165      |                 |              |
"""
BESIDE_REPORT = """\
mIoU as the published report takes it, a mean over batches of the per-batch mIoU (ours, recipe \
reproduction / report):

| Label fraction   | Architecture   | Final mIoU      | Best mIoU       | Final accuracy   | \
Training time             |
|------------------|----------------|-----------------|-----------------|------------------|\
---------------------------|
| 5 %              | UNet           | 0.4800 / -      | 0.4900 / -      | 0.8125 / -       | \
1 min 02 s / -            |
| 10 %             | UNet++         | 0.4800 / 0.5054 | 0.4900 / 0.5054 | 0.8125 / 0.8680  | \
60 min 00 s / 35 min 00 s |
"""
TABLE_OF_SEEDS = """\
| Label fraction   | Architecture   | Recipe       | Final val mIoU   | Best val mIoU   | \
Final val accuracy   | Test mIoU       | Training time   | Parameters   |
|------------------|----------------|--------------|------------------|-----------------|\
----------------------|-----------------|-----------------|--------------|
| 10 %             | UNet++         | reproduction | 0.5000 ± 0.1250  | 0.6128 ± 0.0000 | \
0.8125 ± 0.0000      | 0.6250 ± 0.1250 | 1 min 30 s      | 31.04 M      |
|                  | all background |              |                  |                 | \
                     | 0.1165          |                 |              |

Mean ± standard deviation over the seeds 42, 7, 1.
"""
BESIDE_REPORT_OF_SEEDS = """\
mIoU as the published report takes it, a mean over batches of the per-batch mIoU (ours, recipe \
reproduction / report):

| Label fraction   | Architecture   | Final mIoU               | Best mIoU                | \
Final accuracy           | Training time            |
|------------------|----------------|--------------------------|--------------------------|\
--------------------------|--------------------------|
| 10 %             | UNet++         | 0.4800 ± 0.0000 / 0.5054 | 0.5000 ± 0.2500 / 0.5054 | \
0.8125 ± 0.0000 / 0.8680 | 1 min 30 s / 35 min 00 s |
"""
TABLE_OF_SPLITS = """\
| Split    | Label fraction   | Architecture   | Recipe       | Final val mIoU   | \
Best val mIoU   | Final val accuracy   | Test mIoU   | Training time   | Parameters   |
|----------|------------------|----------------|--------------|------------------|\
-----------------|----------------------|-------------|-----------------|--------------|
| main     | 10 %             | UNet           | reproduction | 0.5000           | \
0.6128          | 0.8125               | 0.5900      | 1 min 02 s      | 31.04 M      |
| official | 10 %             | UNet           | reproduction | 0.5000           | \
0.6128          | 0.8125               | 0.7500      | 1 min 02 s      | 31.04 M      |
| main     |                  | all background |              |                  | \
                |                      | 0.1165      |                 |              |
"""


def test_the_markdown_is_the_table_with_the_trivial_answer_below() -> None:
    assert markdown(table_rows("sample", RUNS), MAJORITY) == TABLE


def test_the_markdown_has_deviations_and_names_the_seeds_where_there_are_several() -> None:
    rows = table_rows("landcover_ai", SEEDS)
    assert markdown(rows, MAJORITY) == f"{TABLE_OF_SEEDS}\n{BESIDE_REPORT_OF_SEEDS}"
    assert markdown(table_rows("sample", SEEDS), MAJORITY) == TABLE_OF_SEEDS


def test_the_markdown_names_the_split_where_there_are_several() -> None:
    runs = [
        run_of("unet", 0.1),
        run_of("unet", 0.1, split="official", test={"miou": 0.75, "accuracy": 1.0}),
    ]
    assert markdown(table_rows("sample", runs), MAJORITY) == TABLE_OF_SPLITS
    for run in runs:
        assert "Split" not in markdown(table_rows("sample", [run]), MAJORITY)


def test_the_markdown_names_the_labels_and_their_cost_where_there_are_several_labellings() -> None:
    drawn = {"clicks": 480, "annotation_seconds": 900.0, "labelled_pixels": 0.000123}
    runs = [run_of("unet", 0.1), run_of("unet", 0.1, labelling="points", **drawn)]
    lines = markdown(table_rows("sample", runs), MAJORITY).splitlines()
    head, _, random, points, trivial = (
        [cell.strip() for cell in line.split("|")[1:5]] for line in lines
    )
    assert head == ["Label fraction", "Labels", "Labelled", "Annotation (estimate)"]
    assert random == ["10 %", "random", "10 %", "-"]
    assert points == ["10 %", "points", "0.0123 %", "0.25 h"]
    assert trivial == [""] * 4
    for run in runs:
        assert "Labels" not in markdown(table_rows("sample", [run]), MAJORITY)


def test_the_cost_of_labels_is_the_mean_of_the_known_ones() -> None:
    known = [
        run_of("unet", 0.1, seed=seed, clicks=clicks, annotation_seconds=clicks and clicks * 2.5)
        for seed, clicks in ((1, 10), (2, 13), (3, None))
    ]
    (row,) = table_rows("sample", known)
    assert (row["clicks"], row["annotation_seconds"]) == (11.5, 28.75)
    (row,) = table_rows("sample", known[2:])
    assert (row["clicks"], row["annotation_seconds"]) == (None, None)


def test_beside_landcover_ai_stand_the_figures_of_the_report() -> None:
    text = markdown(table_rows("landcover_ai", RUNS), MAJORITY)
    assert text == f"{TABLE}\n{BESIDE_REPORT}"


@pytest.mark.parametrize(
    ("architecture", "fraction", "figures"),
    [
        ("unet", 0.1, (0.4775, 0.4887, 0.8640, 18 * 60)),
        ("unet", 0.15, (0.4764, 0.4902, 0.8605, 18 * 60)),
        ("unetplusplus", 0.1, (0.5054, 0.5054, 0.8680, 35 * 60)),
        ("unetplusplus", 0.15, (0.4630, 0.4705, 0.8398, 35 * 60)),
        ("unet", 0.05, (None, None, None, None)),
        ("unetplusplus", 1.0, (None, None, None, None)),
    ],
)
def test_the_rows_have_the_figures_of_the_same_run(
    architecture: str, fraction: float, figures: tuple[float | None, ...]
) -> None:
    (row,) = table_rows("landcover_ai", [run_of(architecture, fraction)])
    names = ("final_batch_miou", "best_batch_miou", "final_accuracy", "train_seconds")
    assert tuple(row[f"report_{name}"] for name in names) == figures


def test_the_figures_of_the_report_are_not_those_of_another_recipe() -> None:
    rows = table_rows("landcover_ai", [run_of("unet", 0.1, "tuned")])
    assert [value for key, value in rows[0].items() if key.startswith("report")] == [None] * 4
    text = markdown(rows, MAJORITY)
    assert "report" not in text and text.count("UNet") == 1


def test_the_figures_of_the_report_are_not_those_of_another_split() -> None:
    rows = table_rows("landcover_ai", [run_of("unet", 0.1), run_of("unet", 0.1, split="other")])
    assert [row["report_best_batch_miou"] for row in rows] == [0.4887, None]
    assert [value for key, value in rows[1].items() if key.startswith("report")] == [None] * 4
    _, beside = markdown(rows, MAJORITY).split("report):")
    assert beside.count("UNet") == 1 and "Split" not in beside
    assert "report" not in markdown(rows[1:], MAJORITY)


@pytest.mark.parametrize("dataset", ["sample", "folder"])
def test_other_data_sets_have_no_figures_of_the_report(dataset: str) -> None:
    rows = table_rows(dataset, RUNS)
    assert not any(key.startswith("report") for row in rows for key in row)


def test_json_and_csv_hold_all_digits(tmp_path: Path) -> None:
    write_table(table_rows("sample", RUNS), MAJORITY, tmp_path)
    expected = {
        "split": "main",
        "label_fraction": 0.05,
        "labelling": "random",
        "architecture": "unet",
        "recipe": "reproduction",
        "seeds": [42],
        "final_val_miou": 0.5,
        "final_val_miou_std": None,
        "best_val_miou": 0.61284,
        "best_val_miou_std": None,
        "final_val_accuracy": 0.8125,
        "final_val_accuracy_std": None,
        "test_miou": 0.58996,
        "test_miou_std": None,
        "test_accuracy": 0.875,
        "test_accuracy_std": None,
        "train_seconds": 62.4,
        "train_seconds_std": None,
        "final_val_batch_miou": 0.48,
        "final_val_batch_miou_std": None,
        "best_val_batch_miou": 0.49,
        "best_val_batch_miou_std": None,
        "labelled_pixels": 0.05,
        "clicks": None,
        "annotation_seconds": None,
        "parameters": 31_037_893,
    }
    rows = json.loads((tmp_path / "table.json").read_text())
    assert [row["recipe"] for row in rows] == ["reproduction", "tuned"] * 2
    assert rows[0] == expected
    assert rows[2] == expected | {
        "label_fraction": 0.1,
        "labelled_pixels": 0.1,
        "architecture": "unetplusplus",
        "final_val_miou": 0.0,
        "train_seconds": 3599.6,
        "parameters": 9_160_000,
    }
    with (tmp_path / "table.csv").open(newline="") as stream:
        lines = list(csv.reader(stream))
    assert lines[0] == list(expected)
    assert lines[1:] == [
        ["" if value is None else str(value) for value in row.values()] for row in rows
    ]


def test_a_row_has_means_and_sample_deviations_over_the_seeds_of_its_cell(tmp_path: Path) -> None:
    write_table(table_rows("sample", [*SEEDS, run_of("unet", 0.1)]), MAJORITY, tmp_path)
    rows = json.loads((tmp_path / "table.json").read_text())
    assert len(rows) == 2
    assert rows[0] == {
        "split": "main",
        "label_fraction": 0.1,
        "labelling": "random",
        "architecture": "unetplusplus",
        "recipe": "reproduction",
        "seeds": [42, 7, 1],
        "final_val_miou": 0.5,
        "final_val_miou_std": 0.125,
        "best_val_miou": 0.61284,
        "best_val_miou_std": 0.0,
        "final_val_accuracy": 0.8125,
        "final_val_accuracy_std": 0.0,
        "test_miou": 0.625,
        "test_miou_std": 0.125,
        "test_accuracy": 0.75,
        "test_accuracy_std": 0.0,
        "train_seconds": 90.0,
        "train_seconds_std": 30.0,
        "final_val_batch_miou": 0.48,
        "final_val_batch_miou_std": 0.0,
        "best_val_batch_miou": 0.5,
        "best_val_batch_miou_std": 0.25,
        "labelled_pixels": 0.125,
        "clicks": None,
        "annotation_seconds": None,
        "parameters": 31_037_893,
    }
    assert (rows[1]["seeds"], rows[1]["test_miou_std"]) == ([42], None)
    with (tmp_path / "table.csv").open(newline="") as stream:
        lines = list(csv.DictReader(stream))
    assert (lines[0]["seeds"], lines[0]["test_miou_std"]) == ("[42, 7, 1]", "0.125")
    assert (lines[1]["seeds"], lines[1]["test_miou_std"]) == ("[42]", "")


def test_the_deviation_is_over_n_minus_1() -> None:
    two = [run_of("unet", 0.1, seed=seed, final_val_miou=miou) for seed, miou in ((1, 0), (2, 1))]
    (row,) = table_rows("sample", two)
    assert row["final_val_miou"] == 0.5
    assert row["final_val_miou_std"] == pytest.approx(0.5**0.5)


def test_runs_of_a_cell_need_not_stand_together() -> None:
    other = run_of("unet", 0.1)
    rows = table_rows("sample", [SEEDS[0], other, *SEEDS[1:]])
    assert [(row["architecture"], row["seeds"]) for row in rows] == [
        ("unetplusplus", [42, 7, 1]),
        ("unet", [42]),
    ]


def test_an_unreported_figure_is_empty_in_csv_and_null_in_json(tmp_path: Path) -> None:
    write_table(table_rows("landcover_ai", RUNS), MAJORITY, tmp_path)
    with (tmp_path / "table.csv").open(newline="") as stream:
        figures = [row["report_best_batch_miou"] for row in csv.DictReader(stream)]
    assert figures == ["", "", "0.5054", ""]
    rows = json.loads((tmp_path / "table.json").read_text())
    assert [row["report_train_seconds"] for row in rows] == [None, None, 2100, None]


def test_the_three_files_are_written(tmp_path: Path) -> None:
    write_table(table_rows("sample", RUNS), MAJORITY, tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["table.csv", "table.json", "table.md"]
    assert (tmp_path / "table.md").read_text() == TABLE
