"""The commit of the code that runs."""

import subprocess
from pathlib import Path

CODE = ("src", "params.yaml")  # what makes the code another one; results of a run do not


def commit_of(repository: Path) -> str:
    """Return the commit hash of a work tree, with '+' where its code has changed since.

    '' without git or outside a repository: a copy of the files alone is no error.
    """
    try:
        commit = _git(repository, "rev-parse", "HEAD")
        changed = _git(repository, "status", "--porcelain", "--", *CODE)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return commit + ("+" if changed else "")


def _git(repository: Path, *arguments: str) -> str:
    command = ["git", "-C", str(repository), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
