#!/usr/bin/env bash
# torch on the CPU in a process that a Dask worker starts, or in the worker itself.
#
# Guess:    the same speed as in a process started by hand.
# Date:     2026-11-28; distributed 2026.8.0, torch 2.13.0 (CPU), Python 3.11, glibc 2.36.
# Seen:     Dask's nanny starts its workers with MALLOC_TRIM_THRESHOLD_=65536, and what they start
#           inherits it. glibc then returns a freed tensor of more than 128 KiB to the kernel at once,
#           and also stops raising that limit by itself. Every step of a training fetches its memory
#           again, page by page: here 49,194 page faults and 249 ms of CPU a step instead of 3,770 and
#           121 ms, beside other work.
# So:       take the variable out of the environment of trainings, or set
#           distributed.nanny.pre-spawn-environ.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q torch==2.13.0 numpy==2.4.6 distributed==2026.8.0

cat > "$work/train.py" <<'PY'
import resource
import torch

torch.set_num_threads(1)
block = [torch.nn.Conv2d(8, 8, 3, padding=1), torch.nn.BatchNorm2d(8), torch.nn.ReLU()]
network = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 1), *block, *block, *block)
images = torch.randn(8, 3, 128, 128)
for step in range(20):
    if step == 10:
        before = resource.getrusage(resource.RUSAGE_SELF)
    network(images).square().mean().backward()
after = resource.getrusage(resource.RUSAGE_SELF)
seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
print((after.ru_minflt - before.ru_minflt) / 10, seconds / 10)
PY

cat > "$work/main.py" <<'PY'
import os
import subprocess
import sys

from distributed import Client, LocalCluster


def train(script):
    done = subprocess.run([sys.executable, script], check=True, capture_output=True, text=True)
    return os.environ.get("MALLOC_TRIM_THRESHOLD_"), *map(float, done.stdout.split())


if __name__ == "__main__":
    os.environ.pop("MALLOC_TRIM_THRESHOLD_", None)
    _, faults, seconds = train(sys.argv[1])
    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster:
        value, of_worker, seconds_of_worker = Client(cluster).submit(train, sys.argv[1]).result()
    print(f"by hand: {faults:.0f} page faults and {1000 * seconds:.0f} ms of CPU a step")
    print(f"by a Dask worker, MALLOC_TRIM_THRESHOLD_={value}: {of_worker:.0f} page faults and "
          f"{1000 * seconds_of_worker:.0f} ms")
    assert value == "65536", f"changed: MALLOC_TRIM_THRESHOLD_ is {value}"
    assert of_worker > 5 * (faults + 100), "changed: a worker's process has no more page faults"
PY
"$work/env/bin/python" "$work/main.py" "$work/train.py"
