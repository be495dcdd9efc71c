"""What this machine's GPU makes of the experiment of LandCover.ai, by the stages' own commands.

Orthophotos are rendered here and cut into patches of 384 px. On them both networks of the profile
`landcover_ai` train, as the published recipe does, each for a minute after its first epoch; then
shortly with checkpointing, by torchrun with a process for each GPU (NCCL), and in float16 with
gradients that overflow. The hours of the real data set are extrapolated. About five minutes.
"""

import argparse
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
import yaml

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "src"))  # nothing is installed: the stages find partialseg so too

from partialseg.engine.checkpoint import LAST, load_checkpoint
from partialseg.engine.curves import EpochRecord
from partialseg.tiling.patches import PatchStore
from timing import print_table

EPOCHS, PATCHES, VALIDATION = 12, 7_470, 1_602  # of the published experiment
ENDLESS = 1_000_000  # epochs: a training is ended by the clock
HUGE = [1e3] * 5  # class weights whose gradients overflow float16 at the scale of the first steps
STOP_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class Training:
    """A training that is measured: what differs from the published recipe, and for how long."""

    name: str
    architecture: str
    share: float = 0.25  # of the seconds that the first two get
    changes: dict[str, Any] = field(default_factory=dict)
    launcher: tuple[str, ...] = ()


RANKS = str(max(1, torch.cuda.device_count()))
TORCHRUN = ("-m", "torch.distributed.run", "--nproc-per-node", RANKS)
TRAININGS = (
    Training(name="unet", architecture="unet", share=1),
    Training(name="unetplusplus", architecture="unetplusplus", share=1),
    Training(
        name="unetplusplus-checkpointing",
        architecture="unetplusplus",
        changes={"checkpointing": True},
    ),
    Training(name="unet-torchrun", architecture="unet", launcher=TORCHRUN),
    Training(
        name="unet-float16-overflow",
        architecture="unet",
        changes={"precision": "float16", "class_weights": HUGE},
    ),
)


def write_params(folder: Path, orthophotos: int, changes: dict[str, Any]) -> None:
    """Write parameters in which the sample's patches are trained on as `landcover_ai` says.

    A recipe of each training has its name; changes hold for all of them.
    """
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    sample, real = (params["datasets"][name] for name in ("sample", "landcover_ai"))
    sample["download"]["orthophotos"] = orthophotos
    sample["tile"] |= {"split": "random", "val": 0.15, "test": 0.05}
    sample["train"] = real["train"] | {"epochs": ENDLESS} | changes
    sample["recipes"] = {training.name: training.changes for training in TRAININGS}
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")


def stage(folder: Path, name: str, *options: str) -> None:
    """Run the command of a stage on the sample."""
    command = [sys.executable, ROOT / "src" / f"{name}.py", "--dataset", "sample", *options]
    subprocess.run(list(map(str, command)), cwd=folder, check=True, stdout=subprocess.DEVNULL)


def prepare(folder: Path) -> None:
    """Render orthophotos, cut them, and draw labels on a tenth of the pixels."""
    stage(folder, "download", "--out", "source")
    cut = ("--source", "source", "--out", "patches", "--contact-sheet", "patches.png")
    stage(folder, "tile", "--split", "main", *cut)
    drawn = ("--labelling", "random", "--fraction", "0.1", "--seed", "42")
    stage(folder, "label", *drawn, "--patches", "patches", "--out", "labels")


def train(folder: Path, training: Training, seconds: float) -> list[EpochRecord]:
    """Train for so many seconds after the first epoch; return the epochs.

    Raises:
        RuntimeError: the training ended by itself; with its last line.
    """
    resume = folder / "resume" / training.name
    command = [sys.executable, *training.launcher, ROOT / "src" / "train.py"]
    command += ["--dataset", "sample", "--architecture", training.architecture]
    command += ["--recipe", training.name, "--split", "main", "--labelling", "random"]
    command += ["--seed", "42", "--patches", "patches", "--labels", "labels"]
    command += ["--out", folder / "runs" / training.name, "--resume", resume]
    log = folder / f"{training.name}.log"
    with (
        log.open("w") as output,
        subprocess.Popen(list(map(str, command)), cwd=folder, stdout=output, stderr=output) as run,
    ):
        while run.poll() is None and not (resume / LAST).exists():
            time.sleep(0.1)
        with suppress(subprocess.TimeoutExpired):
            run.wait(seconds)
        if run.poll() is not None:
            raise RuntimeError(log.read_text().strip().splitlines()[-1])
        run.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            run.wait(STOP_SECONDS)
        run.kill()
    return load_checkpoint(resume / LAST).history


def row_of(
    training: Training,
    epochs: Sequence[EpochRecord],
    patches: dict[str, int],
    first_loss: float | None,
) -> dict[str, Any]:
    """Return a row of the table; the first epoch, in which cuDNN tries its algorithms, is left out.

    patches are counted by split. first_loss is that of the first epoch of the published recipe, if
    there is one; a loss of other class weights is not compared with it.
    """
    steady = epochs[1:] or epochs
    speed = fmean(record.images_per_second for record in steady)
    scoring = fmean(
        record.seconds - patches["train"] / record.images_per_second for record in steady
    )
    whole = EPOCHS * (PATCHES / speed + VALIDATION * scoring / patches["val"])
    return {
        "training": training.name,
        "epochs": len(epochs),
        "images/s": speed,
        "waiting for patches": f"{fmean(record.loader_share for record in steady):.1%}",
        "peak MiB": round(max(record.peak_memory_mib for record in epochs)),
        "loss of epoch 1, relative change": (
            epochs[0].train_loss / first_loss - 1
            if first_loss and "class_weights" not in training.changes
            else None
        ),
        "steps that overflowed": sum(record.skipped_steps for record in epochs),
        "12 epochs of LandCover.ai, minutes, extrapolated": whole / 60,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="of each of the first two")
    parser.add_argument("--orthophotos", type=int, default=160, help="to render: 7 patches each")
    parser.add_argument("--base", type=int, default=64, help="channels of the first level")
    parser.add_argument("--batch", type=int, default=32, help="docs/gpu.md: what fits in memory")
    parser.add_argument("--workers", type=int, default=8, help="processes that load patches")
    args = parser.parse_args()
    changes = {"base_channels": args.base, "batch_size": args.batch, "workers": args.workers}
    gpu = torch.cuda.is_available()
    rows, losses = [], dict[str, float]()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_params(folder, args.orthophotos, changes)
        began = time.perf_counter()
        prepare(folder)
        counts = counted(folder)
        print(f"{counts} patches after {time.perf_counter() - began:.0f} s", flush=True)
        for training in TRAININGS:
            if training.changes.get("precision") == "float16" and not gpu:
                print(f"{training.name}: left out, a CPU has no float16")
                continue
            try:
                epochs = train(folder, training, args.seconds * training.share)
            except RuntimeError as error:  # the others may fit into memory
                print(f"{training.name}: {error}", flush=True)
                rows.append({"training": training.name, "epochs": "failed, see above"})
                continue
            if not (training.changes or training.launcher):
                losses[training.architecture] = epochs[0].train_loss
            rows.append(row_of(training, epochs, counts, losses.get(training.architecture)))
            print(rows[-1], flush=True)
    print(f"torch {torch.__version__}, {torch.cuda.get_device_name() if gpu else 'CPU'}")
    print_table(rows)


def counted(folder: Path) -> dict[str, int]:
    """Return the number of patches of each split."""
    store = PatchStore(folder / "patches")
    return {split: len(store.of_split(split)) for split in ("train", "val")}


if __name__ == "__main__":
    main()
