import csv
import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from partialseg.comparison.difference_table import (
    difference_rows,
    markdown,
    verdict,
    write_differences,
)
from partialseg.comparison.significance import Difference, differences
from score_cells import equal_unions, make_cell, make_scored

HITS = np.array([[300, 500, 400], [320, 500, 380]])


def make_difference(first: float, low: float | None, high: float | None) -> Difference:
    return Difference(
        axis="recipe",
        first=(make_cell(recipe="reproduction"),),
        second=(make_cell(recipe="tuned"),),
        difference=first,
        bootstrap=None if low is None or high is None else (low, high),
        jackknife=None if low is None or high is None else (low - 0.001, high + 0.001),
        orthophotos=(8,),
        seeds=3,
    )


def grid(gain: int = 60) -> list[Difference]:
    """Return the differences of two fractions and two architectures, the second ones better."""
    cells = [
        make_scored(equal_unions(HITS + gain * place), fraction=fraction, architecture=architecture)
        for place, (fraction, architecture) in enumerate(
            (fraction, architecture)
            for fraction in ("0.1", "0.15")
            for architecture in ("unet", "unetplusplus")
        )
    ]
    return differences(cells)


def cells_of(text: str) -> list[list[str]]:
    rows = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def test_the_table_names_what_is_compared_and_where() -> None:
    text = markdown(grid())
    header, _, *rows = cells_of(text)
    assert header == [
        "Compared",
        "Where",
        "Difference of test mIoU",
        "95 % interval, bootstrap",
        "jackknife",
        "Verdict",
    ]
    assert [row[:3] for row in rows] == [
        ["15 % against 10 %", "mean of 2 pairs", "+0.0900"],
        ["15 % against 10 %", "UNet", "+0.0900"],
        ["15 % against 10 %", "UNet++", "+0.0900"],
        ["UNet++ against UNet", "mean of 2 pairs", "+0.0450"],
        ["UNet++ against UNet", "10 %", "+0.0450"],
        ["UNet++ against UNet", "15 %", "+0.0450"],
    ]
    assert rows[0][3:] == ["+0.0900 to +0.0900", "+0.0900 to +0.0900", "significantly higher"]
    assert text.endswith(
        "\n\nA difference is significant (at 95 %) if both intervals exclude 0. The intervals "
        "cover the choice of 3 test orthophotos and of 2 seeds. There is no correction for "
        "multiple comparisons: if nothing differed, about 0.3 of 6 intervals would exclude 0 by "
        "chance.\n"
    )


@pytest.mark.parametrize(
    ("difference", "interval", "verdict"),
    [
        (make_difference(0.0312, 0.01, 0.0524), "+0.0100 to +0.0524", "significantly higher"),
        (make_difference(-0.0312, -0.0524, -0.01), "-0.0524 to -0.0100", "significantly lower"),
        (make_difference(0.03, -0.01, 0.07), "-0.0100 to +0.0700", "not significant"),
        (make_difference(0.0, 0.0, 0.0), "+0.0000 to +0.0000", "not significant"),
        (make_difference(0.03, None, None), "-", "no interval: one orthophoto"),
    ],
)
def test_the_verdict_is_that_of_the_interval(
    difference: Difference, interval: str, verdict: str
) -> None:
    row = cells_of(markdown([difference]))[2]
    number = f"{difference.difference:+.4f}"
    assert row[:4] == ["tuned against reproduction", "one pair", number, interval]
    low, high = difference.jackknife or (None, None)
    assert row[4:] == ["-" if low is None else f"{low:+.4f} to {high:+.4f}", verdict]


def test_of_one_seed_nothing_is_told_of_others() -> None:
    gain = dataclasses.replace(make_difference(0.03, 0.01, 0.05), seeds=1)
    loss = dataclasses.replace(make_difference(-0.03, -0.05, -0.01), seeds=1)
    assert [verdict(item) for item in (gain, loss)] == [
        "significantly higher, with this seed",
        "significantly lower, with this seed",
    ]


def test_one_seed_is_said_and_no_share_of_chance() -> None:
    cells = [make_scored(equal_unions(HITS[:1] + gain), split=f"s{gain}") for gain in (0, 9)]
    assert markdown(differences(cells)).endswith(
        "\n\nA difference is significant (at 95 %) if both intervals exclude 0. The intervals "
        "cover the choice of 3 test orthophotos. With one seed they hold for these trained "
        "networks only: another seed may well reverse a verdict. There is no correction for "
        "multiple comparisons.\n"
    )


def test_numbers_of_orthophotos_of_several_splits_are_named() -> None:
    cells = [make_scored(equal_unions(HITS[:, :number]), split=str(number)) for number in (3, 2)]
    assert "the choice of 2 or 3 test orthophotos and of 2 seeds." in markdown(differences(cells))


def test_without_an_interval_or_a_pair_the_text_says_so() -> None:
    none = markdown([make_difference(0.03, None, None)])
    assert none.endswith("There are no intervals: they need at least two test orthophotos.\n")
    assert markdown([]) == "One cell only: nothing to compare.\n"


def test_rows_are_written_as_json_and_csv(tmp_path: Path) -> None:
    found = [*grid(), make_difference(0.5, None, None)]
    write_differences(found, tmp_path)
    rows = json.loads((tmp_path / "differences.json").read_text())
    assert rows == difference_rows(found)
    assert rows[0] == {
        "axis": "fraction",
        "first": "0.1",
        "second": "0.15",
        "compared": "15 % against 10 %",
        "where": "mean of 2 pairs",
        "pairs": 2,
        "difference": pytest.approx(0.09),
        "pooled": True,
        "low": pytest.approx(0.09),
        "high": pytest.approx(0.09),
        "jackknife_low": pytest.approx(0.09),
        "jackknife_high": pytest.approx(0.09),
        "verdict": "significantly higher",
        "orthophotos": 3,
        "seeds": 2,
    }
    with (tmp_path / "differences.csv").open(newline="") as stream:
        lines = list(csv.DictReader(stream))
    assert [line["where"] for line in lines] == [row["where"] for row in rows]
    assert lines[-1]["low"] == ""
    assert float(lines[0]["difference"]) == rows[0]["difference"]
    assert (tmp_path / "differences.md").read_text() == markdown(found)


def test_no_differences_are_empty_files(tmp_path: Path) -> None:
    write_differences([], tmp_path)
    assert json.loads((tmp_path / "differences.json").read_text()) == []
    assert (tmp_path / "differences.csv").read_text() == ""
