"""What the README shows is what the pipeline wrote."""

import json
import re

import pytest

from code_of_stage import SRC

ROOT = SRC.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_table_of_the_sample_is_the_committed_one() -> None:
    table = (ROOT / "plots" / "sample" / "table.md").read_text(encoding="utf-8")
    rows = json.loads((ROOT / "plots" / "sample" / "table.json").read_text(encoding="utf-8"))
    assert table.count("UNet") == len(rows) >= 4
    shown = README.split("<!-- sample table -->\n")[1].split("<!-- end of sample table -->")[0]
    assert shown.strip() == table.strip()


def test_every_picture_and_file_that_it_names_is_there() -> None:
    for name in ("plots/sample/panel.png", "params.yaml", "LICENSE", "metrics/summary.json"):
        assert name in README
        assert (ROOT / name).is_file()


def test_no_figure_is_left_to_be_filled_in() -> None:
    assert re.findall(r"@[A-Z]+@", README) == []


@pytest.mark.parametrize("experiment", ["seeds", "splits"])
def test_the_evidence_shows_the_numbers_of_its_runs(experiment: str) -> None:
    text = (ROOT / "docs" / "evidence.md").read_text(encoding="utf-8")
    folder = ROOT / "docs" / "evidence"
    rows = json.loads((folder / f"{experiment}-table.json").read_text(encoding="utf-8"))
    found = json.loads((folder / f"{experiment}-differences.json").read_text(encoding="utf-8"))
    assert len(rows) == 4 and len(found) == 6
    for row in rows:
        assert f"| {row['test_miou']:.4f} ± {row['test_miou_std']:.4f} |" in text
    for row in found:
        interval = f"{row['low']:+.4f} to {row['high']:+.4f}"
        (line,) = [line for line in text.splitlines() if f"| {interval} " in line]
        assert f"| {row['difference']:+.4f} " in line and f"| {row['verdict']} " in line
