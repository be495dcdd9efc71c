"""The measurements behind docs/evidence.md, in pieces: a study has more seeds each time it is run.

They run in a clone of HEAD in a folder of its own, with the trainings side by side. Ended by Ctrl-C
or by --hours, the next call goes on where this one stopped. After each seed the tables of the study
are copied to docs/evidence. Which studies there are: STUDIES.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
OUT = ROOT / "docs" / "evidence"
# 8 orthophotos to train on, as by default, 4 to validate and 18 to test instead of 8.
SAMPLE = {
    "datasets.sample.download.orthophotos": "30",
    "datasets.sample.tile.val": "0.1333",
    "datasets.sample.tile.test": "0.6",
}
COPIED = ("table.md", "table.json", "differences.md", "differences.json", "differences.png")
STOP_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class Study:
    """What is compared, by the lists at the top of params.yaml, and the seeds in their order."""

    axes: Mapping[str, str]
    seeds: Sequence[int]

    def settings(self, count: int) -> list[str]:
        """Return the -S settings for the first `count` seeds."""
        seeds = ",".join(map(str, self.seeds[:count]))
        values = {"sweep": "[]", "splits": "[main]", "labellings": "[random]", **SAMPLE}
        values |= self.axes | {"seeds": f"[{seeds}]"}
        return [f"{key}={value}" for key, value in values.items()]


BOTH, UNET, TUNED = "[unet,unetplusplus]", "[unet]", "[tuned]"
STUDIES = {
    "seeds": Study(
        axes={"architectures": BOTH, "recipes": "[reproduction,tuned]"},
        seeds=(42, 1, 2, 3, 4, 5, 6, 7),
    ),
    "budgets": Study(
        axes={"architectures": UNET, "recipes": TUNED, "sweep": "[0.01,0.05,1.0]"}, seeds=(42, 1, 2)
    ),
    "methods": Study(
        axes={"architectures": UNET, "recipes": "[tuned,lovasz,dice,consistency]"}, seeds=(42, 1, 2)
    ),
}


def clone(folder: Path) -> None:
    """Clone HEAD into the folder, unless a clone of HEAD lies there."""
    if not folder.exists():
        subprocess.run(["git", "clone", "-q", "--no-local", ROOT, folder], check=True)
    heads = [
        subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=at, check=True, stdout=subprocess.PIPE
        ).stdout
        for at in (ROOT, folder)
    ]
    if heads[0] != heads[1]:
        sys.exit(f"error: {folder}: a clone of another commit than HEAD; take a new --folder")


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
    except (subprocess.TimeoutExpired, KeyboardInterrupt) as stop:
        os.killpg(process.pid, signal.SIGINT)
        process.wait(STOP_SECONDS)
        if isinstance(stop, KeyboardInterrupt):
            raise
        return False
    if status:
        sys.exit(f"error: {' '.join(command)}: ended with status {status}")
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=ROOT.parent / f"{ROOT.name}-evidence")
    parser.add_argument("--studies", nargs="+", choices=STUDIES, default=[*STUDIES])
    parser.add_argument("--seeds", type=int, help="at most so many of each study")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--hours", type=float, default=1e6)
    args = parser.parse_args()
    clone(args.folder)
    until = time.monotonic() + 3600 * args.hours
    for name in args.studies:
        study = STUDIES[name]
        for count in range(1, min(len(study.seeds), args.seeds or len(study.seeds)) + 1):
            if not run(args.folder, study.settings(count), args.jobs, until):
                print(
                    f"stopped in {name}, seed {study.seeds[count - 1]}; the next call goes on there"
                )
                return
            for file in COPIED:
                source = args.folder / "plots" / "sample" / file
                shutil.copy(source, OUT / f"{name}-{file}")


if __name__ == "__main__":
    main()
