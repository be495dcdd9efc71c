"""Python processes that start at once: forks of one that has imported what takes seconds.

Usage: preloaded.py SOCKET. Only modules of third parties are imported before the fork, so that a
script runs the code that lies beside it. Forks of one server share its hash seed and the state of
its random generators; what is to differ in them needs another server.
"""

import importlib
import json
import os
import runpy
import shlex
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import which

MODULES = (
    *("albumentations", "cv2", "pydantic.dataclasses", "rasterio.warp", "tabulate", "tqdm", "yaml"),
    *("matplotlib.backends.backend_agg", "matplotlib.figure", "scipy.ndimage", "scipy.stats"),
    *("torch.utils.data", "torch._dynamo", "torch.distributed.launcher.api"),
    *("dvc.cli.parser", "dvc.repo.experiments", "dvc.stage.loader", "dvclive.live", "ruamel.yaml"),
)
CLIENT = Path(__file__).with_name("preloaded_client.py")


@contextmanager
def preloaded_python() -> Iterator[Path]:
    """Start a server; yield a folder with `python` and `dvc` that are its forks, for the PATH."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        real = shlex.join([sys.executable, "-IS", str(CLIENT), str(path / "socket")])
        for name, first in (("python", ""), ("dvc", shlex.quote(which("dvc") or "dvc"))):
            (path / name).write_text(f'#!/bin/sh\nexec {real} {first} "$@"\n')
            (path / name).chmod(0o755)
        with subprocess.Popen(
            [sys.executable, __file__, path / "socket"], stdout=subprocess.PIPE
        ) as server:
            try:
                assert server.stdout is not None and server.stdout.readline() == b"ready\n"
                yield path
            finally:
                server.terminate()


def serve(path: str) -> None:
    """Fork a process for each request until the process that started this one has ended."""
    for name in MODULES:
        importlib.import_module(name)
    parent = os.getppid()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        listener.settimeout(1.0)
        print("ready", flush=True)
        while os.getppid() == parent:
            with suppress(TimeoutError):
                connection, _ = listener.accept()
                if os.fork() == 0:
                    listener.close()
                    return run(connection)
                connection.close()
            with suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass


def run(connection: socket.socket) -> None:
    """Become the Python that a client asks for, after a fork that reports how it ended."""
    size, streams, _, _ = socket.recv_fds(connection, 4, 3)
    with connection.makefile("rb") as stream:
        arguments, folder, environment = json.loads(stream.read(int.from_bytes(size, "big")))
    if pid := os.fork():
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        connection.send(bytes([status & 0xFF]))
        os._exit(0)
    connection.close()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv[:] = arguments
    sys.path[0] = str(Path(arguments[0]).parent.absolute())
    runpy.run_path(arguments[0], run_name="__main__")


if __name__ == "__main__":
    serve(sys.argv[1])
