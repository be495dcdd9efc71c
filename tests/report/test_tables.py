"""The tables of the report: what stands in them, and what they are sorted by."""

import json
import math
import statistics
from pathlib import Path
from typing import Any

import pytest

from made_up_results import ABSENT, NAMES, make_data, make_results, make_runs, make_store
from partialseg.comparison.publish import best_run
from partialseg.comparison.table import table_rows
from partialseg.evaluation.results import RunResults
from partialseg.report.data import cell_details, check_details
from partialseg.report.quality_tables import (
    boundary_f1_table,
    boundary_iou_table,
    calibration_table,
    iou_table,
    objects_table,
    orthophoto_table,
)
from partialseg.report.score_tables import (
    DIFFERENCE_KEYS,
    comparison_table,
    cost_table,
    differences_table,
    leakage_table,
    read_rows,
    row_keys,
)
from partialseg.report.summary import data_table, spread_note, summary_facts
from partialseg.report.tables import NONE, Entry, Table, number, over_seeds, spread, text


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[RunResults]:
    store = make_store(tmp_path_factory.mktemp("store"), side=24)
    return make_results(make_runs(("main", "official")), store)


def row_of(table: Table, place: int) -> dict[str, str]:
    texts = [entry.text for entry in table.rows[place]]
    return dict(zip(table.headings, texts, strict=True))


def of_seeds(results: list[RunResults], place: int, *keys: Any) -> list[float]:
    """Return a value of the three runs of a cell."""
    found = []
    for item in results[3 * place : 3 * place + 3]:
        value: Any = item.detail
        for key in keys:
            value = value[key]
        found.append(value)
    return found


def shown(values: list[float]) -> str:
    return f"{statistics.fmean(values):.3f} ± {statistics.stdev(values):.3f}"


def test_entries_have_a_text_and_a_value() -> None:
    assert number(-0.0584, "+.3f") == Entry("−0.058", -0.0584, True)
    assert number(12, "d", " px") == Entry("12 px", 12, True)
    assert number(None) == number(math.nan) == Entry(NONE, None, True)
    assert spread(0.5, 0.0125) == Entry("0.500 ± 0.013", 0.5, True)
    assert spread(0.5, None) == Entry("0.500", 0.5, True)
    assert spread(None, None) == Entry(NONE, None, True)
    assert text("UNet 10 %") == Entry("UNet 10\N{NO-BREAK SPACE}%", None, False)


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([0.1, 0.2, 0.3], "0.200 ± 0.100"),
        ([0.1, None, 0.3], "0.200 ± 0.141"),
        ([None, 0.3, math.nan], "0.300"),
        ([0.25], "0.250"),
        ([None, None], NONE),
        ([], NONE),
    ],
)
def test_seeds_without_a_value_are_left_out(values: list[float | None], shown: str) -> None:
    assert over_seeds(values).text == shown


def test_comparison_has_a_row_a_cell_and_the_trivial_answer_below(
    results: list[RunResults],
) -> None:
    rows = table_rows("sample", results)
    table = comparison_table(rows, "background", 0.1234)
    assert len(table.rows) == 16
    assert table.caption == "Scores of the cells (labels drawn as random)"
    assert row_of(table, 3) == {
        "Cell": "UNet++ 10\N{NO-BREAK SPACE}%, tuned, main",
        "Test mIoU": shown(of_seeds(results, 3, "test", "miou")),
        "Test accuracy": shown(of_seeds(results, 3, "test", "accuracy")),
        "Final val mIoU": shown(of_seeds(results, 3, "final_val_miou")),
        "Best val mIoU": shown(of_seeds(results, 3, "best_val_miou")),
        "Final val accuracy": shown(of_seeds(results, 3, "final_val_accuracy")),
    }
    (below,) = table.footer
    assert [entry.text for entry in below if entry.text] == ["all background", "0.123"]
    assert below[table.headings.index("Test mIoU")].value == 0.1234


def test_what_all_cells_have_in_common_is_said_once(results: list[RunResults]) -> None:
    alike = [
        item for item in results if (item.run.cell.split, item.run.cell.recipe) == ("main", "tuned")
    ]
    table = comparison_table(table_rows("sample", alike), "background", 0.1)
    assert table.caption == (
        "Scores of the cells (split main, labels drawn as random, recipe tuned)"
    )
    names = ["UNet 10 %", "UNet++ 10 %", "UNet 15 %", "UNet++ 15 %"]
    assert [row[0] for row in table.rows] == [text(name) for name in names]


def test_of_several_labellings_the_table_says_what_they_label(tmp_path: Path) -> None:
    runs = make_runs(seeds=(42,), labellings=("random", "points"))
    rows = table_rows("sample", make_results(runs, make_store(tmp_path, side=24)))
    table = comparison_table(rows, "background", 0.1)
    assert table.caption == "Scores of the cells (split main)"
    assert table.headings[-2:] == ["Labelled (%)", "Annotation (h, estimate)"]
    shown = [[entry.text for entry in (row[0], *row[-2:])] for row in table.rows]
    nbsp = "\N{NO-BREAK SPACE}"
    assert shown[0] == [f"UNet 10{nbsp}%, random, reproduction", "10", NONE]
    assert shown[4] == [f"UNet 10{nbsp}%, points, reproduction", "10", "1.50"]


def difference(**changes: Any) -> dict[str, Any]:
    return {
        "axis": "recipe",
        "compared": "tuned against reproduction",
        "where": "UNet, 10 %",
        "difference": -0.0312,
        "low": -0.051,
        "high": 0.0114,
        "jackknife_low": -0.061,
        "jackknife_high": 0.0214,
        "verdict": "not significant",
    } | changes


def test_differences_have_their_intervals_or_none() -> None:
    nothing = {"low": None, "high": None, "jackknife_low": None, "jackknife_high": None}
    table = differences_table([difference(), difference(**nothing)])
    first, second = row_of(table, 0), row_of(table, 1)
    assert table.headings[:3] == ["Compared", "Difference", "Verdict"]
    assert first["Compared"] == "tuned against reproduction: UNet, 10\N{NO-BREAK SPACE}%"
    assert (first["Difference"], first["Verdict"]) == ("−0.031", "not significant")
    assert first["Bootstrap"] == "−0.051 to +0.011"
    assert first["Jackknife"] == "−0.061 to +0.021"
    assert (second["Bootstrap"], second["Jackknife"]) == (NONE, NONE)
    assert [row[3].value for row in table.rows] == [-0.051, None]


def test_leakage_stands_side_by_side(results: list[RunResults]) -> None:
    table = leakage_table(cell_details(results))
    assert table is not None
    assert len(table.rows) == 8
    row = row_of(table, 2)
    main, official = (of_seeds(results, place, "test", "miou") for place in (2, 10))
    assert row["Cell"] == "UNet++ 10\N{NO-BREAK SPACE}%, reproduction"
    assert table.caption == "Test mIoU by split (labels drawn as random)"
    assert (row["main"], row["official"]) == (shown(main), shown(official))
    expected = statistics.fmean(official) - statistics.fmean(main)
    assert table.rows[2][-1].value == pytest.approx(expected)


def test_without_a_second_split_there_is_no_leakage(results: list[RunResults]) -> None:
    cells = make_data(results, {}).first_split
    assert len(cells) == 8
    assert leakage_table(cells) is None


def test_cost_has_times_and_sizes(results: list[RunResults]) -> None:
    row = row_of(cost_table(cell_details(results)), 0)
    seconds = of_seeds(results, 0, "train_seconds")
    expected = f"{statistics.fmean(seconds):.1f} ± {statistics.stdev(seconds):.1f}"
    assert row["Training time (s)"] == expected
    assert (row["Parameters (M)"], row["GFLOP a patch"]) == ("0.49", "1.86")
    assert (row["Parts of a step"], row["Compute"]) == ("1 ± 0", "CPU, float32")


def test_an_absent_class_has_no_iou(results: list[RunResults]) -> None:
    table = iou_table(cell_details(results), NAMES)
    assert table.headings == ["Cell", *NAMES, "Mean", "Weighted by pixels"]
    row = row_of(table, 1)
    assert row[ABSENT] == NONE
    assert row["road"] == shown(of_seeds(results, 1, "test", "iou", "road"))
    assert row["Mean"] == shown(of_seeds(results, 1, "test", "miou"))


def test_boundary_scores_leave_out_what_has_no_boundary(results: list[RunResults]) -> None:
    cells = cell_details(results)
    table = boundary_iou_table(cells, NAMES)
    assert "11 px" in table.caption
    row = row_of(table, 0)
    assert row["road"] == row[ABSENT] == NONE
    keys = ("test", "boundary", "iou", "classes", "building")
    assert row["building"] == shown(of_seeds(results, 0, *keys))
    f1 = row_of(boundary_f1_table(cells), 0)
    assert f1["0.5 m"] == NONE
    assert f1["2 m"] == shown(of_seeds(results, 0, "test", "boundary", "f1", 2, "mean"))


def test_objects_are_by_area_or_not_at_all(results: list[RunResults]) -> None:
    table = objects_table(cell_details(results))
    assert table is not None
    assert table.headings == [
        *("Cell", "0–50 m² (n = 40)", "50–200 m² (n = 64)", "≥ 200 m² (n = 0)")
    ]
    assert "at least 50 % of it" in table.caption
    row = row_of(table, 0)
    recall = of_seeds(results, 0, "test", "objects", "areas", 1, "recall")
    assert row["50–200 m² (n = 64)"] == shown(recall)
    assert row["≥ 200 m² (n = 0)"] == NONE
    detail = {"test": {"objects": None}}
    assert objects_table({results[0].run.cell: [detail]}) is None


def test_calibration_and_orthophotos(results: list[RunResults]) -> None:
    at_15 = {
        cell: details
        for cell, details in cell_details(results).items()
        if (cell.split, cell.fraction) == ("main", "0.15")
    }
    assert len(at_15) == 4
    row = row_of(calibration_table(at_15), 0)
    expected = shown(of_seeds(results, 4, "test", "calibration", "ece"))
    assert row["Expected calibration error"] == expected
    table = orthophoto_table(at_15)
    name = table.rows[1][0].text
    row = row_of(table, 1)
    assert row["Patches"] == "4"
    keys = ("test", "orthophotos", name, "miou")
    assert row["UNet++ 15 %, tuned"] == shown(of_seeds(results, 7, *keys))


def test_data_has_counts_and_shares(tmp_path: Path) -> None:
    store = make_store(tmp_path, side=24)
    table = data_table({"main": store})
    assert table.caption.startswith("Patches and orthophotos of split main, and ")
    row = row_of(table, 2)
    assert (row["Part"], row["Patches"], row["Orthophotos"]) == ("test", "16", "4")
    of_class = [sum(patch.counts[place] for patch in store.of_split("test")) for place in range(5)]
    expected = 100 * of_class[2] / sum(of_class)
    assert table.rows[2][table.headings.index("woodland")].value == pytest.approx(expected)
    assert row[ABSENT] == "0.0"
    of_two = data_table({"main": store, "official": store})
    assert of_two.caption.startswith("Patches and orthophotos, and ")
    assert [row_of(of_two, place)["Part"] for place in (2, 3)] == ["main, test", "official, train"]


def test_the_best_run_is_by_validation_and_of_the_first_split(results: list[RunResults]) -> None:
    best = best_run(results)
    assert best.run.cell.split == "main"
    scores = [item.detail["val"]["miou"] for item in results[:24]]
    assert best is results[scores.index(max(scores))]
    first = [item for item in results if item.run.cell.split == "official"]
    assert best_run([*first, *results[:24]]).run.cell.split == "official"


def test_the_page_has_one_headline_of_the_first_split_and_labelling(tmp_path: Path) -> None:
    store = make_store(tmp_path, side=24)
    runs = make_runs(("official", "main"), (42,), ("points", "random"))
    data = make_data(make_results(runs, store), {"official": store, "main": store})
    assert len(data.cells) == len(data.names) == 32
    assert {cell.split for cell in data.first_split} == {"official"}
    assert len(data.first_split) == 16
    assert {(cell.split, cell.labelling, cell.fraction) for cell in data.headline} == {
        ("official", "points", "0.1")
    }
    assert [*data.headline_names.values()] == [
        *("UNet 10 %, reproduction", "UNet 10 %, tuned"),
        *("UNet++ 10 %, reproduction", "UNet++ 10 %, tuned"),
    ]
    assert (data.headline_percent, data.class_names, data.seeds) == ("10 %", NAMES, 1)


def test_the_summary_counts(results: list[RunResults]) -> None:
    noise = [
        difference(),
        difference(verdict="significantly higher"),
        difference(low=None, high=None),
    ]
    facts = dict(summary_facts(make_data(results, {}, noise)))
    assert facts["Trainings"] == "48 (16 cells × 3 seeds)"
    assert facts["Label budgets"] == "10 %, 15 %"
    assert facts["Architectures"] == "UNet, UNet++"
    assert facts["Seeds"] == "42, 1, 2"
    assert facts["Differences"] == "1 of 2 are significant at 95 %; about 0.1 would be by chance"
    assert "Differences" not in dict(summary_facts(make_data(results, {})))
    assert spread_note(3).endswith("over the 3 seeds.")
    assert spread_note(1).startswith("One seed:")


def test_of_one_seed_the_summary_counts_no_chance(results: list[RunResults]) -> None:
    first = [item for item in results if item.run.seed == 42]
    noise = [difference(), difference(verdict="significantly higher, with this seed")]
    assert dict(summary_facts(make_data(first, {}, noise)))["Differences"] == (
        "1 of 2 are significant at 95 %, for these trained networks only: another seed may well "
        "reverse it"
    )


def test_details_of_an_earlier_version_are_told(results: list[RunResults]) -> None:
    check_details(results)
    test = {key: value for key, value in results[0].detail["test"].items() if key != "boundary"}
    old = RunResults(run=results[0].run, detail=results[0].detail | {"test": test}, predictions={})
    with pytest.raises(ValueError, match=r"main/random/unet-0\.1-reproduction-42: lack boundary"):
        check_details([*results, old])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file"),
        ("{", "Expecting property name"),
        ('{"rows": []}', "no list of rows"),
        ("[1]", "not iterable"),
        (json.dumps([difference(), {"axis": "split"}]), "row 1 lacks compared, difference, high"),
    ],
)
def test_a_damaged_table_is_refused(tmp_path: Path, content: str | None, message: str) -> None:
    file = tmp_path / "differences.json"
    if content is not None:
        file.write_text(content)
    pattern = rf"differences\.json: missing or damaged table: .*{message}"
    with pytest.raises(ValueError, match=pattern):
        read_rows(file, DIFFERENCE_KEYS)


def test_the_tables_of_compare_have_the_keys(results: list[RunResults], tmp_path: Path) -> None:
    file = tmp_path / "table.json"
    file.write_text(json.dumps(table_rows("sample", results)))
    assert len(read_rows(file, row_keys("test"))) == 16
