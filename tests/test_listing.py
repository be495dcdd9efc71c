from pathlib import Path
from typing import Any

import pytest
import yaml

from code_of_stage import SRC
from partialseg.listing import load_listed_runs
from partialseg.run import Cell, Run

AXES: dict[str, Any] = {
    "splits": ["main", "official"],
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
        f"{split}/{architecture}-{fraction}-tuned-{seed}"
        for split in ("main", "official")
        for fraction in ("0.1", "0.15")
        for architecture in ("unetplusplus", "unet")
        for seed in (42, 1)
    ]
    cell = Cell(
        split="official", fraction="0.15", labelling="random", architecture="unet", recipe="tuned"
    )
    assert listed[-1] == Run(cell=cell, seed=1)


def test_the_shipped_parameters_are_read() -> None:
    params = yaml.safe_load((SRC.parent / "params.yaml").read_text())
    axes = [params[axis] for axis in AXES]
    listed = load_listed_runs(SRC.parent / "params.yaml", ["0.1"])
    assert len(listed) == len(axes[0]) * len(axes[1]) * len(axes[2]) * len(axes[3]) > 0
    assert {run.seed for run in listed} == set(params["seeds"])


@pytest.mark.parametrize("axis", AXES)
def test_a_missing_axis_is_named(tmp_path: Path, axis: str) -> None:
    file = write_axes(tmp_path, **{axis: None})
    with pytest.raises(ValueError, match=f"{file}: {axis}: no key '{axis}' in the top level"):
        load_listed_runs(file, ["0.1"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"splits": "main"}, r"splits: should be a valid array, got 'main'"),
        ({"recipes": {"tuned": {}}}, r"recipes: should be a valid array"),
        ({"architectures": ["unet", 2]}, r"architectures\.1: should be a valid string, got 2"),
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
