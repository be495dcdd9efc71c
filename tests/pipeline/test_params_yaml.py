"""params.yaml as DVC changes it: `-S` on a value changes that one alone."""

import itertools
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dvc.utils.hydra import apply_overrides

from clones import ROOT
from partialseg.core.params import read_yaml

Leaf = tuple[str, ...]


def leaves(value: Any, path: Leaf = ()) -> Iterator[tuple[Leaf, Any]]:
    """Yield the values at the ends of nested maps, lists whole; empty maps have none."""
    if isinstance(value, dict):
        for key, below in value.items():
            yield from leaves(below, (*path, key))
    else:
        yield path, value


def other_value(value: Any, number: int) -> Any:
    """Return a value of the same type that no other leaf has or gets (but for booleans)."""
    match value:
        case bool():
            return not value
        case int():
            return 1_000 + number
        case float():
            return 1_000.5 + number
        case str():
            return f"other{number}"
        case list():
            return [1_000 + number]
    raise AssertionError(f"a leaf of type {type(value)}")


VALUES = dict(leaves(read_yaml(ROOT / "params.yaml")))
CHANGED = {leaf: other_value(value, number) for number, (leaf, value) in enumerate(VALUES.items())}
# Each leaf is set in CALLS_OF_A_LEAF of the calls, no two leaves in the same ones: of every two, in
# one call the first is set and the second is not, and in another one it is the other way round. So
# each leaf is seen to change alone, in CALLS calls instead of 550.
CALLS, CALLS_OF_A_LEAF = 17, 3
CALLS_OF = dict(zip(VALUES, itertools.combinations(range(CALLS), CALLS_OF_A_LEAF), strict=False))


def test_the_leaves_are_those_of_all_data_sets_and_recipes() -> None:
    assert len(VALUES) > 500
    assert VALUES[
        "datasets", "folder", "recipes", "consistency", "methods", "consistency", "cutmix"
    ]
    sections = {leaf[1:3] for leaf in VALUES if leaf[0] == "datasets"}
    assert {name for _, name in sections} == {
        *("download", "tile", "splits", "label", "labellings", "acquire", "strategies"),
        *("train", "recipes", "evaluate", "transfer"),
    }
    assert len(sections) == 3 * 11


@pytest.mark.slow
@pytest.mark.parametrize("call", range(CALLS))
def test_a_value_that_is_set_changes_alone(tmp_path: Path, call: int) -> None:
    assert CALLS_OF.keys() == VALUES.keys()  # so there are enough calls
    file = tmp_path / "params.yaml"
    shutil.copy(ROOT / "params.yaml", file)
    chosen = {leaf: value for leaf, value in CHANGED.items() if call in CALLS_OF[leaf]}
    overrides = [f"{'.'.join(leaf)}={json.dumps(value)}" for leaf, value in chosen.items()]
    apply_overrides(file, overrides)
    assert dict(leaves(read_yaml(file))) == VALUES | chosen
