"""A `dvc repro` that has nothing to do, against the start of dvc itself."""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import yaml

from timing import interleave, print_table

ROOT = Path(__file__).parents[1]


def copy_shrunk(folder: Path) -> None:
    """Copy the files that git tracks, with a sample that runs in a minute or two."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    for name in filter(None, listed.stdout.split("\0")):
        if not name.startswith(("metrics/", "models/", "plots/", "dvc.lock")):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    file = folder / "params.yaml"
    params = yaml.safe_load(file.read_text(encoding="utf-8"))
    sample = params["datasets"]["sample"]
    sample["download"] |= {"min_side": 192, "max_side": 256, "cell": 64}
    sample["tile"] |= {"source_size": 64, "size": 48}
    for section in (sample["train"], *sample["recipes"].values()):
        section |= {"epochs": 1, "base_channels": 2, "workers": 0, "precision": "float32"}
        section |= {"crop": 0, "batch_size": 2}
    sample["evaluate"] |= {"workers": 0, "precision": "float32"}
    file.write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")


def command_in(folder: Path) -> Callable[..., None]:
    """Return a function that runs a command in the folder, with a site cache of its own."""
    environment = os.environ | {
        "DVC_SITE_CACHE_DIR": str(folder.parent / "site-cache"),
        "DVC_NO_ANALYTICS": "1",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }

    def run(*command: str) -> None:
        done = subprocess.run(command, cwd=folder, env=environment, text=True, capture_output=True)
        if done.returncode:
            raise SystemExit(f"{' '.join(command)}:\n{done.stdout}{done.stderr}")

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "clone"
        copy_shrunk(folder)
        run = command_in(folder)
        run("git", "init", "-q")
        run("git", "add", "-A")
        identity = ("-c", "user.name=benchmark", "-c", "user.email=benchmark@example.org")
        run("git", *identity, "commit", "-q", "-m", "shrunk")
        run("dvc", "repro", "-q")
        seconds = interleave(
            {
                "dvc repro, nothing to do": lambda: run("dvc", "repro"),
                "dvc --version": lambda: run("dvc", "--version"),
            },
            args.repeats,
        )
    start = seconds["dvc --version"]
    print_table(
        [
            {"command": name, "seconds": value, "of the start": f"{value / start:.2f}x"}
            for name, value in seconds.items()
        ]
    )


if __name__ == "__main__":
    main()
