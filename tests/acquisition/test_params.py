from pathlib import Path

import pytest
import yaml

from partialseg.acquisition.params import Acquire
from partialseg.core.params import load_section

SECTION = {
    "strategy": "entropy",
    "unit": "region",
    "region": 32,
    "batch_size": 4,
    "precision": "auto",
    "threads": 1,
    "workers": 1,
}


def load(folder: Path, **changes: object) -> Acquire:
    file = folder / "params.yaml"
    file.write_text(yaml.safe_dump({"acquire": SECTION | changes}))
    return load_section(file, "acquire", Acquire)


def test_a_section_becomes_parameters(tmp_path: Path) -> None:
    assert vars(load(tmp_path)).items() >= SECTION.items()


@pytest.mark.parametrize(
    ("key", "value", "rule"),
    [
        ("strategy", "oracle", "should be 'random', 'class_balanced', 'entropy'"),
        ("unit", "object", "should be 'pixel' or 'region', got 'object'"),
        ("region", 0, "should be greater than 0, got 0"),
        ("batch_size", 0, "should be greater than 0, got 0"),
        ("threads", 0, "should be greater than 0, got 0"),
        ("workers", -1, "should be greater than or equal to 0, got -1"),
        ("side", 3, "is unknown"),
    ],
)
def test_other_values_are_refused(tmp_path: Path, key: str, value: object, rule: str) -> None:
    with pytest.raises(ValueError, match=rf"params\.yaml: acquire\.{key}: {rule}"):
        load(tmp_path, **{key: value})
