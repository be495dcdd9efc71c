"""Where the report's numbers come from: counts of several seeds, parameters, DVC's hashes."""

import math
from pathlib import Path
from typing import Any

import pytest
import yaml

from code_of_stage import SRC
from partialseg.comparison.cells import seed_score
from partialseg.evaluation.results import RunResults
from partialseg.evaluation.runs import Cell, Run
from partialseg.report.provenance import (
    TrackedOutput,
    commits,
    provenance_tables,
    tracked_outputs,
    used_parameters,
    versions,
)
from partialseg.report.quality import confusion, distance_bands, reliability

PARAMS = SRC.parent / "params.yaml"


def detail(miou: float, pixels: int, accuracy: float | None, confidence: float | None) -> Any:
    band = {"from_px": 0, "to_px": None, "pixels": pixels, "accuracy": accuracy}
    part = {"from": 0.0, "to": 1.0, "pixels": pixels, "accuracy": accuracy}
    return {
        "commit": "abc",
        "labelled_pixels": 0.1,
        "test": {
            "miou": miou,
            "confusion": [[pixels, 1], [0, 2]],
            "calibration": {"ece": miou / 10, "bins": [part | {"confidence": confidence}]},
            "border_distance": [band],
        },
    }


def result_of(detail: Any) -> RunResults:
    cell = Cell(
        split="main", fraction="0.1", labelling="random", architecture="unet", recipe="tuned"
    )
    return RunResults(run=Run(cell=cell, seed=1), detail=detail, predictions={})


def test_pixels_of_several_seeds_count_alike() -> None:
    details = [detail(0.5, 100, 0.9, 0.8), detail(0.7, 300, 0.5, 0.6), detail(0.6, 0, None, None)]
    score = seed_score([result_of(item) for item in details])
    assert (score.mean, score.std) == (pytest.approx(0.6), pytest.approx(0.1))
    assert confusion(details).tolist() == [[400, 3], [0, 6]]
    found = reliability(details)
    assert found.ece == pytest.approx(0.06)
    (part,) = found.bins
    assert (part.low, part.high, part.pixels) == (0.0, 1.0, 400)
    assert part.accuracy == pytest.approx((90 + 150) / 400)
    assert part.confidence == pytest.approx((80 + 180) / 400)
    (band,) = distance_bands(details)
    assert (band.low, band.high, band.pixels) == (0, None, 400)
    assert band.accuracy == pytest.approx(0.6)


def test_nothing_pooled_is_nothing() -> None:
    details = [detail(math.nan, 0, None, None)]
    score = seed_score([result_of(item) for item in details])
    assert math.isnan(score.mean)
    assert score.labelled == 0.1
    (part,) = reliability(details).bins
    assert (part.pixels, part.accuracy, part.confidence) == (0, None, None)
    assert seed_score([result_of(detail(0.5, 1, 1.0, 1.0))]).std is None


def test_used_parameters_are_those_of_the_experiment(tmp_path: Path) -> None:
    content = yaml.safe_load(PARAMS.read_text()) | {"recipes": ["tuned"]}
    file = tmp_path / "params.yaml"
    file.write_text(yaml.safe_dump(content))
    used = yaml.safe_load(used_parameters(file, "sample"))
    assert used["dataset"] == "sample" and list(used["datasets"]) == ["sample"]
    for key in ("label_fraction", "seeds", "splits", "architectures"):
        assert used[key] == content[key]
    sample = content["datasets"]["sample"]
    assert used["datasets"]["sample"]["recipes"] == {"tuned": sample["recipes"]["tuned"]}
    assert list(used["datasets"]["sample"]["splits"]) == content["splits"]
    assert used["datasets"]["sample"]["train"] == sample["train"]


@pytest.mark.parametrize(
    ("content", "dataset", "message"),
    [
        ("a: 1\n", "sample", r"params\.yaml: no parameters of the data set sample: 'dataset'"),
        ("- 1\n", "sample", r"params\.yaml: no parameters of the data set sample"),
        (None, "moon", r"params\.yaml: no parameters of the data set moon: 'moon'"),
    ],
)
def test_parameters_that_are_not_there_are_told(
    tmp_path: Path, content: str | None, dataset: str, message: str
) -> None:
    file = tmp_path / "params.yaml"
    file.write_text(PARAMS.read_text() if content is None else content)
    with pytest.raises(ValueError, match=message):
        used_parameters(file, dataset)


LOCK = {
    "schema": "2.0",
    "stages": {
        "check": {"cmd": "python"},
        "tile": {"outs": [{"path": "data/a/patches", "md5": "1f.dir", "size": 9, "nfiles": 2}]},
        "train": {
            "outs": [
                {"path": "runs/a/unet-0.1/best.pt", "md5": "2e", "size": 7},
                {"path": "runs/a/unet-0.15/best.pt", "md5": "3d", "size": 8},
            ]
        },
    },
}


def test_outputs_are_found_by_path_or_folder(tmp_path: Path) -> None:
    lock = tmp_path / "dvc.lock"
    lock.write_text(yaml.safe_dump(LOCK))
    assert tracked_outputs(lock, ["runs/a/unet-0.1", "data/a/patches"]) == [
        TrackedOutput(path="runs/a/unet-0.1/best.pt", md5="2e", size=7, files=None),
        TrackedOutput(path="data/a/patches", md5="1f.dir", size=9, files=2),
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (yaml.safe_dump(LOCK), r"dvc\.lock: no output of a stage is at data/b"),
        ("stages: [1]", r"dvc\.lock: not a lock file of DVC"),
        ("stages: {a: {outs: [{path: x}]}}", r"dvc\.lock: not a lock file of DVC: .*md5"),
        ("", r"dvc\.lock: not a lock file of DVC"),
        (None, r"dvc\.lock: cannot be read"),
    ],
)
def test_a_lock_file_without_an_output_is_told(
    tmp_path: Path, content: str | None, message: str
) -> None:
    lock = tmp_path / "dvc.lock"
    if content is not None:
        lock.write_text(content)
    with pytest.raises(ValueError, match=message):
        tracked_outputs(lock, ["data/b"])


def test_provenance_counts_commits_and_names_versions() -> None:
    details = [{"commit": "abc"}, {"commit": "abc+"}, {"commit": "abc"}, {"commit": ""}]
    assert commits(details) == {"abc": 2, "abc+": 1, "": 1}
    output = TrackedOutput(path="data/a", md5="1f.dir", size=3 * 2**20, files=None)
    trained, packages, data = provenance_tables(details, [output])
    assert [[entry.text for entry in row] for row in trained.rows] == [
        ["abc", "2"],
        ["abc+", "1"],
        ["no repository", "1"],
    ]
    assert [row[0].text for row in packages.rows] == list(versions())
    assert [entry.text for entry in data.rows[0]] == ["data/a", "1f.dir", "3.00", "1"]


def test_versions_are_those_that_run() -> None:
    import numpy as np
    import torch

    found = versions()
    assert found["numpy"] == np.__version__
    assert found["torch"] == torch.__version__
    assert found["Python"].count(".") == 2
