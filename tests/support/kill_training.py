"""Train, and kill the training at random moments until it has ended; a script of test_resume.py.

Usage: kill_training.py PATCHES FOLDER KILLS. FOLDER/whole is trained without interruption, then
FOLDER/run1, run2, ... until KILLS processes were killed. All are forked from this one, which has
imported everything but has computed nothing: that saves seconds a kill.
"""

import os
import random
import signal
import sys
import time
from pathlib import Path

import dvclive.live  # noqa: F401  (these two are imported before the forks)
import torch
import torch._inductor

from partialseg.engine.checkpoint import load_checkpoint
from small_run import LIVELY, small_run

EPOCHS = 24


def start(patches: Path, out: Path) -> int:
    """Fork a process that trains."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            torch.set_num_threads(1)
            small_run(patches, out, augment=LIVELY, epochs=EPOCHS, ema_decay=0.5)
            status = 0
        finally:
            os._exit(status)
    return pid


def ended(pid: int, seconds: float) -> bool:
    """Wait for a process at most some seconds; return whether it has ended, and well."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            assert status == 0, status
            return True
        time.sleep(0.002)
    return False


def main() -> None:
    patches, folder, wanted = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    began = time.monotonic()
    assert ended(start(patches, folder / "whole"), 300)
    duration = time.monotonic() - began
    draw, kills, runs = random.Random(1), 0, 0
    while kills < wanted:
        runs += 1
        epoch = 0
        while not ended(pid := start(patches, folder / f"run{runs}"), draw.uniform(0, duration)):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            kills += 1
            last = folder / f"run{runs}-resume" / "last.pt"
            reached = load_checkpoint(last).epoch if last.exists() else 0
            assert reached >= epoch, "an epoch that was saved is lost"
            epoch = reached
            print("killed", kills, epoch, flush=True)


if __name__ == "__main__":
    main()
