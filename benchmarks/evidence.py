"""The measurements behind docs/evidence.md and docs/results.md, in pieces: each call adds seeds.

They run in a clone of the given commit, in a folder of its own, with the trainings side by side.
Ended by Ctrl-C or by --hours, the next call goes on with the seed at which this one stopped;
trainings that are finished are not repeated unless their code or parameters have changed. After
each seed the tables of its study are copied to docs/evidence. Which studies there are: STUDIES;
those of the data set `folder` need --images.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
OUT = ROOT / "docs" / "evidence"
# 8 orthophotos to train on, as by default, 4 to validate and 18 to test instead of 8.
SAMPLE = {
    "dataset": "sample",
    "datasets.sample.download.orthophotos": "30",
    "datasets.sample.tile.val": "0.1333",
    "datasets.sample.tile.test": "0.6",
}
FOLDER = {"dataset": "folder"}
COPIED = (
    *("table.md", "table.json", "differences.md", "differences.json", "differences.png"),
    "panel.png",
)
STATE = Path(".dvc", "tmp", "evidence.json")  # in the clone: finished seeds of each study
STOP_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class Study:
    """What is compared, by the lists at the top of params.yaml, on what data, with which seeds."""

    axes: Mapping[str, str]
    seeds: Sequence[int]  # in their order
    data: Mapping[str, str] = field(default_factory=lambda: SAMPLE)

    def settings(self, count: int) -> list[str]:
        """Return the -S settings for the first `count` seeds."""
        seeds = ",".join(map(str, self.seeds[:count]))
        values = {"sweep": "[]", "splits": "[main]", "labellings": "[random]"}
        values |= self.data | self.axes | {"seeds": f"[{seeds}]"}
        return [f"{key}={value}" for key, value in values.items()]


BOTH, UNET, TUNED = "[unet,unetplusplus]", "[unet]", "[tuned]"
STUDIES = {
    "cells": Study(
        axes={"architectures": BOTH, "recipes": "[reproduction,tuned]"},
        seeds=(42, 1, 2, 3, 4, 5, 6, 7),
    ),
    "budgets": Study(
        axes={"architectures": UNET, "recipes": TUNED, "sweep": "[0.01,0.05,1.0]"}, seeds=(42, 1, 2)
    ),
    "methods": Study(
        axes={"architectures": UNET, "recipes": "[tuned,lovasz,dice,consistency]"}, seeds=(42, 1, 2)
    ),
    "real": Study(axes={"architectures": BOTH, "recipes": TUNED}, seeds=(42, 1, 2), data=FOLDER),
}


def clone(folder: Path, commit: str) -> None:
    """Clone a commit into the folder; bring a clone that is there already to that commit."""
    if folder.resolve().is_relative_to(ROOT):
        sys.exit(f"error: {folder}: lies in the repository; take a folder beside it")
    if not folder.exists():
        subprocess.run(["git", "clone", "-q", "--no-local", ROOT, folder], check=True)
    elif not (folder / ".git").is_dir():
        sys.exit(f"error: {folder}: exists and is no clone")
    sha = subprocess.run(
        ["git", "rev-parse", f"{commit}^{{commit}}"],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout.strip()
    subprocess.run(["git", "fetch", "-q", ROOT, sha], cwd=folder, check=True)
    # The parameters and results of the last study, which are tracked: DVC has them in its cache.
    subprocess.run(["git", "checkout", "-q", "--force", "--detach", sha], cwd=folder, check=True)


def run(folder: Path, settings: Sequence[str], jobs: int, until: float) -> bool:
    """Run the pipeline with the settings; return False if there was no time to finish."""
    command = [sys.executable, "src/repro.py", "--jobs", str(jobs)]
    command += [word for setting in settings for word in ("-S", setting)]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    process = subprocess.Popen(
        command, cwd=folder, env=os.environ | {"PATH": path}, start_new_session=True
    )
    try:
        status = process.wait(max(0.0, until - time.monotonic()))
    except subprocess.TimeoutExpired:
        return False
    finally:
        stop(process)
    if status:
        sys.exit(f"error: {' '.join(command)}: ended with status {status}")
    return True


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process and all that it started, as Ctrl-C does, or else by force."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            return
        os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)


def finished(folder: Path) -> dict[str, int]:
    """Return how many seeds of each study are finished in the clone."""
    file = folder / STATE
    return json.loads(file.read_text()) if file.exists() else {}


def copy_tables(folder: Path, name: str) -> None:
    """Copy the tables of a study from the clone."""
    for file in COPIED:
        source = folder / "plots" / STUDIES[name].data["dataset"] / file
        shutil.copy(source, OUT / f"{name}-{file}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=ROOT.parent / f"{ROOT.name}-evidence")
    parser.add_argument("--studies", nargs="+", choices=STUDIES, default=["cells"])
    parser.add_argument("--images", type=Path, help="a folder with images/ and masks/")
    parser.add_argument("--commit", default="HEAD", help="another one to go on with its trainings")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--hours", type=float, default=1e6)
    args = parser.parse_args()
    if args.images is None and any(STUDIES[name].data is FOLDER for name in args.studies):
        parser.error("the data set folder needs --images")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C
    clone(args.folder, args.commit)
    until = time.monotonic() + 3600 * args.hours
    for name in args.studies:
        study, done = STUDIES[name], finished(args.folder)
        for count in range(min(done.get(name, 0) + 1, len(study.seeds)), len(study.seeds) + 1):
            settings = study.settings(count)
            if study.data is FOLDER:
                settings.append(f"datasets.folder.download.path={args.images.resolve()}")
            if not run(args.folder, settings, args.jobs, until):
                print(f"{name}: stopped at seed {study.seeds[count - 1]}; the next call goes on")
                return
            copy_tables(args.folder, name)
            done[name] = count
            (args.folder / STATE).write_text(json.dumps(done))
            print(f"{name}: {count} of {len(study.seeds)} seeds are finished", flush=True)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("interrupted; the next call goes on")
