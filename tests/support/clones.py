"""Clones of the project, in which DVC runs the real configuration, shrunk."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import yaml

from code_of_stage import SRC
from preloaded import preloaded_programs

ROOT = SRC.parent


class Clone:
    """A git clone of this work tree in which commands run."""

    def __init__(self, folder: Path, site_cache: Path) -> None:
        self.folder = folder
        self.first_repro = ""  # what the first `dvc repro` printed
        self.environment = os.environ | {
            "DVC_SITE_CACHE_DIR": str(site_cache),
            "DVC_NO_ANALYTICS": "1",
            "GIT_AUTHOR_NAME": "test",
            "GIT_AUTHOR_EMAIL": "test@example.org",
            "GIT_COMMITTER_NAME": "test",
            "GIT_COMMITTER_EMAIL": "test@example.org",
        }

    def run(self, *command: str) -> str:
        done = self._run(command)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def fail(self, *command: str) -> str:
        done = self._run(command)
        assert done.returncode != 0, done.stdout
        return done.stdout

    def _run(self, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment | {"PATH": f"{preloaded_programs()}:{self.environment['PATH']}"},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def edit_params(self, **top: Any) -> None:
        file = self.folder / "params.yaml"
        file.write_text(yaml.safe_dump(yaml.safe_load(file.read_text()) | top, sort_keys=False))

    def commit(self, message: str) -> None:
        self.run("git", "add", "-A")
        self.run("git", "commit", "-q", "-m", message)

    def restore(self) -> None:
        """Go back to the last commit; runs of other seeds and splits go too."""
        self.run("git", "checkout", "-q", ".")
        self.run("git", "clean", "-fdxq", "data", "metrics", "models", "plots", "runs")
        self.run("dvc", "checkout")

    def read(self, path: str) -> Any:
        return json.loads((self.folder / path).read_text())


def copy_of_the_work_tree(folder: Path) -> None:
    """Copy what git tracks or would track, without the outputs of the committed run."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    outputs = ("metrics/", "models/", "plots/", "dvc.lock")
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file() and not name.startswith(outputs):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)


def shrink(params: dict[str, Any]) -> dict[str, Any]:
    """Make the sample's real configuration small: every key stays."""
    sample = params["datasets"]["sample"]
    sample["download"] |= {"orthophotos": 4, "min_side": 260, "max_side": 300, "cell": 128}
    sample["tile"] |= {"source_size": 128, "size": 96}
    sample["train"] |= {"base_channels": 4, "epochs": 4, "batch_size": 2, "workers": 0}
    for recipe in sample["recipes"].values():
        recipe |= {"epochs": 3, "crop": 32, "batch_size": 8} if "crop" in recipe else {}
    sample["evaluate"] |= {"workers": 0, "panel_patches": 2}
    return params


def shrunk_clone(
    folder: Path, site_cache: Path, change: Callable[[dict[str, Any]], object] = lambda _: None
) -> Clone:
    """Commit the work tree into a folder, with small parameters that `change` may change."""
    folder.mkdir(exist_ok=True)
    copy_of_the_work_tree(folder)
    made = Clone(folder, site_cache)
    params = shrink(yaml.safe_load((folder / "params.yaml").read_text()))
    change(params)
    made.edit_params(**params)
    made.run("git", "init", "-q")
    made.commit("the real configuration, shrunk")
    return made
