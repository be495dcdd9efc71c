"""A pipeline of made-up trainings: a label stage, and trainings that count epochs to 4."""

from pathlib import Path

import pytest
import yaml

from clones import ROOT, Clone

# Counts in resume/last.pt, as a training does, and does what its recipe says.
TRAIN = """
import os, pathlib, signal, sys, time
words = dict(zip(sys.argv[1::2], sys.argv[2::2]))
resume, out = pathlib.Path(words["--resume"]), pathlib.Path(words["--out"])
recipe = words["--recipe"]
with open("../ran.txt", "a") as ran:
    ran.write(f"{recipe} {out}\\n")
if recipe == "fails":
    sys.exit("error: labels: no usable labels")
if recipe == "kills_its_worker" and not out.match("runs/*"):
    os.kill(os.getppid(), signal.SIGKILL)
last = resume / "last.pt"
resume.mkdir(parents=True, exist_ok=True)
for epoch in range(int(last.read_text()) + 1 if last.exists() else 1, 5):
    written = last.with_suffix(".new")  # a stop in the middle must not leave an empty file
    written.write_text(str(epoch))
    written.replace(last)
    print(f"epoch {epoch}/4: loss 1.0, val mIoU 0.{epoch}000, val accuracy 0.5", flush=True)
    while recipe == "waits" and epoch == 2 and not (resume / "go").exists():
        time.sleep(0.02)
out.mkdir(parents=True, exist_ok=True)
(out / "best.pt").write_text(recipe + open("labels.txt").read())
"""

STAGES = {
    "check": {"cmd": "echo checked > checked.txt", "outs": ["checked.txt"]},
    "label": {
        "cmd": "echo ${label} > labels.txt",
        "deps": ["checked.txt"],
        "params": ["label"],
        "outs": ["labels.txt"],
    },
    "train": {
        "matrix": {"recipe": "${recipes}"},
        "cmd": "python src/train.py --dataset sample --recipe ${item.recipe} "
        "--resume runs/.resume/${item.recipe} --out runs/${item.recipe}",
        "deps": ["labels.txt", "src/train.py"],
        "outs": ["runs/${item.recipe}"],
    },
}


def tiny_pipeline(folder: Path, recipes: list[str], monkeypatch: pytest.MonkeyPatch) -> Clone:
    """Write the pipeline with its trainings, one a recipe, and go there; none has run."""
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(folder / "site_cache"))
    made = Clone(folder / "project", folder / "site_cache")
    (made.folder / "src").mkdir(parents=True)
    (made.folder / "src" / "train.py").write_text(TRAIN)
    (made.folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": STAGES}))
    sample = yaml.safe_load((ROOT / "params.yaml").read_text())["datasets"]["sample"]
    sample = {"train": sample["train"], "recipes": {recipe: {} for recipe in recipes}}
    params = {"label": "a", "recipes": recipes, "datasets": {"sample": sample}}
    (made.folder / "params.yaml").write_text(yaml.safe_dump(params))
    (made.folder / ".gitignore").write_text("/runs\n")
    made.run("git", "init", "-q")
    made.run("dvc", "init", "-q")
    made.commit("tiny pipeline")
    monkeypatch.chdir(made.folder)
    return made


def ran(project: Clone) -> list[list[str]]:
    """Return recipe and output folder of each training that was started."""
    file = project.folder.with_name("ran.txt")
    return [line.split() for line in file.read_text().splitlines()] if file.exists() else []
