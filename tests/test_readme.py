"""What the README shows is what the pipeline wrote."""

import json
import re

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
