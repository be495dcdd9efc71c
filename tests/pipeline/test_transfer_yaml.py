"""transfer/dvc.yaml against the code and against dvc.yaml."""

from typing import Any

import pytest
import yaml

from code_of_stage import SRC, code_of_stage

ROOT = SRC.parent
STAGES: dict[str, Any] = yaml.safe_load((ROOT / "transfer" / "dvc.yaml").read_text())["stages"]
MAIN: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]


def test_nothing_is_to_do_while_no_other_data_set_is_listed() -> None:
    axes = [value for stage in STAGES.values() for value in stage["matrix"].values()]
    assert axes.count("${tested_on}") == len(STAGES) == 2
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    assert params["tested_on"] == []


def test_other_data_sets_are_downloaded_as_the_own_one() -> None:
    own = {key: value for key, value in MAIN["download"].items() if key != "matrix"}
    other = {key: value for key, value in STAGES["transfer_download"].items() if key != "matrix"}
    assert other.pop("wdir") == ".."
    assert other == own


@pytest.mark.slow
def test_deps_of_transfer_are_the_rooms_that_it_enters() -> None:
    deps = [ROOT / dep for dep in STAGES["transfer"]["deps"] if dep.startswith("src/")]
    named = {file for dep in deps for file in ([dep] if dep.is_file() else dep.rglob("*.py"))}
    imported = code_of_stage(SRC / "transfer.py", {})
    assert imported <= named
    for dep in deps:
        assert dep in imported or any(file.is_relative_to(dep) for file in imported), dep


def test_the_report_reads_what_transfer_writes() -> None:
    folder = "transfer/results"
    assert folder in MAIN["report"]["deps"]
    assert f"--transfers {folder} " in MAIN["report"]["cmd"]
    outs = [next(iter(out)) for out in STAGES["transfer"]["outs"]]
    pair = f"{folder}/${{item.dataset}}/${{item.other}}/${{item.split}}"
    assert outs == [f"{pair}.json", f"{pair}.md"]
    assert STAGES["transfer"]["cmd"].endswith(f"--out {pair}.json")
    assert (ROOT / folder).is_dir()
