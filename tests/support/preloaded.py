"""`python` and `dvc` for clones, without their imports: forks of a process that has made them.

A stage spends 3 s on importing PyTorch and its like and far less on its small work. Programs start
here as they do elsewhere, in a process of their own, but for the modules that are there already.
Those of the project are not among them: each clone has its own.
"""

import atexit
import gc
import json
import os
import runpy
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from functools import cache
from importlib import import_module
from pathlib import Path
from tempfile import mkdtemp
from typing import NoReturn

# What the stages import, and DVC for them.
MODULES = """
torch torch._inductor torch._dynamo albumentations cv2 rasterio.features rasterio.windows pyproj
pydantic yaml tqdm filelock scipy.stats scipy.ndimage tabulate jinja2 PIL.Image matplotlib.figure
requests dvclive dvc.cli dvc.repo dvc.commands.repro dvc.commands.experiments.run dvc_data.index
""".split()  # noqa: SIM905

# Isolated and without site, so that it starts in 10 ms; what it sends is all that a program has.
PROGRAM = """#!{python} -IS
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as server:
    server.connect({address!r})
    asked = dict(argv=[{name!r}, *sys.argv[1:]], folder=os.getcwd(), environment=dict(os.environ))
    request = json.dumps(asked).encode()
    socket.send_fds(server, [len(request).to_bytes(8, "big")], [0, 1, 2])
    server.sendall(request)
    status = server.recv(1)
sys.exit(status[0] if status else 1)
"""


@cache
def preloaded_programs() -> Path:
    """Return a folder of programs for the front of PATH, served as long as this process lives."""
    folder = Path(mkdtemp(prefix="preloaded-"))
    for name in ("python", "dvc"):
        program = folder / name
        address = str(folder / "socket")
        program.write_text(PROGRAM.format(python=sys.executable, address=address, name=name))
        program.chmod(0o755)
    # The server ends when its standard input does.
    server = subprocess.Popen([sys.executable, __file__, str(folder)], stdin=subprocess.PIPE)
    while not (folder / "socket").exists():
        assert server.poll() is None, "see its traceback"
        time.sleep(0.05)
    return folder


def serve(folder: Path) -> None:
    """Fork for every program that is asked for, until the tests end."""
    for module in MODULES:
        import_module(module)
    gc.freeze()  # forks neither visit nor copy what is there
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that wait
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the tests, and so the server
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / "new"))
        listening.listen(64)
        (folder / "new").rename(folder / "socket")
        while sys.stdin not in select.select([listening, sys.stdin], [], [])[0]:
            asked, _ = listening.accept()
            if os.fork() == 0:
                listening.close()
                watch(asked)
            asked.close()
    shutil.rmtree(folder)


def watch(asked: socket.socket) -> NoReturn:
    """Run a program in a fork and answer with its status."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    size, streams, _, _ = socket.recv_fds(asked, 8, 3)
    program = os.fork()
    if program == 0:
        with asked.makefile("rb") as stream:
            request = json.loads(stream.read(int.from_bytes(size, "big")))
        threading.Thread(target=end_with, args=(asked,), daemon=True).start()
        leave(run(streams, **request))
    for stream in streams:
        os.close(stream)
    status = os.waitstatus_to_exitcode(os.waitpid(program, 0)[1])
    asked.sendall(bytes([status if status >= 0 else 128 - status]))
    os._exit(0)


def end_with(asked: socket.socket) -> None:
    """End this process when the program that asked for it is killed."""
    asked.recv(1)
    os.kill(os.getpid(), signal.SIGKILL)


def run(streams: list[int], argv: list[str], folder: str, environment: dict[str, str]) -> int:
    """Make this process the program: its streams, folder and environment; return its status."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    try:
        if argv[0] == "dvc":
            sys.argv = argv
            return int(import_module("dvc.cli").main())
        sys.argv = argv[1:]
        sys.path[0] = str(Path(sys.argv[0]).resolve().parent)
        runpy.run_path(sys.argv[0], run_name="__main__")
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def leave(status: int) -> NoReturn:
    """End as Python does, but without freeing every module, which takes a second."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
