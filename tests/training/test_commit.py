import subprocess
from pathlib import Path

import pytest

from partialseg.training.resume import commit_of


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    (tmp_path / "src").mkdir()
    for name in ("src/train.py", "params.yaml", "notes.md"):
        (tmp_path / name).write_text("as committed")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "-c", "user.name=n", "-c", "user.email=e", "commit", "-qm", "first")
    return tmp_path


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_the_commit_is_that_of_the_work_tree(repository: Path) -> None:
    assert commit_of(repository) == git(repository, "rev-parse", "HEAD")
    assert len(commit_of(repository)) == 40


@pytest.mark.parametrize("name", ["src/train.py", "params.yaml", "src/new.py"])
def test_changed_code_is_marked(repository: Path, name: str) -> None:
    (repository / name).write_text("changed")
    assert commit_of(repository) == git(repository, "rev-parse", "HEAD") + "+"


@pytest.mark.parametrize("name", ["notes.md", "dvc.lock"])
def test_changed_results_are_not(repository: Path, name: str) -> None:
    (repository / name).write_text("changed")
    assert commit_of(repository) == git(repository, "rev-parse", "HEAD")


def test_outside_a_repository_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert commit_of(tmp_path) == ""


def test_without_git_there_is_none(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert commit_of(repository) == ""
