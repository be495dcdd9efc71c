"""A preset becomes a section of params.yaml, which keeps all else as it was."""

import shutil
from pathlib import Path

import pytest

from code_of_stage import SRC
from partialseg.core.params import read_yaml
from partialseg.presets.add import add_preset

GOOD = """# mine
download:
  path: ~/x
  legend: {mask_values: ids, classes: [{name: a, colour: [1, 2, 3]}, {name: b, colour: [3, 2, 1]}]}
tile: {source_size: 64, size: 64, split: random, split_seed: 1, val: 0.2, test: 0.2,
  train_truth: masks}
splits: {main: {}}
objects: 'b'
"""


@pytest.fixture
def params(tmp_path: Path) -> Path:
    shutil.copy(SRC.parent / "params.yaml", tmp_path)
    return tmp_path / "params.yaml"


def mine(folder: Path, text: str = GOOD) -> str:
    (folder / "mine.yaml").write_text(text)
    return str(folder / "mine.yaml")


def test_a_file_of_ones_own_is_added_and_nothing_else_changes(params: Path, tmp_path: Path) -> None:
    text, before = params.read_text(), read_yaml(params)
    assert add_preset(params, mine(tmp_path), "", "/data/my files: new") == "mine"
    assert params.read_text().startswith(text)
    after = read_yaml(params)
    section = after["datasets"].pop("mine")
    assert after == before
    assert section["download"]["path"] == "/data/my files: new"
    assert section["evaluate"]["spatial"]["objects"] == "b"
    assert section["tile"]["size"] == 64


def test_datasets_need_not_be_the_last_key(params: Path, tmp_path: Path) -> None:
    text = params.read_text()
    params.write_text(text + "\n# The end.\nlast: 1\n")
    add_preset(params, mine(tmp_path), "other", "")
    assert params.read_text().endswith("\n\n# The end.\nlast: 1\n")
    assert list(read_yaml(params)) == [*read_yaml(SRC.parent / "params.yaml"), "last"]
    assert "other" in read_yaml(params)["datasets"]


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        (GOOD, "folder", r"params\.yaml: datasets\.folder is there already; choose another name"),
        (GOOD, "My-data", r"name 'My-data': small letters, digits and _ alone"),
        ("a: [", "mine", r"mine\.yaml: not a YAML file"),
        (
            "a: 1\n",
            "mine",
            r"mine\.yaml: a preset has the keys download, tile, and .*; got \['a'\]",
        ),
        (
            GOOD.replace("legend", "legends"),
            "mine",
            r"/params\.yaml: datasets\.mine\.download\.leg",
        ),
        (
            GOOD.replace("main: {}", "main: {}, x: {size: 65}"),
            "mine",
            r"/params\.yaml: datasets\.mine\.splits\.x: size 65 must not exceed source_size 64",
        ),
    ],
)
def test_what_is_wrong_is_named_and_nothing_written(
    params: Path, tmp_path: Path, text: str, name: str, message: str
) -> None:
    before = params.read_bytes()
    with pytest.raises(ValueError, match=message):
        add_preset(params, mine(tmp_path, text), name, "")
    assert params.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir() if "part" in file.name] == []


def test_an_unknown_preset_is_named(params: Path) -> None:
    with pytest.raises(ValueError, match=r"lovda: no such preset; there are deepglobe, dubai"):
        add_preset(params, "lovda", "", "")


def test_a_file_without_data_sets_is_named(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("a: 1\n")
    with pytest.raises(ValueError, match=r"params\.yaml: has no `datasets`"):
        add_preset(tmp_path / "params.yaml", "loveda", "", "")
