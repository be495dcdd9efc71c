import math
from pathlib import Path
from typing import Any

import pytest
import yaml

from code_of_stage import SRC
from partialseg.evaluation.runs import Cell, Run, load_listed_runs

AXES: dict[str, Any] = {
    "sweep": [],
    "splits": ["main", "official"],
    "labellings": ["random", "points"],
    "architectures": ["unetplusplus", "unet"],
    "recipes": ["tuned"],
    "seeds": [42, 1],
}


def write_axes(folder: Path, **changes: Any) -> Path:
    axes = {key: value for key, value in (AXES | changes).items() if value is not None}
    (folder / "params.yaml").write_text(yaml.safe_dump(axes))
    return folder / "params.yaml"


def test_the_runs_are_those_of_all_axes(tmp_path: Path) -> None:
    listed = load_listed_runs(write_axes(tmp_path), ["0.15", "0.1", "0.15"])
    assert [run.path for run in listed] == [
        f"{split}/{labelling}/{architecture}-{fraction}-tuned-{seed}"
        for split in ("main", "official")
        for fraction in ("0.1", "0.15")
        for labelling in ("random", "points")
        for architecture in ("unetplusplus", "unet")
        for seed in (42, 1)
    ]
    cell = Cell(
        split="official", fraction="0.15", labelling="points", architecture="unet", recipe="tuned"
    )
    assert listed[-1] == Run(cell=cell, seed=1)


def test_the_shipped_parameters_are_read() -> None:
    params = yaml.safe_load((SRC.parent / "params.yaml").read_text())
    axes = [params[axis] for axis in AXES if axis != "sweep"]
    listed = load_listed_runs(SRC.parent / "params.yaml", ["0.1"])
    assert params["sweep"] == []
    assert len(listed) == math.prod(map(len, axes)) > 0
    assert {run.seed for run in listed} == set(params["seeds"])


def test_the_fractions_of_a_sweep_come_too_as_they_are_written(tmp_path: Path) -> None:
    file = write_axes(tmp_path, sweep=[0.5, 0.02, 1, 0.1], seeds=[42])
    fractions = [run.cell.fraction for run in load_listed_runs(file, ["0.1"])]
    assert list(dict.fromkeys(fractions)) == ["0.02", "0.1", "0.5", "1"]
    assert len(fractions) == 2 * 4 * 2 * 2


@pytest.mark.parametrize("axis", AXES)
def test_a_missing_axis_is_named(tmp_path: Path, axis: str) -> None:
    file = write_axes(tmp_path, **{axis: None})
    with pytest.raises(ValueError, match=f"{file}: {axis}: no key '{axis}' in the top level"):
        load_listed_runs(file, ["0.1"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"splits": "main"}, r"splits: should be a valid array, got 'main'"),
        ({"labellings": "random"}, r"labellings: should be a valid array, got 'random'"),
        ({"recipes": {"tuned": {}}}, r"recipes: should be a valid array"),
        ({"architectures": ["unet", 2]}, r"architectures\.1: should be a valid string, got 2"),
        ({"sweep": 0.5}, r"sweep: should be a valid array, got 0\.5"),
        ({"seeds": 42}, r"seeds: should be a valid array, got 42"),
        ({"seeds": [42, "1"]}, r"seeds\.1: should be a valid integer, got '1'"),
        ({"seeds": [1.5]}, r"seeds\.0: should be a valid integer, got 1\.5"),
    ],
)
def test_an_axis_of_another_type_is_named(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    file = write_axes(tmp_path, **changes)
    with pytest.raises(ValueError, match=f"{file}: {message}"):
        load_listed_runs(file, ["0.1"])


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"params\.yaml: cannot be read: No such file"):
        load_listed_runs(tmp_path / "params.yaml", ["0.1"])


def test_a_label_fraction_that_is_no_number_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^label fraction 'abc': not a number$"):
        load_listed_runs(write_axes(tmp_path), ["0.1", "abc"])
