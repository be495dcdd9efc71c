#!/usr/bin/env bash
# Dask: a task that needs a resource, and a worker that is given this resource later.
#
# Guess:    the waiting task starts as soon as a worker has the resource.
# Date:     2026-11-29; distributed 2026.8.0, Python 3.11.
# Seen:     after Worker.set_resources(gpu=1) the scheduler lists the resource and gives the worker
#           tasks that are submitted from then on. The task that was there before stays in the state
#           no-worker; it starts only when another worker joins.
# So:       give workers their resources before the first task is submitted; otherwise submit the
#           waiting tasks again.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q distributed==2026.8.0 dask==2026.8.0

cat > "$work/main.py" <<'PY'
import asyncio

from distributed import Client, LocalCluster, Worker

WAIT = 8.0  # seconds


async def give(dask_worker):
    await dask_worker.set_resources(gpu=1)


async def outcome(client, task):
    """What comes of a task within WAIT: its result, or its state."""
    try:
        return await asyncio.wait_for(asyncio.shield(task.result()), WAIT)
    except asyncio.TimeoutError:
        state = lambda dask_scheduler: dask_scheduler.tasks[task.key].state
        return await client.run_on_scheduler(state)


async def main():
    settings = {"n_workers": 1, "threads_per_worker": 1, "processes": False, "dashboard_address": None}
    async with (
        LocalCluster(**settings, asynchronous=True) as cluster,
        Client(cluster, asynchronous=True) as client,
    ):
        early = client.submit(lambda: "done", resources={"gpu": 1}, pure=False)
        await asyncio.sleep(1)
        await client.run(give)
        print("submitted before:", await outcome(client, early))
        late = client.submit(lambda: "done", resources={"gpu": 1}, pure=False)
        print("submitted after:", await outcome(client, late))
        print("submitted before:", await outcome(client, early))
        async with Worker(cluster.scheduler_address, nthreads=1, resources={"gpu": 1}):
            print("when another worker joins:", await outcome(client, early))


asyncio.run(main())
PY

seen=$("$work/env/bin/python" "$work/main.py" 2> "$work/log") || { cat "$work/log" >&2; exit 1; }
echo "$seen"
[ "$seen" = "submitted before: no-worker
submitted after: done
submitted before: no-worker
when another worker joins: done" ] || { echo "something has changed" >&2; exit 1; }
