"""Where the time of a stage goes: its threads are looked at twenty times a second.

Python imports a module of this name at its start where PYTHONPATH leads to it. Unlike a tracing
profiler, this costs next to nothing and sees all threads. At the end one line of JSON is written to
a file in the folder that PARTIALSEG_SAMPLES names.
"""

import atexit
import json
import os
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from types import FrameType

INTERVAL = 0.05  # seconds
PROJECT = f"{os.sep}partialseg{os.sep}"
NETWORKS = f"{PROJECT}models{os.sep}"


def innermost(frame: FrameType | None) -> tuple[str, bool]:
    """Return the project's innermost function in a stack, '' for none; whether a network runs."""
    name, network = "", False
    while frame:
        code = frame.f_code
        if PROJECT in code.co_filename:
            name = name or f"{Path(code.co_filename).stem}.{code.co_qualname}"
            network = network or NETWORKS in code.co_filename
        frame = frame.f_back
    return name, network


def own_memory() -> int:
    """Return the KiB of memory that this process has now, without mapped files; 0: unknown."""
    try:
        status = Path("/proc/self/status").read_text(encoding="utf-8")
    except OSError:  # not Linux
        return 0
    return next((int(line.split()[1]) for line in status.splitlines() if "RssAnon" in line), 0)


def look(found: Counter[str], network: list[int]) -> None:
    """Count in which functions the other threads are now.

    In a function of its own, which keeps no frame afterwards: a loader of torch that a frame held
    at the end of the program would not end its workers, and the program would wait for them.
    """
    own = threading.get_ident()
    for thread, frame in sys._current_frames().items():
        if thread != own:
            name, runs = innermost(frame)
            found[name] += bool(name)
            network[0] += runs


def sample(
    found: Counter[str], network: list[int], memory: list[int], ended: threading.Event
) -> None:
    """Count, until the program ends, in which functions the threads are; see its own memory."""
    while not ended.wait(INTERVAL):
        memory[0] = max(memory[0], own_memory())
        look(found, network)


def start(folder: Path, script: str) -> None:
    """Begin to look, and write what was seen when the program ends."""
    found: Counter[str] = Counter()
    network, memory = [0], [0]
    ended = threading.Event()
    thread = threading.Thread(target=sample, args=(found, network, memory, ended), daemon=True)
    began = time.perf_counter()

    def write() -> None:
        # A thread that still runs while Python ends can abort the program.
        ended.set()
        thread.join()
        seen = {
            "script": script,
            "seconds": time.perf_counter() - began,
            "network": network[0] * INTERVAL,
            "own_gib": memory[0] / 2**20,
            "functions": {name: count * INTERVAL for name, count in found.most_common(5)},
        }
        (folder / f"{os.getpid()}.json").write_text(json.dumps(seen), encoding="utf-8")

    atexit.register(write)
    thread.start()


_folder = os.environ.get("PARTIALSEG_SAMPLES")
_script = next((word for word in sys.orig_argv[1:] if word.endswith(".py")), "")
if _folder and Path(_script).parent.name == "src":
    start(Path(_folder), Path(_script).stem)
