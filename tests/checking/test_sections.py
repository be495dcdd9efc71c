"""Values that a late stage reads are found wrong before the first training."""

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from code_of_stage import SRC
from partialseg.checking.check import check

SHIPPED = SRC.parent / "params.yaml"


def check_changed(folder: Path, changes: dict[str, Any], **top: Any) -> None:
    """Check the shipped parameters with other values at dotted keys under datasets."""
    params = yaml.safe_load(SHIPPED.read_text()) | top
    for key, value in changes.items():
        *parts, last = key.split(".")
        section = params["datasets"]
        for part in parts:
            section = section[part]
        section[last] = value
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    check(folder / "params.yaml", folder / "note.txt")


OBJECTS = "folder.evaluate.spatial.objects"
LEGEND = "folder.download.legend"


@pytest.mark.slow
@pytest.mark.parametrize("dataset", ["sample", "landcover_ai", "folder"])
def test_every_recipe_split_labelling_and_strategy_as_shipped_is_valid(
    tmp_path: Path, dataset: str
) -> None:
    sections = yaml.safe_load(SHIPPED.read_text())["datasets"][dataset]
    axes = {axis: list(sections[axis]) for axis in ("recipes", "strategies")}
    rounds = [{"after": 0.1, "fraction": 0.2}]
    check_changed(tmp_path, {}, dataset=dataset, rounds=rounds, **axes)
    # 'drawn' buys labels of nobody.
    split = [name for name in sections["splits"] if name != "drawn"]
    patterns = [name for name in sections["labellings"] if name != "drawn"]
    check_changed(tmp_path, {}, dataset=dataset, splits=split, labellings=patterns)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {OBJECTS: "house"},
            r"datasets\.folder\.evaluate\.spatial\.objects: should be one of the classes land, "
            "water, building, vegetation, road, or '' for none, got 'house'",
        ),
        (
            {f"{LEGEND}.classes": [{"name": n, "colour": [i] * 3} for i, n in enumerate("ab", 1)]},
            r"evaluate\.spatial\.objects: should be one of the classes a, b, or .*'building'",
        ),
        (
            {f"{LEGEND}.ignored_colours": [[132, 41, 246]]},
            r"download\.legend: .*one value stands for two classes",
        ),
        (
            {"folder.train.class_weights": [1.0, 2.0]},
            r"folder\.train with recipe 'reproduction': class_weights: needs 5 positive weights",
        ),
        (
            {"folder.recipes.tuned.class_weights": [1.0, 2.0, 1.0, 0.0, 1.0]},
            r"folder\.train with recipe 'tuned': class_weights: needs 5 .*0\.0, 1\.0\]",
        ),
        (
            {"folder.recipes.tuned.crop": 400},
            r"folder\.train with recipe 'tuned': crop: must be at most 384, .*, got 400",
        ),
        ({"folder.recipes.tuned.epoch": 3}, r"datasets\.folder\.recipes\.tuned\.epoch: is unknown"),
        ({"folder.evaluate.examples": -1}, r"folder\.evaluate\.examples: .*greater than or equal"),
        ({"folder.evaluate.panels": 1}, r"folder\.evaluate\.panels: is unknown"),
        ({"folder.tile.size": 8}, r"folder\.tile\.size: .*greater than or equal to 32, got 8"),
        ({"folder.labellings.random.box": 0}, r"folder\.labellings\.random\.box: .*greater than 0"),
    ],
)
def test_a_value_that_would_stop_a_late_stage_is_named(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=r"params\.yaml: .*" + message):
        check_changed(tmp_path, changes, dataset="folder")
    assert not (tmp_path / "note.txt").exists()


@pytest.mark.slow
def test_sections_of_what_is_not_run_are_left_alone(tmp_path: Path) -> None:
    check_changed(tmp_path, {OBJECTS: "house", "sample.recipes.dice.crop": 999}, dataset="sample")
    assert (tmp_path / "note.txt").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="float16 is fine there")
def test_a_precision_that_this_machine_lacks_is_named(tmp_path: Path) -> None:
    message = r"datasets\.sample\.evaluate\.precision: float16 needs a CUDA device"
    with pytest.raises(ValueError, match=message):
        check_changed(tmp_path, {"sample.evaluate.precision": "float16"})


@pytest.mark.slow
def test_a_data_set_may_be_without_a_test_split(tmp_path: Path) -> None:
    check_changed(tmp_path, {"folder.tile.test": "none"}, dataset="folder")


@pytest.mark.slow
def test_splits_with_and_without_a_test_are_not_compared(tmp_path: Path) -> None:
    changes = {"folder.splits": {"main": {"test": "none"}, "tested": {}}}
    message = (
        r"params\.yaml: splits: 'main' has no test split \(test: none\) and 'tested' has one; one "
        "table cannot compare validation scores with test scores"
    )
    with pytest.raises(ValueError, match=message):
        check_changed(tmp_path, changes, dataset="folder", splits=["main", "tested"])
