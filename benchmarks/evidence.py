"""The measurements behind docs/evidence.md and docs/label-budget.md, in pieces.

They run in a clone of the given commit, in a folder of its own, with the trainings side by side,
one seed after the other. Ended by Ctrl-C or by --hours, the next call goes on at the same seed;
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
VAL, TEST = "0.1333", "0.6"
SAMPLE = {
    "dataset": "sample",
    "datasets.sample.download.orthophotos": "30",
    "datasets.sample.download.val_share": VAL,  # of the split `official`
    "datasets.sample.download.test_share": TEST,
    "datasets.sample.tile.val": VAL,
    "datasets.sample.tile.test": TEST,
}
# Twice those of params.yaml: shorter ones score less, and seeds differ more. `reproduction` stays.
EPOCHS = 24
FOLDER = {"dataset": "folder"}
TABLES = ("table.md", "table.json", "differences.md", "differences.json", "differences.png")
STATE = Path(".dvc", "tmp", "evidence.json")  # in the clone: finished seeds of each study
STOP_SECONDS = 60
REPRODUCTION, REFERENCE = "reproduction", "tuned"


@dataclass(frozen=True, kw_only=True)
class Study:
    """What is compared, by the lists at the top of params.yaml, on what data, with which seeds.

    Without targets the whole pipeline runs, and its tables are copied. Targets are patterns of
    stages; then label_budget.py makes the tables, of the recipes and of the budgets
    (labelling:fraction).
    """

    axes: Mapping[str, str]
    seeds: Sequence[int]  # in their order
    data: Mapping[str, str] = field(default_factory=lambda: SAMPLE)
    panel: bool = True  # whether the maps of its networks are copied
    targets: Sequence[str] = ()
    recipes: Sequence[str] = (REFERENCE,)
    budgets: Sequence[str] = ()

    def settings(self, count: int) -> list[str]:
        """Return the -S settings for the first `count` seeds."""
        seeds = ",".join(map(str, self.seeds[:count]))
        values = {"sweep": "[]", "splits": "[main]", "labellings": "[random]"}
        values |= self.data | {"recipes": f"[{','.join(self.recipes)}]"} | self.axes
        values |= {"seeds": f"[{seeds}]"}
        if self.data is SAMPLE:  # -S changes a recipe alone, and not those that take it over
            longer = [recipe for recipe in self.recipes if recipe != REPRODUCTION]
            values |= {f"datasets.sample.recipes.{recipe}.epochs": str(EPOCHS) for recipe in longer}
        return [f"{key}={value}" for key, value in values.items()]


def of_labels(recipes: Sequence[str], seeds: Sequence[int], budgets: Sequence[str]) -> Study:
    """Return the study of recipes on labels that take about the same time to draw.

    Ten clicks on each class of a patch, scribbles on 0.75 % of the pixels, and 10 % of the
    patches as a whole: 32 to 39 minutes on the sample's 55 patches, by the estimates of
    partialseg.labelling.patterns.budget. Random pixels are trained by REFERENCE alone: all of
    them, and at the budgets.
    """
    random = [f"random:{budget}" for budget in budgets]
    drawn = ["points:0.1", "scribbles:0.0075", "patches:0.1"]
    wanted = [(setting, REFERENCE) for setting in ("random:1.0", *random)]
    wanted += [(setting, "*") for setting in drawn]
    return Study(
        axes={
            "architectures": "[unet]",
            "labellings": "[random,points,scribbles,patches]",
            "sweep": "[0.0075,0.01,0.05,1.0]",
        },
        seeds=seeds,
        recipes=(REFERENCE, *recipes),
        targets=[
            f"*evaluate@*-{setting.replace(':', '-unet-')}-{recipe}-*" for setting, recipe in wanted
        ],
        budgets=(*random, *drawn),
    )


BOTH = "[unet,unetplusplus]"
ALL_RECIPES = ("dice", "lovasz", "pseudo_labels", "consistency", "consistency_lovasz", "gated_crf")
STUDIES = {
    "cells": Study(
        axes={"architectures": BOTH},
        recipes=(REPRODUCTION, REFERENCE),
        seeds=(42, 1, 2, 3, 4, 5, 6, 7),
    ),
    "splits": Study(
        axes={"architectures": "[unet]", "splits": "[main,official]"},
        seeds=(42, 1, 2),
        panel=False,
    ),
    "pilot": of_labels(ALL_RECIPES, seeds=(42,), budgets=("0.1",)),
    "labels": of_labels(
        ("lovasz", "consistency"), seeds=(42, 1, 2), budgets=("0.01", "0.05", "0.1")
    ),
    "real": Study(axes={"architectures": BOTH}, seeds=(42, 1, 2), data=FOLDER),
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


def run(
    folder: Path, settings: Sequence[str], targets: Sequence[str], jobs: int, until: float
) -> bool:
    """Run the pipeline with the settings; return False if there was no time to finish."""
    command = [sys.executable, "src/repro.py", *targets, "--jobs", str(jobs)]
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


def write_tables(folder: Path, name: str, count: int) -> None:
    """Write the tables of a study from what the clone has of its first `count` seeds."""
    study = STUDIES[name]
    if not study.targets:
        for file in (*TABLES, *["panel.png"] * study.panel):
            source = folder / "plots" / study.data["dataset"] / file
            shutil.copy(source, OUT / f"{name}-{file}")
        return
    script = Path(__file__).with_name("label_budget.py")
    command = [sys.executable, script, "--project", folder, "--name", name]
    command += ["--settings", *study.budgets, "--recipes", *study.recipes[1:]]
    command += ["--seeds", *map(str, study.seeds[:count])]
    made = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    (OUT / f"{name}.md").write_text(made.stdout, encoding="utf-8")


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
            if not run(args.folder, settings, study.targets, args.jobs, until):
                print(f"{name}: stopped at seed {study.seeds[count - 1]}; the next call goes on")
                return
            write_tables(args.folder, name, count)
            done[name] = count
            (args.folder / STATE).write_text(json.dumps(done))
            print(f"{name}: {count} of {len(study.seeds)} seeds are finished", flush=True)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("interrupted; the next call goes on")
