"""What check finds in the sections transfer before anything runs."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from code_of_stage import SRC
from partialseg.checking.check import check


def params(tmp_path: Path, transfer: dict[str, Any]) -> Path:
    """Write params.yaml with the sample tested on `folder`, whose section transfer is changed."""
    content = yaml.safe_load((SRC.parent / "params.yaml").read_text())
    content["tested_on"] = ["folder"]
    content["datasets"]["folder"]["transfer"] |= transfer
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(content))
    return tmp_path / "params.yaml"


def test_the_sections_as_shipped_fit_each_other(tmp_path: Path) -> None:
    assert check(params(tmp_path, {}), tmp_path / "note.txt").tested_on == ("folder",)


@pytest.mark.parametrize(
    ("transfer", "message"),
    [
        ({"ignore": []}, r"datasets\.folder\.transfer: .*'vegetation' is listed 0 times"),
        ({"forest": ["vegetation"]}, r"datasets\.folder\.transfer\.forest: is unknown"),
        ({"split": "random"}, r"datasets\.folder\.splits\.random: holds out cells \(random\)"),
        ({"split": "other"}, r"datasets\.folder\.splits\.other: no key 'other'"),
    ],
)
def test_a_wrong_section_is_one_line_before_anything_runs(
    tmp_path: Path, transfer: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        check(params(tmp_path, transfer), tmp_path / "note.txt")
    assert not (tmp_path / "note.txt").exists()


def test_bands_that_differ_are_found_before_anything_runs(tmp_path: Path) -> None:
    file = params(tmp_path, {})
    content = yaml.safe_load(file.read_text())
    content["datasets"]["folder"]["download"]["band_names"] = ["red", "green", "blue"]
    file.write_text(yaml.safe_dump(content))
    check(file, tmp_path / "note.txt")
    content["datasets"]["folder"]["download"]["band_names"] = ["nir", "red", "green"]
    file.write_text(yaml.safe_dump(content))
    with pytest.raises(ValueError, match=r"of sample are red, green, blue, .* folder nir, red"):
        check(file, tmp_path / "note.txt")


def test_a_split_that_holds_out_nothing_for_the_test_is_found(tmp_path: Path) -> None:
    file = params(tmp_path, {})
    content = yaml.safe_load(file.read_text())
    content["datasets"]["folder"]["tile"] |= {"split": "orthophoto", "val": 0.2, "test": 0.0}
    file.write_text(yaml.safe_dump(content))
    with pytest.raises(ValueError, match=r"splits\.main: holds out no orthophoto .*test: 0\.0"):
        check(file, tmp_path / "note.txt")
