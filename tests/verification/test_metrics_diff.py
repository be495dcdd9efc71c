"""The table of a pull request: which metrics differ from those of a commit."""

import json
import subprocess
from pathlib import Path

import pytest
import yaml

import metrics_diff as script
from clones import ROOT, Clone
from partialseg.verification.metrics_diff import Changes, markdown, metrics_diff

SUMMARY, OF_RUN = "metrics/summary.json", "metrics/run.json"
TIME = {"unet.train_seconds": {"old": 66.5, "new": 109.5, "diff": 43.0}}
MEMORY = {"peak_memory_mib": {"old": 600, "new": 612, "diff": 12}}


def test_what_differs_stands_in_order_without_time_and_memory() -> None:
    changes = {
        SUMMARY: {
            "unet.val_miou": {"old": 0.25, "new": 0.25 + 1e-7, "diff": 1e-7},
            "unet.test_miou": {"old": 0.482717325, "new": 0.470, "diff": -0.012717325},
            **TIME,
        },
        OF_RUN: {"test_miou": {"old": None, "new": 0.5}, "note": {"old": "a", "new": "b"}},
        "metrics/time.json": MEMORY,
    }
    assert markdown(changes, "main").splitlines() == [
        "| Path                 | Metric         | main    | work tree   | Change   |",
        "|----------------------|----------------|---------|-------------|----------|",
        "| metrics/run.json     | note           | a       | b           | -        |",
        "| metrics/run.json     | test_miou      | -       | 0.5         | -        |",
        "| metrics/summary.json | unet.test_miou | 0.48272 | 0.47        | -0.013   |",
        "| metrics/summary.json | unet.val_miou  | 0.25    | 0.25        | +1e-07   |",
    ]


@pytest.mark.parametrize("changes", [{}, {SUMMARY: TIME, OF_RUN: MEMORY}])
def test_where_no_score_changed_a_sentence_says_so(changes: Changes) -> None:
    assert markdown(changes, "main") == "No metric changed."


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clone:
    """Return a repository with one metrics file, whose scores are those of the commit."""
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site_cache"))
    folder = tmp_path / "repository"
    made = Clone(folder, tmp_path / "site_cache")
    (folder / "metrics").mkdir(parents=True)
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"metrics": [SUMMARY]}))
    (folder / SUMMARY).write_text(json.dumps({"unet": {"test_miou": 0.5, "train_seconds": 1}}))
    made.run("git", "init", "-q", "-b", "main")
    made.run("dvc", "init", "-q")
    made.commit("results")
    return made


@pytest.mark.slow
def test_dvc_tells_what_differs(repository: Clone) -> None:
    assert metrics_diff("main", repository.folder) == {}
    content = {"unet": {"test_miou": 0.75, "train_seconds": 2}}
    (repository.folder / SUMMARY).write_text(json.dumps(content))
    assert metrics_diff("main", repository.folder) == {
        SUMMARY: {
            "unet.test_miou": {"old": 0.5, "new": 0.75, "diff": 0.25},
            "unet.train_seconds": {"old": 1, "new": 2, "diff": 1},
        }
    }


@pytest.mark.slow
def test_an_unknown_commit_is_named(repository: Clone) -> None:
    with pytest.raises(ValueError, match="dvc metrics diff nowhere: failed with status 255"):
        metrics_diff("nowhere", repository.folder)


def test_the_command_prints_a_title_and_the_table(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = []
    monkeypatch.setattr(script, "metrics_diff", lambda *arguments: asked.append(arguments) or {})
    monkeypatch.setattr("sys.argv", ["metrics_diff.py", "origin/main"])
    script.main()
    assert asked == [("origin/main", ROOT)]
    said = capsys.readouterr().out
    assert said == "### Metrics against `origin/main`\n\nNo metric changed.\n"


def test_make_prints_the_table_alone() -> None:
    asked = ["--dry-run", "--no-print-directory", "--assume-old=.venv/installed"]
    command = ["make", *asked, "metrics-diff", "BASE=origin/main"]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    (line,) = done.stdout.splitlines()
    assert line.endswith(" python src/metrics_diff.py origin/main")
