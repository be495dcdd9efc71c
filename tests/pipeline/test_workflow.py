"""The workflow of GitHub: it runs what a person runs by make."""

import re
from typing import Any

import yaml

from code_of_stage import SRC

ROOT = SRC.parent
WORKFLOW: dict[str, Any] = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
JOBS: dict[str, Any] = WORKFLOW["jobs"]
COMMANDS = [step["run"] for job in JOBS.values() for step in job["steps"] if "run" in step]


def test_tests_run_on_all_versions_of_python() -> None:
    assert JOBS["test"]["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13"]


def test_no_job_runs_for_hours() -> None:
    minutes = {name: job["timeout-minutes"] for name, job in JOBS.items()}
    assert minutes == {"lint": 15, "test": 45, "pipeline": 60, "metrics": 15}


def test_pip_takes_the_build_of_torch_without_cuda() -> None:
    assert WORKFLOW["env"] == {"PIP_EXTRA_INDEX_URL": "https://download.pytorch.org/whl/cpu"}
    requirements = (ROOT / "requirements.txt").read_text()
    assert re.search(r"^torch==[\d.]+\s", requirements, re.MULTILINE)  # x.y.z+cpu fits, too


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
