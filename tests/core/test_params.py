import re
from dataclasses import FrozenInstanceError, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
import yaml
from dvc.utils.serialize import load_yaml
from pydantic import Field
from pydantic.dataclasses import dataclass

from code_of_stage import SRC
from partialseg.core import params
from partialseg.core.params import STRICT, load_section, read_yaml

PARAMS = SRC.parent / "params.yaml"


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Inner:
    low: int
    high: int

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError(f"low {self.low} exceeds high {self.high}")


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Section:
    rate: Annotated[float, Field(gt=0)]
    epochs: int
    mode: Literal["a", "b"]
    weights: Literal["auto"] | tuple[float, ...]
    inner: Inner


GOOD = "rate: 1.0e-3\nepochs: 3\nmode: a\nweights: [1, 2.5]\ninner: {low: 1, high: 2}\n"


def load(tmp_path: Path, text: str, section: str = "data.x") -> Section:
    file = tmp_path / "params.yaml"
    indented = "".join(f"    {line}\n" for line in text.splitlines())
    file.write_text(f"top: 1\ndata:\n  x:\n{indented}", encoding="utf-8")
    return load_section(file, section, Section)


def test_a_section_becomes_its_dataclass(tmp_path: Path) -> None:
    section = load(tmp_path, GOOD)
    assert section == Section(
        rate=0.001, epochs=3, mode="a", weights=(1.0, 2.5), inner=Inner(low=1, high=2)
    )
    with pytest.raises(FrozenInstanceError):
        section.epochs = 4  # type: ignore[misc]


# Plain values as people, DVC and other tools write them.
READ = (
    "0 -0 7 +7 1_000 0x1F 0b11 1.5 .5 -.5 +.5 5. 1e5 1E-5 -2e3 1.e5 .5e1 1_0.5 true True FALSE "
    "null ~ 2024-01-01 e5 1.2.3 text y n 0o8 -.inf .nan a:b 3:x"
)
REFUSED = "010 00 +010 08 0_1 0o17 12:30 12:30:45 190:20:30.15 yes No ON off"


@pytest.mark.parametrize("written", f"{READ} {REFUSED}".split(" "))
def test_a_plain_value_is_read_as_by_dvc_or_refused(tmp_path: Path, written: str) -> None:
    file = tmp_path / "params.yaml"
    file.write_text(f"first: 1\nkey: {written}\n", encoding="utf-8")
    by_dvc = load_yaml(file)["key"]
    if written in REFUSED.split():
        message = rf"params\.yaml: not a YAML file: {re.escape(written)} means one .*line 2"
        with pytest.raises(ValueError, match=message):
            read_yaml(file)
    else:
        assert repr(read_yaml(file)["key"]) == repr(by_dvc)
    quoted = file.read_text(encoding="utf-8").replace(f": {written}", f": '{written}'")
    file.write_text(quoted, encoding="utf-8")
    assert read_yaml(file)["key"] == written


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("text", "kind: should be a valid integer or should be 'auto', got 'text'"),
        ("[1, a]", "kind: should be a valid integer or should be 'auto', got [1, 'a']"),
        ("0", "kind: should be greater than 0 or should be 'auto', got 0"),
    ],
)
def test_the_types_of_a_union_are_alternatives(tmp_path: Path, value: str, expected: str) -> None:
    file = tmp_path / "params.yaml"
    file.write_text(f"kind: {value}\n", encoding="utf-8")
    kind = Annotated[int, Field(gt=0)] | Literal["auto"]
    with pytest.raises(ValueError) as error:
        load_section(file, "kind", kind)  # type: ignore[arg-type]
    assert str(error.value) == f"{file}: {expected}"


@pytest.mark.parametrize("written", ["1e-05", "1.0e-05", "0.00001", "1E-5"])
def test_exponents_are_numbers_as_dvc_writes_them(tmp_path: Path, written: str) -> None:
    assert load(tmp_path, GOOD.replace("1.0e-3", written)).rate == 1e-5


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("epochs: 3", "epoch: 3", r"data\.x\.epochs: is missing; data\.x\.epoch: is unknown"),
        ("epochs: 3", "epochs: three", r"data\.x\.epochs: .*integer, got 'three'"),
        ("epochs: 3", "epochs: 3.5", r"data\.x\.epochs: .*, got 3\.5"),
        ("epochs: 3", "epochs: '3'", r"data\.x\.epochs: .*integer, got '3'"),
        ("epochs: 3", "epochs: true", r"data\.x\.epochs: .*integer, got True"),
        ("rate: 1.0e-3", "rate: 0", r"data\.x\.rate: should be greater than 0, got 0"),
        ("rate: 1.0e-3", "rate: .inf", r"data\.x\.rate: .*finite"),
        ("epochs: 3", "epochs: 2024-01-01", r"data\.x\.epochs: .*integer, got '2024-01-01'"),
        ("rate: 1.0e-3", "rate:", r"data\.x\.rate: .*number, got None"),
        ("mode: a", "mode: c", r"data\.x\.mode: should be 'a' or 'b', got 'c'"),
        ("low: 1", "low: 7", r"data\.x\.inner: low 7 exceeds high 2"),
        ("high: 2", "hihg: 2", r"data\.x\.inner\.hihg: is unknown"),
    ],
)
def test_a_bad_value_is_named_by_file_key_rule_and_value(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    with pytest.raises(ValueError, match=r"params\.yaml: .*" + message):
        load(tmp_path, GOOD.replace(old, new))


def load_changed(tmp_path: Path, text: str, changes: str) -> Section:
    """Load a section with the changes of another one, written as a flow mapping."""
    file = tmp_path / "params.yaml"
    indented = "".join(f"    {line}\n" for line in text.splitlines())
    file.write_text(f"data:\n  x:\n{indented}  other:\n    new: {changes}\n", encoding="utf-8")
    return load_section(file, "data.x", Section, "data.other.new")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ("{}", {}),
        ("{epochs: 5}", {"epochs": 5}),
        ("{inner: {high: 9}}", {"inner": Inner(low=1, high=9)}),
        ("{inner: {low: 0, high: 9}, mode: b}", {"inner": Inner(low=0, high=9), "mode": "b"}),
        ("{weights: [7]}", {"weights": (7.0,)}),  # a list is replaced, not mixed
        ("{weights: auto}", {"weights": "auto"}),
    ],
)
def test_changes_replace_keys_at_any_depth(
    tmp_path: Path, changes: str, expected: dict[str, Any]
) -> None:
    assert load_changed(tmp_path, GOOD, changes) == replace(load(tmp_path, GOOD), **expected)


def test_changes_may_give_what_the_section_lacks(tmp_path: Path) -> None:
    without = GOOD.replace("epochs: 3\n", "")
    assert load_changed(tmp_path, without, "{epochs: 5}").epochs == 5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ("{epoch: 5}", r"data\.other\.new\.epoch: is unknown \(value 5\)$"),
        ("{epochs: five}", r"data\.other\.new\.epochs: .*integer, got 'five'$"),
        ("{inner: {hihg: 5}}", r"data\.other\.new\.inner\.hihg: is unknown \(value 5\)$"),
        ("{inner: {low: x}}", r"data\.other\.new\.inner\.low: .*integer, got 'x'$"),
        ("{inner: {low: 7}}", r"data\.other\.new\.inner: low 7 exceeds high 2$"),
        ("{inner: 7}", r"data\.other\.new\.inner: .*, got 7$"),
        ("7", r"data\.other\.new: .*got 7$"),
    ],
)
def test_a_bad_change_is_named_by_the_section_of_the_changes(
    tmp_path: Path, changes: str, message: str
) -> None:
    with pytest.raises(ValueError, match=r"params\.yaml: " + message):
        load_changed(tmp_path, GOOD, changes)


@pytest.mark.parametrize("changes", ["{}", "{rate: 0.5, inner: {low: 0}}", "{inner: {}}"])
@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("epochs: 3\n", "", r"data\.x\.epochs: is missing$"),
        ("epochs: 3", "epochs: three", r"data\.x\.epochs: .*integer, got 'three'$"),
        (", high: 2", "", r"data\.x\.inner\.high: is missing$"),
        (
            "[1, 2.5]",
            "[1, x]",
            r"data\.x\.weights: should be 'auto', .*; data\.x\.weights\.1: .* got 'x'$",
        ),
    ],
)
def test_what_is_wrong_without_the_changes_is_named_by_its_section(
    tmp_path: Path, changes: str, old: str, new: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        load_changed(tmp_path, GOOD.replace(old, new), changes)


def test_missing_changes_are_named(tmp_path: Path) -> None:
    load(tmp_path, GOOD)
    message = r"data\.x\.fast: no key 'fast' in data\.x \(keys: rate, "
    with pytest.raises(ValueError, match=message):
        load_section(tmp_path / "params.yaml", "data.x", Section, "data.x.fast")


def test_a_missing_section_names_the_keys_there_are(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"data\.y: no key 'y' in data \(keys: x\)"):
        load(tmp_path, GOOD, "data.y")
    with pytest.raises(ValueError, match=r"nodata\.x: no key 'nodata' in the top level \(keys: to"):
        load(tmp_path, GOOD, "nodata.x")
    with pytest.raises(ValueError, match=r"no key 'deeper' in data\.x\.epochs \(keys: none\)"):
        load(tmp_path, GOOD, "data.x.epochs.deeper")


def test_a_missing_or_broken_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"none\.yaml: cannot be read: No such file"):
        load_section(tmp_path / "none.yaml", "seed", int)
    (tmp_path / "broken.yaml").write_text("a: [1\nb: 2", encoding="utf-8")
    with pytest.raises(ValueError, match=r"broken\.yaml: not a YAML file: .*line 2"):
        load_section(tmp_path / "broken.yaml", "seed", int)


def test_the_fast_parser_gives_the_values_and_errors_of_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert issubclass(params._FastLoader, yaml.CSafeLoader)  # in this build of PyYAML
    (tmp_path / "exponents.yaml").write_text("[1e-05, -2E3, 1.e+2, 1e, 0x10]", encoding="utf-8")
    (tmp_path / "broken.yaml").write_text("a: *nobody", encoding="utf-8")
    read, said = [], []
    for loader in (params._FastLoader, params._StrictLoader):
        monkeypatch.setattr(params, "_FastLoader", loader)
        read.append([read_yaml(file) for file in (PARAMS, tmp_path / "exponents.yaml")])
        with pytest.raises(ValueError, match="undefined alias 'nobody'") as error:
            read_yaml(tmp_path / "broken.yaml")
        said.append(str(error.value))
    assert read[0] == read[1]
    assert read[0][1] == [1e-05, -2000.0, 100.0, "1e", 16]
    assert said[0] == said[1]


@pytest.mark.parametrize(
    ("kind", "rule"),
    [
        (Annotated[tuple[int, ...], Field(min_length=1)], "should have at least 1 item, got []"),
        (Annotated[list[int], Field(min_length=2)], "should have at least 2 items, got []"),
    ],
)
def test_a_list_that_is_too_short_is_named_in_one_line(
    tmp_path: Path, kind: Any, rule: str
) -> None:
    file = tmp_path / "params.yaml"
    file.write_text("seeds: []\n", encoding="utf-8")
    with pytest.raises(ValueError) as error:
        load_section(file, "seeds", kind)
    assert str(error.value) == f"{file}: seeds: {rule}"


def test_scalars_and_lists_of_the_top_level(tmp_path: Path) -> None:
    file = tmp_path / "params.yaml"
    file.write_text("seed: 42\narchitectures: [unet, other]\n", encoding="utf-8")
    assert load_section(file, "seed", int) == 42
    assert load_section(file, "architectures", list[str]) == ["unet", "other"]
    with pytest.raises(ValueError, match=r"architectures: should be a valid integer"):
        load_section(file, "architectures", int)
