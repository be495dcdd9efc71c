import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

import verify as script
from clones import ROOT, Clone
from partialseg.verification import verify as module
from partialseg.verification.verify import (
    Difference,
    differences,
    leaves,
    read_metrics,
    verify,
)


def key(metric: str) -> tuple[str, str]:
    return "metrics/a.json", metric


def test_values_are_found_at_any_depth() -> None:
    content = {"a": 1, "b": {"c": [0.5, {"d": "x"}]}, "e": []}
    assert dict(leaves(content)) == {"a": 1, "b.c.0": 0.5, "b.c.1.d": "x"}


def test_all_metrics_are_read_but_measured_ones_and_commits(tmp_path: Path) -> None:
    content = {
        "val_miou": 0.5,
        "commit": "0123456789abcdef",
        "train_seconds": 7.5,
        "peak_memory_mib": 512.0,
        "annotation_seconds": 5400.0,
        "nested": {"train_seconds": 0.5},
    }
    names = (
        "metrics/summary.json",
        "metrics/sample/detail/main/random/unet-0.1-tuned-42.json",
    )
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(json.dumps(content))
    assert read_metrics(tmp_path) == {
        (name, key): value
        for name in names
        for key, value in (("val_miou", 0.5), ("annotation_seconds", 5400.0))
    }


@pytest.mark.parametrize(
    ("old", "new", "tolerance", "agree"),
    [
        (0.5, 0.5, 0.0, True),
        (0.5, 0.5009, 1e-3, True),
        (0.5, 0.5011, 1e-3, False),
        (1000, 1001, 2e-3, True),
        (1000, 1003, 2e-3, False),
        ("CPU", "CPU", 0.1, True),
        ("CPU", "H200", 0.1, False),
        (0.5, "absent", 0.1, False),
    ],
)
def test_numbers_agree_within_the_tolerance(
    old: Any, new: Any, tolerance: float, agree: bool
) -> None:
    found = differences({key("m"): old}, {key("m"): new}, tolerance)
    expected = Difference(file="metrics/a.json", metric="m", committed=old, again=new)
    assert found == ([] if agree else [expected])


def test_a_metric_that_one_side_lacks_differs() -> None:
    found = differences({key("a"): 0.5}, {key("b"): 0.5}, 1.0)
    assert [(item.metric, item.committed, item.again) for item in found] == [
        ("a", 0.5, None),
        ("b", None, 0.5),
    ]


def test_a_repository_without_metrics_cannot_be_verified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_run", lambda *_, **__: None)
    with pytest.raises(ValueError, match="no metrics are committed"):
        verify(tmp_path, tmp_path / "clone", 0.0)


def test_a_folder_that_exists_is_not_cloned_into(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"^{tmp_path}: exists; the clone needs a folder of its "):
        verify(tmp_path, tmp_path, 0.0)


def test_a_command_that_fails_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"git clone .*: failed with status 128"):
        verify(tmp_path, tmp_path / "clone", 0.0)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a repository of two stages, its results committed; each run adds a line to ran.txt.

    DVC's cache is one that the user has set for all repositories.
    """
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "config").write_text(f"[cache]\n    dir = {tmp_path / 'cache'}\n")
    monkeypatch.setenv("DVC_GLOBAL_CONFIG_DIR", str(tmp_path / "config"))
    pipeline = {
        "train": {
            "cmd": f"echo train >> {tmp_path / 'ran.txt'}; cp input.txt weights.txt",
            "deps": ["input.txt"],
            "outs": ["weights.txt"],
        },
        "evaluate": {
            "cmd": f"echo evaluate >> {tmp_path / 'ran.txt'}; mkdir -p metrics; "
            "cp weights.txt metrics/a.json",
            "deps": ["weights.txt"],
            "metrics": [{"metrics/a.json": {"cache": False}}],
        },
    }
    made = Clone(tmp_path / "repository", tmp_path / "site_cache")
    made.folder.mkdir()
    (made.folder / "input.txt").write_text('{"miou": 0.5}')
    (made.folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": pipeline}))
    made.run("git", "init", "-q")
    made.run("dvc", "init", "-q")
    made.run("dvc", "repro", "-q")
    made.commit("results")
    return made.folder


def ran(repository: Path) -> list[str]:
    return repository.with_name("ran.txt").read_text().split()


@pytest.mark.slow
def test_every_stage_runs_again_whatever_dvc_remembers(repository: Path, tmp_path: Path) -> None:
    assert ran(repository) == ["train", "evaluate"]
    assert verify(repository, tmp_path / "clone", 0.0) == (1, [])
    assert ran(repository) == ["train", "evaluate"] * 2


@pytest.mark.parametrize("keep", [True, False])
def test_the_clone_stays_where_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keep: bool
) -> None:
    cloned = []

    def made_up(_: Path, clone: Path, tolerance: float) -> tuple[int, list[Difference]]:
        assert tolerance == 1e-6
        clone.mkdir()
        cloned.append(clone)
        return 12, []

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(script, "verify", made_up)
    monkeypatch.setattr("sys.argv", ["verify.py", *(("--keep", "kept") if keep else ())])
    script.main()
    (clone,) = cloned
    assert (clone == tmp_path / "kept") == clone.exists() == keep


@pytest.mark.parametrize(
    ("variables", "options"),
    [([], ""), (["TOLERANCE=1e-3", "KEEP=kept"], "--tolerance 1e-3 --keep kept")],
)
def test_make_passes_tolerance_and_folder(variables: list[str], options: str) -> None:
    asked = ["--dry-run", "--no-print-directory", "--assume-old=.venv/installed"]
    command = ["make", *asked, "verify", *variables]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1].split("src/verify.py")[1].split() == options.split()


@pytest.mark.parametrize("differ", [True, False])
def test_the_command_prints_what_differs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], differ: bool
) -> None:
    found = [Difference(file="metrics/a.json", metric="val.miou", committed=0.5, again=0.625)]
    monkeypatch.setattr(script, "verify", lambda *_: (12, found if differ else []))
    monkeypatch.setattr("sys.argv", ["verify.py", "--tolerance", "0.001"])
    if differ:
        with pytest.raises(SystemExit) as stop:
            script.main()
        assert stop.value.code == 1
    else:
        script.main()
    said = capsys.readouterr().out.splitlines()
    assert said[-1] == f"12 metrics, {int(differ)} differ by more than 0.001"
    cells = [cell.strip() for cell in said[-2].split("|")[1:-1]] if differ else []
    assert cells == (["metrics/a.json", "val.miou", "0.5", "0.625"] if differ else [])
