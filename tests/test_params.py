from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field
from pydantic.dataclasses import dataclass

from partialseg.params import STRICT, load_section


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


def test_scalars_and_lists_of_the_top_level(tmp_path: Path) -> None:
    file = tmp_path / "params.yaml"
    file.write_text("seed: 42\narchitectures: [unet, other]\n", encoding="utf-8")
    assert load_section(file, "seed", int) == 42
    assert load_section(file, "architectures", list[str]) == ["unet", "other"]
    with pytest.raises(ValueError, match=r"architectures: should be a valid integer"):
        load_section(file, "architectures", int)
