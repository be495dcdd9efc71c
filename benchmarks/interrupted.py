"""`kill -9` at random moments of a stage, as when a rented machine is taken away: equal results?"""

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import yaml

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "src"))  # nothing is installed: the stages find partialseg so too

from full_size import Clone, served
from timing import print_table

START = 2.0  # seconds of CPU time that DVC takes before a stage starts


def outputs(clone: Clone, stage: str) -> dict[str, str]:
    """Return what identifies the outputs of a stage, by path.

    These are the MD5 sums that DVC has locked. A checkpoint also holds how long its training took:
    of a training it is the MD5 sum of the weights.
    """
    lock = yaml.safe_load((clone.project / "dvc.lock").read_text(encoding="utf-8"))
    found = {out["path"]: out["md5"] for out in lock["stages"][stage]["outs"]}
    if not stage.startswith("train@"):
        return found
    return {path: weights_md5(clone.project / path) for path in found if path.endswith(".pt")}


def weights_md5(file: Path) -> str:
    """Return the MD5 sum of the weights of a checkpoint."""
    from partialseg.engine.checkpoint import load_checkpoint  # PyTorch takes seconds

    digest = hashlib.md5(usedforsecurity=False)
    for name, weight in sorted(load_checkpoint(file).weights.items()):
        digest.update(name.encode() + weight.numpy().tobytes())
    return digest.hexdigest()


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process and of its children that still run."""
    total = 0.0
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        for item in (process, *process.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                times = item.cpu_times()
                total += times.user + times.system
    return total


def killed(clone: Clone, command: list[str], seconds: float) -> bool:
    """Start a command; kill it and all that it started after some CPU time; False: it ended."""
    with subprocess.Popen(
        command,
        cwd=clone.project,
        env=clone.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        # Not by the clock: how far a stage has come then depends on what else the machine does.
        while process.poll() is None:
            if cpu_seconds(process.pid) >= seconds:
                os.killpg(process.pid, signal.SIGKILL)
                return True
            time.sleep(0.05)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)}: failed with status {process.returncode}")
    return False


def rehearse(
    clone: Clone, stage: str, kills: int, span: tuple[float, float], draw: random.Random
) -> dict[str, object]:
    """Run a stage anew with kills, each after a random CPU time; its results are locked already."""
    command = ["dvc", "repro", "--force", "--single-item", stage]
    whole = outputs(clone, stage)
    forget(clone, stage)
    done = resumable = ended = 0
    equal = True
    while done < kills:
        if killed(clone, command, draw.uniform(*span)):
            done += 1
            lock = clone.project / ".dvc" / "tmp" / "rwlock"
            if lock.exists() and not lock.stat().st_size:  # DVC was killed as it wrote it
                lock.unlink()
            resumable += any(resume_folder(clone).rglob("*.pt"))
        else:
            ended += 1
            equal &= outputs(clone, stage) == whole
            forget(clone, stage)
    clone.run(*command)
    equal &= outputs(clone, stage) == whole
    return {
        "stage": stage,
        "kills": done,
        "after a checkpoint": resumable if stage.startswith("train@") else "",
        "ended before a kill": ended,
        "equal results": "yes" if equal else "NO",
    }


def forget(clone: Clone, stage: str) -> None:
    """Remove what the next run would go on with: the archive, or the checkpoints."""
    if stage.startswith("download@"):
        for file in (clone.project / "data" / "landcover_ai").glob("*.zip*"):
            file.unlink()
    if stage.startswith("train@"):
        shutil.rmtree(resume_folder(clone), ignore_errors=True)


def lengthen(clone: Clone, epochs: int) -> None:
    """Train anew with so many epochs: what `rehearse` compares with."""
    clone.edit(
        lambda params: params["datasets"]["landcover_ai"]["recipes"]["tuned"].update(epochs=epochs)
    )
    clone.run("dvc", "repro", "--single-item", clone.stages("train")[0])


def resume_folder(clone: Clone) -> Path:
    """Return the folder of the checkpoints of unfinished trainings."""
    return clone.project / "runs" / ".resume"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="that of full_size.py, done")
    parser.add_argument("--archive", type=Path, required=True, help="that it was given")
    parser.add_argument("--port", type=int, default=18080, help="of full_size.py's server")
    parser.add_argument("--stages", nargs="+", default=["download", "tile", "evaluate", "train"])
    parser.add_argument("--kills", type=int, default=4, help="of each stage")
    parser.add_argument("--shortest", type=float, default=START, help="CPU seconds before a kill")
    parser.add_argument("--longest", type=float, default=12, help="at most as many")
    parser.add_argument("--epochs", type=int, help="of the training; trained once without a kill")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    if args.longest < args.shortest:
        parser.error("--longest is less than --shortest")
    clone, draw, rows = Clone(folder=args.folder / "clone"), random.Random(args.seed), []
    span = args.shortest, args.longest
    with served(args.archive, args.port):
        if args.epochs:
            lengthen(clone, args.epochs)
        for name in args.stages:
            row = rehearse(clone, clone.stages(name)[0], args.kills, span, draw)
            print(json.dumps(row), flush=True)
            rows.append(row)
    print_table(rows)
    if any(row["equal results"] != "yes" for row in rows):
        raise SystemExit("error: results differ after kills")


if __name__ == "__main__":
    main()
