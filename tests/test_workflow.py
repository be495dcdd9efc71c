"""The workflow of GitHub: it runs what a person runs by make."""

import re
from typing import Any

import yaml

from code_of_stage import SRC

ROOT = SRC.parent
JOBS: dict[str, Any] = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"]
COMMANDS = [step["run"] for job in JOBS.values() for step in job["steps"] if "run" in step]


def test_tests_run_on_all_versions_of_python() -> None:
    assert JOBS["test"]["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13"]


def test_every_target_and_variable_is_in_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text()
    asked = [command.split() for command in COMMANDS if command.startswith("make ")]
    assert {words[1] for words in asked} == {"lint", "test", "metrics-diff"}
    for words in asked:
        assert re.search(rf"^{words[1]}:", makefile, re.MULTILINE), words
        variables = [word.split("=")[0] for word in words if re.match("[A-Z]+=", word)]
        assert variables
        for variable in variables:
            assert re.search(rf"^{variable} [:?]=", makefile, re.MULTILINE), variable


def test_both_halves_of_the_tests_run() -> None:
    halves = [re.search('-m (slow|"not slow")', command) for command in COMMANDS]
    assert sorted(half[1] for half in halves if half) == ['"not slow"', "slow"]
